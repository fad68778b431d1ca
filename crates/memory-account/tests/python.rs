//! Python, against what it says of its own allocator.

use std::process::{Command, Stdio};

use memory_account::Kind;

use super::target::{MIB, Target, row};

const PYTHON: &str = "/usr/bin/python3";

/// Of many small objects every other one is given back; `sys._debugmallocstats` writes to the file.
const SCRIPT: &str = "import sys, os, time\n\
    kept = [str(i) for i in range(400000)]\n\
    del kept[::2]\n\
    os.dup2(os.open(sys.argv[1], os.O_WRONLY), 2)\n\
    sys._debugmallocstats()\n\
    print('ready', flush=True)\n\
    time.sleep(1000)\n";

/// The number behind `name =` in what Python wrote.
fn told(stats: &str, name: &str) -> u64 {
    let line = stats.lines().find(|line| line.trim_start().starts_with(name)).expect(name);
    let (_, number) = line.rsplit_once('=').unwrap();
    number.trim().replace(',', "").parse().unwrap()
}

#[test]
fn pymalloc_has_what_python_says() {
    if !suite::installed(PYTHON) {
        return;
    }
    let stats = tempfile::NamedTempFile::new().unwrap();
    let mut command = Command::new(PYTHON);
    command.args(["-c", SCRIPT]).arg(stats.path()).stderr(Stdio::inherit());
    let target = Target::start(&mut command);
    let account = target.account();
    let stats = std::fs::read_to_string(stats.path()).unwrap();
    let row = row(&account, "Python's objects (pymalloc)");
    assert_eq!(row.kind, Kind::Runtime);
    let arenas = told(&stats, "Total");
    let used = told(&stats, "# bytes in allocated blocks");
    assert!(used > 10 * MIB, "{stats}");
    let ours = row.rss_bytes - row.free_bytes.unwrap();
    println!("{} resident of {arenas}, {ours} used of {used}", row.rss_bytes);
    // Its own figures needed some objects, too.
    assert!(ours.abs_diff(used) <= used / 100, "{ours} {used}");
    assert!(row.rss_bytes <= arenas && row.rss_bytes > used, "{} {arenas}", row.rss_bytes);
    let unknown = account.of_kind(Kind::Unknown);
    assert!(unknown * 20 < account.rss_bytes(), "{account:#?}");
}

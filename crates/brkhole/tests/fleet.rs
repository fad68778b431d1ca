//! What `inspect --all --format openmetrics` writes, and what Prometheus's own programs say of it.

mod capabilities;
pub mod member;
mod node_exporter;
pub mod samples;

use std::collections::BTreeSet;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use crate::common::{brkhole, installed};
use member::member;
use samples::{Sample, names, samples, value};

const MIB: f64 = 1_048_576.0;

/// More than there are commands on any machine that tests run on.
const ALL_COMMANDS: &str = "1000000";

/// What the command writes to this file of all processes, or of some.
fn written(file: &Path, which: &[&str]) -> String {
    let output = brkhole(&["inspect", "--format", "openmetrics", "-o"])
        .arg(file)
        .args(which)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(output.stdout, b"");
    std::fs::read_to_string(file).unwrap()
}

/// What promtool says of a text.
pub fn checked(file: &Path) -> Output {
    Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(File::open(file).unwrap())
        .output()
        .unwrap()
}

/// A name that holds all that has to be escaped, and nobody else has.
fn awkward_name() -> String {
    format!("\"\\\n'{}", std::process::id())
}

#[test]
fn the_text_is_what_prometheus_reads() {
    if !installed("promtool") || !installed(node_exporter::PROGRAM) {
        return;
    }
    let name = awkward_name();
    let _fat = member("fat", &name);
    let not_utf8 = std::ffi::OsStr::from_bytes(b"\xff\xfe");
    let also_not_utf8 = std::ffi::OsStr::from_bytes(b"\xfe\xff");
    let _others = ["", "{a=\"b\"} 1", "\r\t"].map(|name| member("small", name));
    let _no_text = [not_utf8, also_not_utf8].map(|name| member("small", name));

    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("brkhole.prom");
    let ours = samples(&written(&file, &["--all", "--top", ALL_COMMANDS]));

    let output = checked(&file);
    // A word of its linter would be one too many.
    assert!(output.status.success(), "{output:?}");
    assert_eq!((output.stdout, output.stderr), (Vec::new(), Vec::new()));

    let served = samples(&node_exporter::metrics_of(directory.path()));
    assert_eq!(value(&served, "node_textfile_scrape_error", &[]), 0.0);
    let is_ours = |sample: &Sample| sample.name.starts_with("brkhole_");
    let mut served: Vec<_> = served.into_iter().filter(is_ours).collect();
    let mut expected = ours.clone();
    for samples in [&mut served, &mut expected] {
        samples.sort_by(|one, other| one.partial_cmp(other).expect("numbers"));
    }
    assert_eq!(served, expected);
    assert_eq!(value(&ours, "brkhole_processes", &[("comm", &name)]), 1.0);
}

#[test]
fn figures_are_those_of_the_processes() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("brkhole.prom");
    let [fat, hole, small] =
        ["fat", "hole", "small"].map(|what| format!("{what}-{}", std::process::id()));
    let _members =
        [member("fat", &fat), member("fat", &fat), member("hole", &hole), member("small", &small)];
    let found = [&fat, &hole, &small].map(|comm| {
        let only = ["--comm", comm.as_str()];
        (comm.as_str(), samples(&written(&file, &only)))
    });
    let value = |metric: &str, comm: &str| {
        let mut found = found.iter();
        let (_, samples) = found.find(|(name, _)| *name == comm).expect("it is there");
        value(samples, metric, &[("comm", comm)])
    };

    for (comm, processes) in [(&fat, 2.0), (&hole, 1.0), (&small, 1.0)] {
        assert_eq!(value("brkhole_processes", comm), processes);
        assert_eq!(value("brkhole_malloc_known_processes", comm), processes);
    }
    // 64 MiB each, of which one piece in 64 is kept, and the page that it lies in.
    for (comm, processes) in [(&fat, 2.0), (&hole, 1.0)] {
        let returnable = value("brkhole_malloc_returnable_bytes", comm) / processes / MIB;
        assert!((55.0..63.5).contains(&returnable), "{comm}: {returnable}");
        let free = value("brkhole_malloc_free_bytes", comm) / processes / MIB;
        assert!((62.0..65.0).contains(&free), "{comm}: {free}");
        let system = value("brkhole_malloc_system_bytes", comm) / processes / MIB;
        assert!((64.0..68.0).contains(&system), "{comm}: {system}");
        let resident = value("brkhole_resident_memory_bytes", comm) / processes / MIB;
        assert!((64.0..80.0).contains(&resident), "{comm}: {resident}");
    }
    assert!(value("brkhole_malloc_returnable_bytes", &small) < MIB);
    for metric in ["brkhole_break_blocked_processes", "brkhole_break_abandoned_processes"] {
        assert_eq!(value(metric, &hole), 1.0, "{metric}");
        assert_eq!(value(metric, &fat), 0.0, "{metric}");
        assert_eq!(value(metric, &small), 0.0, "{metric}");
    }
}

#[test]
fn as_many_commands_as_there_may_be_series() {
    // Unless it is told otherwise.
    const TOP: usize = 20;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("brkhole.prom");
    let _members = member("many", "300");
    let found = samples(&written(&file, &["--all"]));
    for metric in names(&found) {
        let of_this = found.iter().filter(|sample| sample.name == metric);
        let of_this = of_this.filter_map(|sample| sample.labels.get("comm"));
        let of_this: BTreeSet<_> = of_this.collect();
        assert!(of_this.len() <= TOP + 1, "{metric}: {of_this:?}");
    }
    let accounts = found.iter().filter(|sample| sample.labels.contains_key("owner")).count();
    // Five processes, eleven kinds of owners, three figures.
    assert!((1..=5 * 11 * 3).contains(&accounts), "{found:#?}");
    // One of them may end in between.
    assert!((1.0..=5.0).contains(&value(&found, "brkhole_accounted_processes", &[])));
    assert!(found.len() - accounts < 300, "{found:#?}");
    let others = [("comm", "(all other commands)")];
    let others = value(&found, "brkhole_processes", &others);
    assert!(others >= 300.0 - TOP as f64, "{others}");
    assert!(value(&found, "brkhole_commands", &[]) >= 300.0);
}

/// What a reader finds is a whole text, the old one or the new one, however it was masked.
#[test]
fn the_file_is_replaced_as_a_whole() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("brkhole.prom");
    // Of one process, to be quick about it.
    let own = std::process::id().to_string();
    written(&file, &[&own]);
    std::thread::scope(|scope| {
        let writing = scope.spawn(|| {
            for _ in 0..30 {
                let status = Command::new("sh")
                    .args(["-c", "umask 077; exec \"$@\"", "sh"])
                    .arg(env!("CARGO_BIN_EXE_brkhole"))
                    .args(["inspect", &own, "--format", "openmetrics", "-o"])
                    .arg(&file)
                    .status();
                assert!(status.unwrap().success());
            }
        });
        while !writing.is_finished() {
            let text = std::fs::read_to_string(&file).unwrap();
            assert!(text.starts_with("# HELP ") && text.ends_with("\n# EOF\n"));
            let mode = file.metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o7777, 0o644, "node_exporter is another user");
            std::thread::sleep(std::time::Duration::from_micros(100));
        }
    });
    let left = std::fs::read_dir(directory.path()).unwrap();
    let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["brkhole.prom"]);
}

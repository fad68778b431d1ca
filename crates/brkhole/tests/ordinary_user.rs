//! What somebody who isn't root gets, and is told.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output};

use crate::common::skipped;

/// Who owns nothing.
const NOBODY: u32 = 65534;

/// The command where everybody may run it.
struct Installed {
    directory: tempfile::TempDir,
}

impl Installed {
    /// `None`, and a word why, unless this is root, who can become somebody else.
    fn for_everybody() -> Option<Self> {
        if std::fs::metadata("/proc/self").unwrap().uid() != 0 {
            skipped("only root can become another user");
            return None;
        }
        let directory = tempfile::tempdir().unwrap();
        let everybody = PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(directory.path(), everybody).unwrap();
        let installed = Self { directory };
        let built = Path::new(env!("CARGO_BIN_EXE_brkhole"));
        suite::place::executable_copy(built, &installed.program(), 0o755);
        Some(installed)
    }

    fn program(&self) -> PathBuf {
        self.directory.path().join("brkhole")
    }

    /// Runs it as nobody.
    fn output(&self, arguments: &[&str]) -> Output {
        as_nobody(&self.program()).args(arguments).output().unwrap()
    }
}

fn as_nobody(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.uid(NOBODY).gid(NOBODY).current_dir("/");
    command
}

/// Ends with the test.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn somebody_elses_process() {
    let Some(installed) = Installed::for_everybody() else {
        return;
    };
    let target = Ended(Command::new("sleep").arg("1000").spawn().unwrap());
    let pid = target.0.id().to_string();
    let output = installed.output(&["trace", "--pid", &pid, "--duration", "1"]);
    assert_eq!(output.status.code(), Some(1));
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    for word in [pid.as_str(), "uid 0", "uid 65534", "sudo"] {
        assert!(complaint.contains(word), "{word}: {complaint}");
    }
}

#[test]
fn own_process_without_tracepoints() {
    let Some(installed) = Installed::for_everybody() else {
        return;
    };
    let script = "while :; do cat /dev/null; done";
    let shell = as_nobody(Path::new("sh")).args(["-c", script]).spawn();
    let target = Ended(shell.unwrap());
    let pid = target.0.id().to_string();
    let arguments = ["trace", "--pid", &pid, "--duration", "1"];
    let output = installed.output(&arguments);
    let (report, complaint) = (
        String::from_utf8_lossy(&output.stdout).into_owned(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    );
    if complaint.contains("ptrace_scope") {
        return skipped("Yama forbids to trace what isn't a child");
    }
    assert!(output.status.success(), "{complaint}");
    assert!(report.contains("ptrace at every system call"), "{report}");
    let flat = report.replace("\n  ", " ");
    assert!(flat.contains("tracepoints were not used"), "{report}");
    assert!(flat.contains("perf_event_paranoid is"), "{report}");

    let refused = installed.output(&[&arguments[..], &["--via", "tracepoints"]].concat());
    assert_eq!(refused.status.code(), Some(1));
    let complaint = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(complaint.contains("setcap"), "{complaint}");
}

#[test]
fn a_launched_command() {
    let Some(installed) = Installed::for_everybody() else {
        return;
    };
    let output = installed.output(&["trace", "--hole", "--", "sh", "-c", "id -u; exit 4"]);
    assert_eq!(output.status.code(), Some(4));
    let report = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(report.starts_with("65534\n"), "{report}");
    assert!(report.contains("break is blocked"), "{report}");
}

#[test]
fn looking_into_somebody_elses_process() {
    let Some(installed) = Installed::for_everybody() else {
        return;
    };
    let theirs = Ended(Command::new("sleep").arg("1000").spawn().unwrap());
    let own = as_nobody(Path::new("sleep")).arg("1000").spawn();
    let own = Ended(own.unwrap());
    let (theirs, own) = (theirs.0.id().to_string(), own.0.id().to_string());
    let named = installed.output(&["inspect", "--format", "csv", &theirs, &own]);
    assert_eq!(named.status.code(), Some(1));
    let complaint = String::from_utf8_lossy(&named.stderr).into_owned();
    for word in [theirs.as_str(), "uid 0", "uid 65534", "sudo", "CAP_SYS_PTRACE"] {
        assert!(complaint.contains(word), "{word}: {complaint}");
    }
    let rows = String::from_utf8_lossy(&named.stdout).into_owned();
    assert_eq!(rows.lines().count(), 2, "the header and its own: {rows}");
    assert!(rows.contains(&format!(",{own},sleep,")), "{rows}");

    let all = installed.output(&["inspect", "--all"]);
    assert!(all.status.success(), "what can't be read is no failure");
    let table = String::from_utf8_lossy(&all.stdout).replace("\n  ", " ");
    assert!(table.contains("not permitted (run this as root: sudo)"), "{table}");

    let document = installed.output(&["inspect", "--comm", "sleep", "--format", "json"]);
    assert!(document.status.success());
    let report = String::from_utf8_lossy(&document.stdout).into_owned();
    assert!(report.contains(&format!("\"pid\": {own},")), "{report}");
    assert!(!report.contains(&format!("\"pid\": {theirs},")), "{report}");
    let note = String::from_utf8_lossy(&document.stderr).into_owned();
    assert!(note.contains("not permitted"), "{note}");
}

/// As in a container: there is nobody more to become.
#[test]
fn root_without_rights_is_not_told_to_be_root() {
    if std::fs::metadata("/proc/self").unwrap().uid() != 0 {
        skipped("only root can be root without rights");
        return;
    }
    let target = Ended(Command::new("sleep").arg("1000").spawn().unwrap());
    let pid = target.0.id().to_string();
    let ways: [&[&str]; 4] = [
        &["inspect"],
        &["trim"],
        &["trace", "--via", "ptrace", "-p"],
        &["trace", "--via", "tracepoints", "-p"],
    ];
    for way in ways {
        for (pid, expected) in [(pid.as_str(), "CAP_SYS_PTRACE"), ("999999999", "no")] {
            let output = Command::new("setpriv")
                .arg("--bounding-set=-sys_ptrace,-perfmon,-sys_admin")
                .arg(env!("CARGO_BIN_EXE_brkhole"))
                .args(way)
                .arg(pid)
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(1), "{way:?}: {said}");
            assert!(said.contains(expected), "{way:?}: {said}");
            for words in ["sudo", "as root", "hidepid"] {
                assert!(!said.contains(words), "{way:?}: {said}");
            }
            assert!(said.matches(&format!("process {pid}")).count() < 2, "{said}");
        }
    }
}

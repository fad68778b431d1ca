//! What a collector reads; the metrics themselves have tests of their own.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use crate::common::brkhole;
use crate::inspect::target::Keeps;

#[test]
fn everybody_may_read_the_file_whatever_the_umask() {
    let target = Keeps::free(64);
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("brkhole.prom");
    let command = brkhole(&[
        "inspect",
        "--format",
        "openmetrics",
        "-o",
        file.to_str().unwrap(),
        &target.number(),
    ]);
    let status = Command::new("sh")
        .args(["-c", "umask 077; exec \"$@\"", "sh"])
        .arg(command.get_program())
        .args(command.get_args())
        .status();
    assert!(status.unwrap().success());
    let mode = std::fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o644);
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.ends_with("# EOF\n"), "{text}");
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
}

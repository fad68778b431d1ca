//! Where the line of a process goes, and that no program waits for it.

use std::fs::{self, File};
use std::os::unix::fs::{FileTypeExt, symlink};
use std::path::Path;
use std::process::{Command, Output};

use super::material::MACHINE;
use crate::common::Preload;

/// Loads a bundle and says so; a minute is a hundred times what it takes.
fn ran(log: &Path) -> Output {
    let script = "import ssl, sys; \
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(sys.argv[1]); print('done')";
    let mut command = Command::new("/usr/bin/timeout");
    command.args(["60", "/usr/bin/python3", "-c", script, MACHINE]);
    Preload::Private.apply(&mut command);
    command.env("TRUSTED_CA_LOG", log).output().unwrap()
}

#[test]
fn what_is_no_file_is_not_waited_for() {
    let directory = tempfile::tempdir().unwrap();
    let fifo = directory.path().join("fifo");
    let made = Command::new("mkfifo").arg(&fifo).status();
    assert!(made.unwrap().success());
    let link = directory.path().join("link");
    symlink(&fifo, &link).unwrap();
    for log in [&fifo, &link] {
        let ran = ran(log);
        assert!(ran.status.success(), "{ran:?}");
        assert_eq!(ran.stdout, b"done\n");
    }
    assert!(fs::metadata(&fifo).unwrap().file_type().is_fifo());
    // With a reader there, too: a line could fill it.
    let mut options = File::options();
    let reader = options.read(true).write(true).open(&fifo).unwrap();
    assert!(ran(&fifo).status.success());
    drop(reader);
}

#[test]
fn a_file_is_appended_to_by_its_link_too() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("log");
    fs::write(&log, "before\n").unwrap();
    let link = directory.path().join("link");
    symlink(&log, &link).unwrap();
    assert!(ran(&link).status.success());
    let text = fs::read_to_string(&log).unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!((lines[0], lines.len()), ("before", 2), "{text}");
    assert!(lines[1].contains("loads 1, parses 1"), "{text}");
}

//! Traced and untraced, a target begins alike; and one that can't begin says why.

use std::io::Read;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;

use memory_trace::{Launch, LaunchError};
use memory_trace::{Stream, Target};

use super::harness::{executable_copy, target, watch};

/// Output of both kinds of run; the target is made anew for each, with the stream to write to.
fn outputs(make: impl Fn(Arc<OwnedFd>) -> Target) -> [String; 2] {
    [true, false].map(|traced| {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let target = make(Arc::new(writer.into()));
        if traced {
            watch(&target, ());
        } else {
            target.to_command().status().unwrap();
        }
        drop(target);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        text
    })
}

fn sh(script: &str) -> Target {
    target("sh").args(["-c", script])
}

#[test]
fn environment_directory_and_arguments() {
    let directory = tempfile::tempdir().unwrap();
    let directory = std::fs::canonicalize(directory.path()).unwrap();
    let [traced, untraced] = outputs(|out| {
        sh("env; pwd; echo \"$0 $1\"")
            .args(["zero", "one two"])
            .env("ADDED", "yes")
            .env_remove("HOME")
            .current_dir(&directory)
            .stdout(Stream::Fd(out))
    });
    assert_eq!(traced, untraced);
    assert!(traced.contains("ADDED=yes\n") && !traced.contains("\nHOME="));
    assert!(traced.ends_with(&format!("{}\nzero one two\n", directory.display())));
}

#[test]
fn streams() {
    let both = outputs(|out| {
        sh("cat; echo error >&2; echo output").stderr(Stream::Fd(out)).stdout(Stream::Stderr)
    });
    assert_eq!(both, ["error\noutput\n"; 2], "output follows the error stream, input is empty");
}

#[test]
fn descriptors_signals_and_limits() {
    // Dispositions and mask as the program finds them, and the descriptors that it has.
    let script = "grep -E '^(Sig(Blk|Ign|Cgt)|Seccomp):' /proc/self/status | grep -v Seccomp; \
        ls /proc/self/fd | tr '\\n' ' '";
    let [traced, untraced] =
        outputs(|out| sh(script).unblock_signals(true).stdout(Stream::Fd(out)));
    assert_eq!(traced, untraced);
    let mask = traced.lines().next().unwrap();
    assert_eq!(mask, "SigBlk:\t0000000000000000", "{traced}");
}

#[test]
fn an_inherited_descriptor_keeps_its_number() {
    // Not `>&`, which dash has for numbers of one digit alone.
    let script = |out: &OwnedFd| format!("echo inherited > /proc/self/fd/{}", out.as_raw_fd());
    let both = outputs(|out| sh(&script(&out)).inherit(out));
    assert_eq!(both, ["inherited\n"; 2]);
}

fn script(directory: &Path, name: &str, mode: u32) -> std::path::PathBuf {
    let (path, content) = (directory.join(name), directory.join("content"));
    std::fs::write(&content, "echo \"script $1\"; exit 6\n").unwrap();
    executable_copy(&content, &path, mode);
    path
}

#[test]
fn programs_are_found_as_execvp_finds_them() {
    let directory = tempfile::tempdir().unwrap();
    script(directory.path(), "plain-script", 0o755);
    let path = format!("/nonexistent:/dev/null:{}", directory.path().display());
    // A script without `#!` is given to a shell.
    let both = outputs(|out| {
        target("plain-script").arg("found").env("PATH", &path).stdout(Stream::Fd(out))
    });
    assert_eq!(both, ["script found\n"; 2]);
}

#[test]
fn what_cannot_be_run() {
    let directory = tempfile::tempdir().unwrap();
    let forbidden = script(directory.path(), "forbidden", 0o644);
    for (program, errno) in [
        ("/nonexistent/program".as_ref(), libc::ENOENT),
        ("no-such-program-in-the-path".as_ref(), libc::ENOENT),
        ("".as_ref(), libc::ENOENT),
        (forbidden.as_path(), libc::EACCES),
        (directory.path(), libc::EACCES),
    ] {
        // A directory of the path that may not be entered would be told instead.
        let target = || target(program).env("PATH", "/usr/bin:/bin");
        let error = Launch::start(&target(), ()).expect_err("can't be run");
        let message = error.to_string();
        let LaunchError::Exec { source, .. } = error else { panic!("{message}") };
        assert_eq!(source.raw_os_error(), Some(errno), "{program:?}");
        assert!(message.contains(&format!("{program:?}")), "{message}");
        let untraced = target().to_command().spawn().expect_err("can't be run");
        assert_eq!(untraced.raw_os_error(), Some(errno), "{program:?}, untraced");
    }
    let nowhere = target("true").current_dir("/nonexistent/directory");
    let error = Launch::start(&nowhere, ()).expect_err("no such directory").to_string();
    assert!(error.contains("/nonexistent/directory"), "{error}");
    let nul = Launch::start(&target("true").arg("a\0b"), ()).expect_err("NUL").to_string();
    assert!(nul.contains("NUL"), "{nul}");
}

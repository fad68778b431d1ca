//! A hole in another process, in every kind of program that there is.
mod tracee;

use std::io::Write;
use std::process::Command;

use brk_hole::{RemoteError, RemoteHole};
use tracee::{Tracee, command, compiled};

const PIE: (&str, &[&str]) = ("pie", &["-fPIE", "-pie"]);

const KINDS: [(&str, &[&str]); 4] = [
    PIE,
    ("no-pie", &["-fno-pie", "-no-pie"]),
    ("static", &["-static", "-no-pie", "-fno-pie"]),
    ("static-pie", &["-static-pie", "-fPIE"]),
];

fn output(tracee: Tracee) -> (Option<i32>, String) {
    let output = tracee.0.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    (output.status.code(), text)
}

#[test]
fn the_break_is_refused_and_all_else_is_as_without() {
    for (name, flags) in KINDS {
        let program = compiled(name, flags);
        let plain = command(&program).output().unwrap();
        assert_eq!(plain.status.code(), Some(7), "{name}");
        let plain = String::from_utf8(plain.stdout).unwrap();
        assert!(
            plain.starts_with("argument one\nargument two words\nvariable yes\nbreak grew\n"),
            "{name}: {plain}"
        );

        let tracee = Tracee::start(command(&program));
        let (state, maps) = (tracee.state(), tracee.maps());
        let hole =
            RemoteHole::punch(tracee.pid()).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(tracee.state() == state, "{name}: registers and signal mask");
        let mut after = tracee.maps();
        let page = format!("{:08x}-{:08x} r--p", hole.range.start, hole.range.end);
        let index = after.iter().position(|line| line.starts_with(&page));
        after.remove(index.unwrap_or_else(|| panic!("{name}: no {page} in {after:#?}")));
        assert_eq!(after, maps, "{name}");
        assert!((0..4096).contains(&(hole.range.start - hole.program_break)), "{name}: {hole:x?}");

        tracee.go_on();
        let expected = plain.replace("break grew", "break refused");
        assert_eq!(output(tracee), (Some(7), expected), "{name}");
    }
}

#[test]
fn a_break_that_is_blocked_already_is_left_alone() {
    let tracee = Tracee::start(command(&compiled("twice", PIE.1)));
    let hole = RemoteHole::punch(tracee.pid()).unwrap();
    let (state, maps) = (tracee.state(), tracee.maps());
    match RemoteHole::punch(tracee.pid()) {
        Err(RemoteError::Taken { range }) => assert_eq!(range, hole.range),
        other => panic!("{other:?}"),
    }
    assert!(tracee.state() == state);
    assert_eq!(tracee.maps(), maps);
    tracee.go_on();
    assert_eq!(output(tracee).0, Some(7));
}

#[test]
fn signals_wait_until_the_hole_is_made() {
    // SIGTERM is delivered afterwards.
    let program = compiled("signals", PIE.1);
    let tracee = Tracee::start(command(&program));
    tracee.send(libc::SIGTERM);
    RemoteHole::punch(tracee.pid()).unwrap();
    tracee.go_on();
    assert_eq!(tracee.wait(), libc::SIGTERM << 8 | 0x7f, "about to get it");
    tracee.go_on();
    assert_eq!(output(tracee).0, Some(7), "we kept it from the program");

    // SIGSTOP can't be blocked and is sent anew.
    let tracee = Tracee::start(command(&program));
    tracee.send(libc::SIGSTOP);
    RemoteHole::punch(tracee.pid()).unwrap();
    tracee.go_on();
    assert_eq!(tracee.wait(), libc::SIGSTOP << 8 | 0x7f);
    tracee.go_on();
    assert_eq!(output(tracee).0, Some(7));
}

#[test]
fn a_process_that_is_killed_is_gone_and_its_end_is_left_to_its_tracer() {
    let tracee = Tracee::start(command(&compiled("killed", PIE.1)));
    tracee.send(libc::SIGKILL);
    let error = RemoteHole::punch(tracee.pid()).unwrap_err();
    assert!(matches!(error, RemoteError::Gone { .. }), "{error}");
    assert_eq!(tracee.wait(), libc::SIGKILL);
}

#[test]
fn a_process_that_is_not_traced_is_named() {
    let own = std::process::id() as i32;
    let text = RemoteHole::punch(own).unwrap_err().to_string();
    assert!(text.contains(&own.to_string()), "{text}");
    assert!(text.contains("traced by the calling thread"), "{text}");
}

/// A 32-bit x86 program, by hand: `exit(7)`.
fn elf32() -> Vec<u8> {
    const BASE: u32 = 0x0804_8000;
    // xor eax, eax; inc eax; mov bl, 7; int 0x80
    let code = [0x31, 0xc0, 0x40, 0xb3, 7, 0xcd, 0x80, 0x90];
    let size = 52 + 32 + code.len() as u32;
    let mut file = b"\x7fELF\x01\x01\x01".to_vec();
    file.resize(16, 0);
    // Type EXEC, machine 386; version, entry, program headers behind this one; sizes and numbers of
    // the headers; one segment: LOAD, the whole file, readable and executable.
    for word in [
        3 << 16 | 2,
        1,
        BASE + 84,
        52,
        0,
        0,
        32 << 16 | 52,
        1,
        0,
        1,
        0,
        BASE,
        BASE,
        size,
        size,
        5,
        0x1000,
    ] {
        file.extend(u32::to_le_bytes(word));
    }
    file.extend(code);
    file
}

#[test]
fn a_32_bit_program_is_refused_and_runs_on() {
    let place = std::env::temp_dir();
    let content = place.join("remote-content32");
    let program = place.join("remote-elf32");
    std::fs::write(&content, elf32()).unwrap();
    suite::place::executable_copy(&content, &program, 0o755);
    if let Err(error) = Command::new(&program).status() {
        let mut stderr = std::io::stderr();
        writeln!(stderr, "skipped: no 32-bit programs here ({error})").unwrap();
        return;
    }
    let tracee = Tracee::start(Command::new(&program));
    let error = RemoteHole::punch(tracee.pid()).unwrap_err();
    assert!(matches!(error, RemoteError::Foreign { .. }), "{error}");
    tracee.go_on();
    assert_eq!(output(tracee).0, Some(7));
}

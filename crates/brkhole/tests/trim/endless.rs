//! A malloc_trim that doesn't return is let go, and the process with it.

use std::fs;
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::ptrace;
use nix::sys::wait::waitpid;
use nix::unistd::Pid;
use object::read::elf::ElfFile64;
use object::{Object, ObjectSegment, ObjectSymbol};
use proc_memory::AddressSpace;
use suite::waiting::eventually;

use crate::common::{brkhole, compiled, skipped};
use crate::trim::harness::{Target, reports, send, state, tracer, trimming};

/// `jmp` to itself.
const ENDLESS: [u8; 2] = [0xeb, 0xfe];

/// A copy of this machine's C library whose malloc_trim never ends.
struct Library {
    directory: tempfile::TempDir,
    /// Where malloc_trim is in the file, and how it began.
    offset: u64,
    began: [u8; 2],
}

impl Library {
    /// `None`, and a word why, where the library is another one.
    fn made() -> Option<Self> {
        let own = AddressSpace::of(std::process::id() as i32).unwrap();
        let paths = own.mappings().iter().filter_map(|mapping| mapping.path());
        let path = { paths }.find(|path| path.ends_with("libc.so.6"));
        let Some(path) = path.map(PathBuf::from) else {
            skipped("this program has no libc.so.6");
            return None;
        };
        let bytes = fs::read(path).unwrap();
        let elf = ElfFile64::<object::Endianness>::parse(&*bytes).unwrap();
        let mut symbols = elf.dynamic_symbols();
        let trim = symbols.find(|symbol| symbol.name() == Ok("malloc_trim"));
        let address = trim.unwrap().address();
        let mut segments = elf.segments();
        let offset = segments.find_map(|segment| {
            let at = address.checked_sub(segment.address())?;
            (at < segment.size()).then(|| segment.file_range().0 + at)
        });
        let offset = offset.unwrap();
        let began = bytes[offset as usize..][..2].try_into().unwrap();
        let directory = tempfile::tempdir().unwrap();
        let mut copy = fs::File::create(directory.path().join("libc.so.6")).unwrap();
        copy.write_all(&bytes).unwrap();
        copy.seek(SeekFrom::Start(offset)).unwrap();
        copy.write_all(&ENDLESS).unwrap();
        Some(Self { directory, offset, began })
    }

    fn started(&self) -> Target {
        let mut command = Command::new(compiled("trim_keeps"));
        command.args(["free", "1"]);
        Target::of(command.env("LD_LIBRARY_PATH", self.directory.path()), "ready")
    }

    /// Has malloc_trim go on as if it had just been called.
    fn mend(&self, target: &Target) {
        let space = AddressSpace::of(target.pid()).unwrap();
        let library = self.directory.path().join("libc.so.6");
        let holds = |mapping: &&proc_memory::Mapping| {
            let range = mapping.offset..mapping.offset + mapping.length_bytes();
            mapping.path().as_deref() == Some(&library) && range.contains(&self.offset)
        };
        let mapping = space.mappings().iter().find(holds).unwrap();
        let memory = fs::OpenOptions::new()
            .write(true)
            .open(Path::new("/proc").join(target.pid().to_string()).join("mem"));
        let address = mapping.start + (self.offset - mapping.offset);
        // Linux 6.12 and later may let only a tracer write what the process itself may not.
        let pid = Pid::from_raw(target.pid());
        ptrace::attach(pid).unwrap();
        waitpid(pid, None).unwrap();
        memory.unwrap().write_all_at(&self.began, address).unwrap();
        ptrace::detach(pid, None).unwrap();
    }

    /// It has been let go and is inside malloc_trim; when that ends, all is as before.
    fn goes_on(&self, mut target: Target) {
        assert_eq!(tracer(target.pid()), 0);
        assert_eq!(state(target.pid()), 'R');
        self.mend(&target);
        target.is_well();
        target.ends();
    }
}

#[test]
fn a_signal_lets_go_at_once() {
    let Some(library) = Library::made() else {
        return;
    };
    for (number, name) in [(2, "-INT"), (15, "-TERM")] {
        let target = library.started();
        let child = trimming(&target, &["--max-hold", "3600"]);
        // Held it stands still, and runs only to make the call; whoever looks may have missed that
        // it was let go in between.
        let mut runs = 0;
        eventually("the call is under way", || {
            let pid = target.pid();
            runs = match state(pid) == 'R' && tracer(pid) != 0 {
                true => runs + 1,
                false => 0,
            };
            runs == 20
        });
        send(child.id() as i32, name);
        let output = child.wait_with_output().unwrap();
        let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{complaint}");
        let signal = format!("signal {number} came while malloc_trim was under way");
        let thread = format!("Thread {} is still inside malloc_trim", target.pid());
        for words in [&*signal, &*thread, "goes on where it was", "never returns"] {
            assert!(complaint.contains(words), "{words}: {complaint}");
        }
        library.goes_on(target);
    }
}

#[test]
fn so_does_the_longest_hold() {
    let Some(library) = Library::made() else {
        return;
    };
    let target = library.started();
    let (status, reports) = reports(&["--max-hold", "0.5", &target.pid().to_string()]);
    let report = &reports[0];
    assert_eq!((status, report["outcome"].as_str()), (1, Some("failed")));
    let reason = report["reason"].as_str().unwrap();
    assert!(reason.contains("had not returned"), "{reason}");
    assert!(report["held_seconds"].as_f64() >= Some(0.5), "{report:#}");
    library.goes_on(target);
}

/// What is written goes to a pipe that is full, so that the first signal isn't the end of it.
#[test]
fn a_second_signal_ends_the_command() {
    const PIPE_BYTES: usize = 64 << 10;
    let target = Target::started("keeps", &["free", "1"], "ready");
    let (mut reader, mut writer) = std::io::pipe().unwrap();
    writer.write_all(&[b'a'; PIPE_BYTES]).unwrap();
    let plain = brkhole(&["trim", "--dry-run", &target.pid().to_string()]);
    // Whoever runs the tests may ignore signals (nohup), and a program keeps to that.
    let mut command = Command::new("env");
    command.arg("--default-signal").arg(plain.get_program());
    let mut child = command
        .args(plain.get_args())
        .stdin(Stdio::null())
        .stdout(writer)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    drop(command);
    let pid = child.id() as i32;
    let is_writing = || {
        let call = fs::read_to_string(format!("/proc/{pid}/syscall"));
        call.is_ok_and(|call| call.starts_with("1 0x1 "))
    };
    eventually("it writes", is_writing);
    let mut sent = 0;
    let status = loop {
        send(pid, "-TERM");
        sent += 1;
        std::thread::sleep(Duration::from_millis(200));
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        assert!(sent < 100, "it doesn't end");
    };
    assert_eq!(status.signal(), Some(libc::SIGTERM));
    assert!(sent >= 2, "the first is waited for");
    let mut written = Vec::new();
    reader.read_to_end(&mut written).unwrap();
    assert_eq!(written.len(), PIPE_BYTES);
}

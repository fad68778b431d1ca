//! Runs `child.c`, whose memory is known to the byte.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child as Process, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::OnceLock;

pub const MIB: u64 = 1 << 20;

/// A child that waits for its next command; killed and reaped when dropped.
pub struct Child {
    pub process: Process,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Child {
    pub fn start() -> Self {
        let mut process = Command::new(program())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the compiled child starts");
        let commands = process.stdin.take().unwrap();
        let answers = BufReader::new(process.stdout.take().unwrap());
        let mut child = Self {
            process,
            commands,
            answers,
        };
        child.warm_up();
        child
    }

    pub fn pid(&self) -> i32 {
        i32::try_from(self.process.id()).unwrap()
    }

    /// Sends a command and gives its answer. The child then waits in `read`.
    pub fn tell(&mut self, command: impl AsRef<[u8]>) -> u64 {
        let line = [command.as_ref(), b"\n"].concat();
        self.commands.write_all(&line).expect("the child listens");
        let mut answer = String::new();
        self.answers
            .read_line(&mut answer)
            .expect("the child answers");
        answer
            .trim()
            .parse()
            .unwrap_or_else(|_| panic!("the child said {answer:?}"))
    }

    /// Replaces the program by a fresh copy of itself.
    pub fn exec(&mut self) {
        self.commands.write_all(b"x\n").expect("the child listens");
        self.warm_up();
    }

    /// Runs every path once that a test measures, so that its first faults on code and stack are
    /// over.
    fn warm_up(&mut self) {
        self.tell(format!("m {MIB}"));
        self.tell("t");
        self.tell("u");
        self.tell("b");
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // It may have ended already, which is as good.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Compiles the child once per run of the tests.
fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/weighing/child.c");
        let program = directory.join("weighed-child");
        // Another run of the tests may be starting the program just now: replace, don't write.
        let fresh = directory.join(format!("weighed-child.{}", std::process::id()));
        let status = Command::new("cc")
            .args(["-O1", "-Wall", "-Werror", "-pthread", "-o"])
            .arg(&fresh)
            .arg(source)
            .status()
            .expect("these tests need a C compiler called cc");
        assert!(status.success(), "child.c does not compile");
        std::fs::rename(&fresh, &program).unwrap();
        program
    })
}

//! A program that waits to be told to go on, and says how long it took from there: for watchers
//! that come to a program that runs already.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::Context;

/// A program that has said that it is ready. Killed when it is dropped before its end.
#[derive(Debug)]
pub struct Waiting {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Waiting {
    /// Starts it, and waits until it is ready.
    ///
    /// # Errors
    /// When it can't be started, or says anything but `ready`.
    pub fn start(program: &Path, arguments: &[String]) -> anyhow::Result<Self> {
        Self::of(Command::new(program).args(arguments))
    }

    /// A process that waits for its input, like most that a machine has.
    ///
    /// # Errors
    /// As for [`start`](Self::start).
    pub fn sleeping() -> anyhow::Result<Self> {
        Self::of(Command::new("sh").args(["-c", "echo ready; read -r line"]))
    }

    /// The same, of a command.
    ///
    /// # Errors
    /// As for [`start`](Self::start).
    pub fn of(command: &mut Command) -> anyhow::Result<Self> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("can't start {}", command.get_program().display()))?;
        let stdin = child.stdin.take().context("its input is a pipe")?;
        let stdout = child.stdout.take().context("its output is a pipe")?;
        let mut waiting = Self { child, stdin, stdout: BufReader::new(stdout) };
        let said = waiting.line()?;
        anyhow::ensure!(said == "ready", "expected ready, it said {said:?}");
        Ok(waiting)
    }

    pub fn pid(&self) -> i32 {
        self.child.id().cast_signed()
    }

    /// Lets it go on to its end; gives the seconds that it says it took.
    ///
    /// # Errors
    /// When it says no number, or doesn't end with status 0.
    pub fn go(&mut self) -> anyhow::Result<f64> {
        self.stdin.write_all(b"!").context("the watched program didn't wait")?;
        let said = self.line()?;
        let nanoseconds: u64 =
            said.parse().with_context(|| format!("expected nanoseconds, it said {said:?}"))?;
        let status = self.child.wait()?;
        anyhow::ensure!(status.success(), "the watched program: {status}");
        Ok(nanoseconds as f64 * 1e-9)
    }

    fn line(&mut self) -> anyhow::Result<String> {
        let mut line = String::new();
        self.stdout.read_line(&mut line)?;
        Ok(line.trim_end().to_owned())
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        // Both fail if it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> anyhow::Result<Waiting> {
        Waiting::start(Path::new("sh"), &["-c".to_owned(), script.to_owned()])
    }

    #[test]
    fn it_waits_and_tells_its_time() {
        let mut waiting = shell("echo ready; head -c 1 >/dev/null; echo 1500000000").unwrap();
        assert_eq!(waiting.go().unwrap(), 1.5);
    }

    #[test]
    fn what_it_says_is_checked() {
        let error = shell("echo no").unwrap_err();
        assert_eq!(error.to_string(), "expected ready, it said \"no\"");
        let mut vague = shell("echo ready; head -c 1 >/dev/null; echo soon").unwrap();
        let error = vague.go().unwrap_err();
        assert!(error.to_string().contains("soon"), "{error}");
        let mut failing = shell("echo ready; head -c 1 >/dev/null; echo 1; exit 3").unwrap();
        let error = failing.go().unwrap_err();
        assert!(error.to_string().contains("exit status: 3"), "{error}");
    }
}

//! `/proc/PID/status`: what the kernel tells of a process or a thread, a field a line.

use std::str::FromStr;
use std::{fs, io};

/// The fields of one process or thread at one moment.
///
/// # References
/// proc_pid_status(5), proc_pid_smaps(5); `fs/proc/array.c` (`proc_pid_status`)
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status(Vec<u8>);

impl Status {
    /// Of a process, or of any thread by its number.
    ///
    /// # Errors
    /// If there is none.
    pub fn of(tid: i32) -> io::Result<Self> {
        fs::read(format!("/proc/{tid}/status")).map(Self)
    }

    /// Of a thread of this process.
    ///
    /// # Errors
    /// If there is none.
    pub fn of_thread(pid: i32, tid: i32) -> io::Result<Self> {
        fs::read(format!("/proc/{pid}/task/{tid}/status")).map(Self)
    }

    /// Of the calling thread.
    ///
    /// # Errors
    /// Where `/proc` isn't mounted.
    pub fn of_this_thread() -> io::Result<Self> {
        fs::read("/proc/thread-self/status").map(Self)
    }

    /// What was read of such a file.
    pub fn parse(content: impl Into<Vec<u8>>) -> Self {
        Self(content.into())
    }

    /// The value of a field, such as `Name`; `None` if there is no such line.
    pub fn field(&self, name: &str) -> Option<&[u8]> {
        // Bytes: the first line holds the program's name, which may be any but a line's end.
        let mut lines = self.0.split(|byte| *byte == b'\n');
        let value = lines.find_map(|line| {
            let value = line.strip_prefix(name.as_bytes())?;
            value.strip_prefix(b":")
        });
        value.map(<[u8]>::trim_ascii)
    }

    /// The first number of a field.
    pub fn number<T: FromStr>(&self, name: &str) -> Option<T> {
        let mut words = self.field(name)?.split(u8::is_ascii_whitespace);
        std::str::from_utf8(words.next()?).ok()?.parse().ok()
    }

    /// The bytes of a field that the kernel states in kB.
    pub fn bytes(&self, name: &str) -> Option<u64> {
        kib_field(&self.0, format!("{name}:").as_bytes())
    }

    /// The signals of a field such as `SigCgt`: bit n−1 for signal n.
    pub fn signals(&self, name: &str) -> Option<u64> {
        self.mask(name)
    }

    /// The capabilities of a field such as `CapEff`: bit n for capability n.
    pub fn capabilities(&self, name: &str) -> Option<u64> {
        self.mask(name)
    }

    fn mask(&self, name: &str) -> Option<u64> {
        u64::from_str_radix(std::str::from_utf8(self.field(name)?).ok()?, 16).ok()
    }

    /// `R`, `S`, `D`, `T`, `t`, `Z`, `X` …; `?` if that isn't told.
    pub fn state(&self) -> char {
        let first = self.field("State").and_then(<[u8]>::first);
        first.map_or('?', |&state| state.into())
    }

    /// Whether it is a zombie or dead.
    pub fn has_ended(&self) -> bool {
        matches!(self.state(), 'Z' | 'X' | 'x')
    }

    /// The thread that traces it; `None` for none, or none that is visible here.
    pub fn tracer(&self) -> Option<i32> {
        self.number("TracerPid").filter(|&tracer| tracer != 0)
    }

    /// The process of that thread, which `ps` and `kill` know.
    pub fn tracing_process(&self) -> Option<i32> {
        let tracer = self.tracer()?;
        let status = Self::of(tracer).ok();
        Some(status.and_then(|status| status.number("Tgid")).unwrap_or(tracer))
    }
}

/// The value of the line of `status`, `smaps_rollup` or `meminfo` that starts with `name` (such as `VmRSS:`, colon included), in bytes.
///
/// The kernel's "kB" are 1,024 bytes (`fs/proc/task_mmu.c`, `SEQ_PUT_DEC` after a shift by 10).
/// `None` when there is no such line, its unit is another, or the value overflows.
pub fn kib_field(content: &[u8], name: &[u8]) -> Option<u64> {
    let line = content.split(|&byte| byte == b'\n').find(|line| line.starts_with(name))?;
    let value = line[name.len()..].trim_ascii().strip_suffix(b" kB")?;
    std::str::from_utf8(value).ok()?.parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_any_kind() {
        let status = Status::parse(
            "Name:\ta: b\nState:\tT (stopped)\nTgid:\t12\nTracerPid:\t0\nUid:\t7\t8\t9\t10\n\
             VmRSS:\t      12 kB\nSigCgt:\t0000000180000101\n",
        );
        assert_eq!(status.field("Name"), Some(&b"a: b"[..]));
        assert_eq!((status.state(), status.has_ended()), ('T', false));
        assert_eq!(status.number("Tgid"), Some(12));
        assert_eq!(status.number::<u32>("Uid"), Some(7));
        assert_eq!(status.tracer(), None);
        assert_eq!(status.bytes("VmRSS"), Some(12 * 1024));
        assert_eq!(status.signals("SigCgt"), Some(0x1_8000_0101));
        assert_eq!(status.field("Nam"), None);
        assert_eq!(status.number::<i32>("Name"), None);
    }

    #[test]
    fn this_thread() {
        let here = Status::of_this_thread().unwrap();
        assert_eq!(here.number("Tgid"), Some(std::process::id()));
        let pid = std::process::id() as i32;
        assert_eq!(Status::of(pid).unwrap().number("Pid"), Some(pid));
        assert!(Status::of_thread(pid, pid).is_ok());
        assert!(Status::of(i32::MAX).is_err());
        assert_eq!(Status::parse("").state(), '?');
    }

    const ROLLUP: &[u8] = b"55d-7ff ---p 00000000 00:00 0    [rollup]\n\
        Rss:                1716 kB\nPss:                 471 kB\nPss_Dirty:           112 kB\n\
        Private_Clean:        68 kB\nLong: 18014398509481984 kB\nOdd: 3\nLast:\t5 kB";

    #[test]
    fn kb_become_bytes() {
        assert_eq!(kib_field(ROLLUP, b"Rss:"), Some(1716 * 1024));
        assert_eq!(kib_field(ROLLUP, b"Pss:"), Some(471 * 1024));
        assert_eq!(kib_field(ROLLUP, b"Last:"), Some(5 * 1024));
    }

    #[test]
    fn what_is_not_there_is_none() {
        for name in ["Swap:", "Odd:", "Long:", "ss:"] {
            assert_eq!(kib_field(ROLLUP, name.as_bytes()), None, "{name}");
        }
        assert_eq!(kib_field(b"", b"Rss:"), None);
        assert_eq!(kib_field(b"Rss: -1 kB", b"Rss:"), None);
    }
}

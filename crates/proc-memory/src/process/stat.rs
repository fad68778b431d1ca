//! `/proc/PID/stat`: what the kernel tells of a process in one line, much of it to everybody.
//!
//! References: `proc_pid_stat(5)`, whose field numbers are used here; `fs/proc/array.c`
//! (`do_task_stat`).

/// `PF_KTHREAD` in field 9 (`include/linux/sched.h`).
const KERNEL_THREAD: u64 = 0x0020_0000;
/// `PF_EXITING`, likewise: set before the process gives up its memory, which may take a while until
/// it is a zombie.
const EXITING: u64 = 0x4;

/// A process at one moment, as its `stat` tells.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stat {
    /// The command name, at most 15 bytes for a program; any bytes but a zero may be in it.
    pub comm: Vec<u8>,
    /// Field 3: one letter, as [`Status::state`](super::Status::state) has it.
    pub state: u8,
    /// The parent's number; 0 for one without, or with one outside this pid namespace.
    pub parent: i32,
    flags: u64,
    /// Field 10: page faults served without reading from a disk, all threads.
    pub minor_faults: u64,
    /// Field 12: page faults that had to wait for a disk, all threads.
    pub major_faults: u64,
    /// How many threads it has.
    pub threads: u64,
    /// When it started, in clock ticks since the machine did.
    pub started_ticks: u64,
    /// All that is mapped, in bytes.
    pub address_space_bytes: u64,
    /// Resident pages. The kernel keeps this count in pieces, so that it may be off by some pages
    /// for each processor.
    pub rss_pages: u64,
    /// Field 28 (start of the stack) and 47 (start of the heap): both are chosen at exec, so
    /// together they tell one program image from the next. All zero without permission.
    pub image: [u64; 2],
    /// Field 52: how it ended, as a wait status; 0 without permission, and while it runs.
    pub exit_status: i32,
    /// Fields 45 and 46: from the start to the end of the program's data, in bytes; 0 without
    /// permission.
    pub program_data_bytes: u64,
}

impl Stat {
    /// Of a thread of a process; `None` if it isn't there.
    pub fn of_thread(pid: i32, tid: i32) -> Option<Self> {
        Self::parse(&std::fs::read(format!("/proc/{pid}/task/{tid}/stat")).ok()?)
    }

    /// Reads one line; `None` when a field is missing or is no number.
    ///
    /// The command name stands in parentheses and may itself hold spaces and parentheses; no
    /// later field does, so the last `)` ends it.
    pub fn parse(line: &[u8]) -> Option<Self> {
        let name_start = line.iter().position(|&byte| byte == b'(')? + 1;
        let name_end = line.iter().rposition(|&byte| byte == b')')?;
        let comm = line.get(name_start..name_end)?.to_owned();
        let rest = std::str::from_utf8(&line[name_end + 1..]).ok()?;
        let mut fields = rest.split_ascii_whitespace();
        let mut number = 3;
        // Fields are asked for in rising order.
        let mut field = |wanted: usize| {
            let value = fields.nth(wanted - number);
            number = wanted + 1;
            value
        };
        let state = *field(3)?.as_bytes().first()?;
        let parent = field(4)?.parse().ok()?;
        let mut figure = |wanted| field(wanted)?.parse().ok();
        let flags = figure(9)?;
        let (minor_faults, major_faults) = (figure(10)?, figure(12)?);
        let threads = figure(20)?;
        let started_ticks = figure(22)?;
        let (address_space_bytes, rss_pages) = (figure(23)?, figure(24)?);
        let start_of_stack = figure(28)?;
        let (start_of_data, end_of_data): (u64, u64) = (figure(45)?, figure(46)?);
        let start_of_heap = figure(47)?;
        let exit_status = field(52)?.parse().ok()?;
        Some(Self {
            comm,
            state,
            parent,
            flags,
            minor_faults,
            major_faults,
            threads,
            started_ticks,
            address_space_bytes,
            rss_pages,
            image: [start_of_stack, start_of_heap],
            exit_status,
            program_data_bytes: end_of_data.saturating_sub(start_of_data),
        })
    }

    /// The command name as text; what isn't UTF-8 is replaced.
    pub fn name(&self) -> String {
        String::from_utf8_lossy(&self.comm).into_owned()
    }

    /// Whether the process (its main thread) is a zombie or dead, or about to be.
    pub fn has_ended(&self) -> bool {
        matches!(self.state, b'Z' | b'X' | b'x') || self.flags & EXITING != 0
    }

    /// Whether its main thread was stopped, by a signal or by a debugger.
    pub fn is_stopped(&self) -> bool {
        matches!(self.state, b'T' | b't')
    }

    /// Whether this is a thread of the kernel's own.
    pub fn is_kernel_thread(&self) -> bool {
        self.flags & KERNEL_THREAD != 0
    }

    /// Whether the process runs but has no heap yet: it has given up its old memory for a new
    /// program's, which is being loaded. (Without permission to see more it looks the same.)
    pub fn is_between_programs(&self) -> bool {
        self.start_brk().is_none() && !self.is_kernel_thread() && !self.has_ended()
    }

    /// Where the heap starts; `None` when the kernel does not say (no permission, no memory).
    pub fn start_brk(&self) -> Option<u64> {
        Some(self.image[1]).filter(|&address| address != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::Stat;

    const LINE: &str = "17054 (cat) R 17048 17048 15088 0 -1 4194304 99 0 3 0 0 0 0 0 20 0 1 0 \
        119689 3133440 381 18446744073709551615 94349851729920 94349851749801 140728295818208 0 0 \
        0 0 0 0 0 0 0 17 1 0 0 0 0 0 94349851765808 94349851767424 94350001696768 \
        140728295824096 140728295824116 140728295824116 140728295825387 0\n";

    #[test]
    fn fields_are_those_of_the_manual() {
        let stat = Stat::parse(LINE.as_bytes()).unwrap();
        assert_eq!((stat.minor_faults, stat.major_faults, stat.threads), (99, 3, 1));
        assert_eq!((&*stat.comm, stat.parent), (&b"cat"[..], 17048));
        assert_eq!((stat.started_ticks, stat.rss_pages), (119_689, 381));
        assert_eq!(stat.address_space_bytes, 3_133_440);
        assert_eq!(stat.start_brk(), Some(94_350_001_696_768));
        assert_eq!(stat.program_data_bytes, 94_349_851_767_424 - 94_349_851_765_808);
        assert!(!stat.has_ended() && !stat.is_kernel_thread());
    }

    #[test]
    fn a_name_may_hold_anything() {
        for name in ["a b", ") R 1 (", ") Z 9 9", "\u{fffd} \n", ""] {
            let line = LINE.replace("(cat)", &format!("({name})"));
            let wanted =
                Stat { comm: name.as_bytes().to_vec(), ..Stat::parse(LINE.as_bytes()).unwrap() };
            assert_eq!(Stat::parse(line.as_bytes()), Some(wanted), "{name:?}");
        }
    }

    #[test]
    fn one_that_gives_up_its_memory_has_ended() {
        let exiting = LINE.replace(" 4194304 ", " 4194308 ");
        assert!(Stat::parse(exiting.as_bytes()).unwrap().has_ended());
    }

    #[test]
    fn a_short_line_is_refused() {
        let start_brk = LINE.find("94350001696768").unwrap();
        for length in 0..=start_brk {
            assert_eq!(Stat::parse(&LINE.as_bytes()[..length]), None, "{length}");
        }
        assert_eq!(Stat::parse(b"1 (init) S 0"), None);
        assert_eq!(Stat::parse(b""), None);
    }
}

//! The process that is to be watched: whether it can be, and what threads it has.

use std::fs;
use std::os::unix::fs::MetadataExt;

use super::AttachError;

/// What `/proc/PID` says of a process.
#[derive(Clone, Debug)]
struct Standing {
    process: i32,
    parent: i32,
    tracer: i32,
    state: u8,
    threads: u64,
    kernel_thread: bool,
}

/// Refuses what can't be watched whatever the means.
pub(super) fn check(pid: i32) -> Result<(), AttachError> {
    let standing = standing(pid).ok_or(AttachError::NoSuchProcess { pid })?;
    if standing.process == std::process::id() as i32 {
        Err(AttachError::Itself { pid })
    } else if standing.process != pid {
        let process = standing.process;
        Err(AttachError::NotAProcess { pid, process })
    } else if standing.kernel_thread {
        Err(AttachError::KernelThread { pid })
    } else if matches!(standing.state, b'Z' | b'X') && standing.threads <= 1 {
        let parent = standing.parent;
        Err(AttachError::Zombie { pid, parent })
    } else {
        Ok(())
    }
}

/// Refuses a process that has a tracer, or that the watcher itself waits for: with parent and
/// tracer in one process, whichever thread waits first takes the report of its end.
pub(super) fn check_untraced(pid: i32) -> Result<(), AttachError> {
    match standing(pid) {
        Some(Standing { parent, .. }) if parent == std::process::id() as i32 => {
            Err(AttachError::OwnChild { pid })
        }
        Some(Standing { tracer, .. }) if tracer != 0 => Err(AttachError::AlreadyTraced {
            pid,
            tracer,
            tracer_name: fs::read(format!("/proc/{tracer}/comm")).map_or_else(
                |_| "its name is hidden".into(),
                |name| String::from_utf8_lossy(name.trim_ascii()).into_owned(),
            ),
        }),
        _ => Ok(()),
    }
}

/// Threads of a process in the order of their birth, and whether nobody is missing; none if the
/// process is gone.
///
/// The list ends early, without a word, where a thread is released while the kernel goes on from
/// it to the next. One that was there before the threads were counted and isn't in a list which
/// is cut so was born after all in it: then the list is shorter than that count.
///
/// # References
/// `next_tid`, `proc_task_readdir` and `proc_task_getattr` in Linux 6.18's `fs/proc/base.c`
pub(super) fn threads(pid: i32) -> (Vec<i32>, bool) {
    let path = format!("/proc/{pid}/task");
    let links = fs::metadata(&path).map_or(0, |task| task.nlink());
    let count = links.saturating_sub(2) as usize;
    let list = fs::read_dir(path).into_iter().flatten();
    let threads: Vec<_> = list
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect();
    let whole = threads.len() >= count;
    (threads, whole)
}

/// Whether a process is there and hasn't ended.
pub(super) fn is_alive(pid: i32) -> bool {
    standing(pid).is_some_and(|it| !matches!(it.state, b'Z' | b'X') || it.threads > 1)
}

/// How a process ended that its parent hasn't reaped yet, as a wait status.
///
/// # References
/// proc_pid_stat(5), field 52
pub(super) fn zombie_status(pid: i32) -> Option<i32> {
    let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
    let after_name = stat.iter().rposition(|&byte| byte == b')')? + 1;
    let rest = std::str::from_utf8(&stat[after_name..]).ok()?;
    let mut fields = rest.split_ascii_whitespace();
    if !matches!(fields.next()?, "Z" | "X") {
        return None;
    }
    fields.nth(52 - 4)?.parse().ok()
}

/// Whether a process runs a program of another word size than this one.
pub(super) fn is_foreign(pid: i32) -> bool {
    use std::io::Read;
    let mut head = [0; 20];
    let file = fs::File::open(format!("/proc/{pid}/exe"));
    let read = file.and_then(|mut file| file.read_exact(&mut head));
    // Class at 4 (2 for 64 bits), machine at 18.
    const MACHINE: u16 = if cfg!(target_arch = "x86_64") {
        62
    } else {
        183
    };
    read.is_ok() && (head[4] != 2 || u16::from_le_bytes([head[18], head[19]]) != MACHINE)
}

fn standing(pid: i32) -> Option<Standing> {
    const KERNEL_THREAD: u64 = 0x0020_0000;
    if pid <= 0 {
        return None;
    }
    // Bytes: the first line holds the program's name, which may be any.
    let status = fs::read(format!("/proc/{pid}/status")).ok()?;
    let field = |name: &str| -> Option<i32> {
        let mut lines = status.split(|byte| *byte == b'\n');
        let value = lines.find_map(|line| line.strip_prefix(name.as_bytes()))?;
        std::str::from_utf8(value).ok()?.trim().parse().ok()
    };
    let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
    let after_name = stat.iter().rposition(|&byte| byte == b')')? + 1;
    let rest = std::str::from_utf8(&stat[after_name..]).ok()?;
    let mut fields = rest.split_ascii_whitespace();
    let state = *fields.next()?.as_bytes().first()?;
    let flags: u64 = fields.nth(9 - 4)?.parse().ok()?;
    Some(Standing {
        process: field("Tgid:")?,
        parent: field("PPid:")?,
        tracer: field("TracerPid:")?,
        threads: field("Threads:").unwrap_or(1) as u64,
        state,
        kernel_thread: flags & KERNEL_THREAD != 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_refused() {
        let here = std::process::id() as i32;
        assert!(matches!(check(here), Err(AttachError::Itself { .. })));
        let this = fs::read_link("/proc/thread-self").unwrap();
        let tid = this.file_name().unwrap().to_str().unwrap().parse().unwrap();
        assert!(threads(here).0.contains(&tid));
        assert!(matches!(check(tid), Err(AttachError::Itself { .. })));
        for nobody in [0, -1, i32::MAX] {
            let found = check(nobody);
            assert!(matches!(found, Err(AttachError::NoSuchProcess { .. })));
        }
        assert!(is_alive(here) && !is_foreign(here));
        assert_eq!(zombie_status(here), None);
    }

    #[test]
    fn a_zombies_status() {
        let mut child = std::process::Command::new("sh")
            .args(["-c", "exit 7"])
            .spawn()
            .unwrap();
        let pid = child.id() as i32;
        while is_alive(pid) {
            std::thread::yield_now();
        }
        assert_eq!(zombie_status(pid), Some(7 << 8));
        assert!(matches!(check(pid), Err(AttachError::Zombie { .. })));
        child.wait().unwrap();
    }
}

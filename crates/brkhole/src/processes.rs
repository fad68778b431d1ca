//! The processes that are visible, what `/proc` has of them, and how they are told.

pub(crate) mod cgroup;

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::{fs, io};

/// Of several that match, so many are told.
const MOST_TOLD: usize = 10;

/// What a process calls itself: its arguments, unless it has put something else in their place.
pub(crate) fn command_line(pid: i32) -> Option<Vec<OsString>> {
    let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let words = line.split(|byte| *byte == 0);
    let words = words.filter(|word| !word.is_empty()).map(|word| OsString::from_vec(word.to_vec()));
    let words: Vec<_> = words.collect();
    (!words.is_empty()).then_some(words)
}

/// What `/proc` has of a process in this file; nothing, once it has ended.
pub(crate) fn of_process(pid: i32, file: &str) -> Vec<u8> {
    fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default()
}

/// The processes that are visible now, by number.
///
/// # Errors
/// When `/proc` can't be listed.
pub(crate) fn all_pids() -> io::Result<Vec<i32>> {
    let mut pids = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        pids.extend(name.to_str().and_then(|name| name.parse::<i32>().ok()));
    }
    pids.sort_unstable();
    Ok(pids)
}

/// `PID 12`, `PIDs 12, 13`.
pub(crate) fn listed(pids: &[i32]) -> String {
    let plural = if pids.len() == 1 { "" } else { "s" };
    format!("PID{plural} {}", numbers(pids))
}

/// `process 12`, `2 processes (12, 13)`.
pub(crate) fn counted(pids: &[i32]) -> String {
    match pids {
        [pid] => format!("process {pid}"),
        pids => format!("{} processes ({})", pids.len(), numbers(pids)),
    }
}

fn numbers(pids: &[i32]) -> String {
    let told: Vec<_> = pids.iter().take(MOST_TOLD).map(i32::to_string).collect();
    let more = if pids.len() > MOST_TOLD { ", …" } else { "" };
    told.join(", ") + more
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_among_all() {
        let own = std::process::id() as i32;
        assert!(all_pids().unwrap().contains(&own));
    }

    #[test]
    fn numbers() {
        assert_eq!(counted(&[12]), "process 12");
        assert_eq!(counted(&[12, 13]), "2 processes (12, 13)");
        assert_eq!(listed(&[12]), "PID 12");
        assert_eq!(listed(&[12, 13]), "PIDs 12, 13");
        assert!(listed(&[1; MOST_TOLD + 1]).ends_with("1, …"));
    }
}

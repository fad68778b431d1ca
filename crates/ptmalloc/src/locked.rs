//! Memory that a process has locked. `madvise(MADV_DONTNEED)` refuses to give it back.
//!
//! # References
//! mlock(2), madvise(2); `proc_pid_smaps(5)`, `VmFlags`

use std::io::{BufRead, BufReader};
use std::ops::Range;

use super::deadline::Deadline;
use super::memory::Unreadable;
use procmem::Process;
use procmem::parse_line;

/// Locked mappings, in rising order. Most processes have none, which is one short file to read.
///
/// # Errors
/// If the list of the others' takes too long to read.
pub(super) fn locked(
    process: &Process,
    deadline: &Deadline,
) -> Result<Vec<Range<u64>>, Unreadable> {
    let Ok(status) = process.whole("status") else {
        return Ok(Vec::new());
    };
    if procmem::kib_field(&status, b"VmLck:") == Some(0) {
        return Ok(Vec::new());
    }
    let file = process.file("smaps").ok();
    let list = file.map(|file| flagged(BufReader::new(file), deadline));
    list.unwrap_or_else(|| Ok(Vec::new()))
}

fn flagged(mut list: impl BufRead, deadline: &Deadline) -> Result<Vec<Range<u64>>, Unreadable> {
    let mut locked = Vec::new();
    let mut mapping = 0..0;
    let mut line = Vec::new();
    while list
        .read_until(b'\n', &mut line)
        .is_ok_and(|length| length > 0)
    {
        if let Some(flags) = line.strip_prefix(b"VmFlags:") {
            if flags
                .split(u8::is_ascii_whitespace)
                .any(|flag| flag == b"lo")
            {
                locked.push(mapping.clone());
            }
        } else if let Ok(found) = parse_line(&line) {
            deadline.check()?;
            mapping = found.start..found.end;
        }
        line.clear();
    }
    Ok(locked)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::ExaminationLimits;

    #[test]
    fn locked_mappings_have_a_flag() {
        let list = "\
00400000-00401000 rw-p 00000000 fe:00 7    /bin/lo
Size:                  4 kB
VmFlags: rd wr mr mw me ac sd
00402000-00404000 rw-p 00000000 00:00 0
Locked:                8 kB
VmFlags: rd wr mr mw me lo ac sd
00404000-00405000 rw-p 00000000 00:00 0
VmFlags: rd wr
";
        let deadline = Deadline::new(ExaminationLimits::WHOLE, None);
        let locked = flagged(list.as_bytes(), &deadline).unwrap();
        assert_eq!((locked.len(), &locked[0]), (1, &(0x40_2000..0x40_4000)));
    }
}

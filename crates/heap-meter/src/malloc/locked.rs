//! Memory that a process has locked. `madvise(MADV_DONTNEED)` refuses to give it back.
//!
//! # References
//! mlock(2), madvise(2); `proc_pid_smaps(5)`, `VmFlags`

use std::io::{BufRead, BufReader};
use std::ops::Range;

use crate::address_space::parse_line;
use crate::process::Process;
use crate::snapshot::fields;

/// Locked mappings, in rising order. Most processes have none, which is one short file to read.
pub(super) fn locked(process: &Process) -> Vec<Range<u64>> {
    let Ok(status) = process.whole("status") else {
        return Vec::new();
    };
    if fields::bytes(&status, b"VmLck:") == Some(0) {
        return Vec::new();
    }
    let file = process.file("smaps").ok();
    file.map_or_else(Vec::new, |file| flagged(BufReader::new(file)))
}

fn flagged(mut list: impl BufRead) -> Vec<Range<u64>> {
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
            mapping = found.start..found.end;
        }
        line.clear();
    }
    locked
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let locked = flagged(list.as_bytes());
        assert_eq!((locked.len(), &locked[0]), (1, &(0x40_2000..0x40_4000)));
    }
}

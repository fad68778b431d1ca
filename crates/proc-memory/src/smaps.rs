//! How much of each mapping is in memory.

use std::io::{BufRead, BufReader};

use crate::address_space::{Mapping, of_one_program, parse_line};
use crate::process::{Process, ProcessError, kib_field};

/// Bytes of one process's names that are kept: more than the kernel's default of mappings can have.
const MOST_NAME_BYTES: usize = 32 << 20;
/// Mappings that are kept.
const MOST_MAPPINGS: usize = 1 << 20;

/// A mapping, and what the kernel counts in its page tables. All sizes are bytes.
///
/// # References
/// `proc_pid_smaps(5)`; `fs/proc/task_mmu.c`, `__show_smap`
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct WeighedMapping {
    /// Where it is, and what.
    pub mapping: Mapping,
    /// Resident pages, shared ones counted in full.
    pub rss_bytes: u64,
    /// Those of them that no other process maps: what the machine would get back.
    pub private_bytes: u64,
    /// Those of them that are no file's: pages of a private file that were written to are in it.
    pub anonymous_bytes: u64,
    /// Pages in swap.
    pub swap_bytes: u64,
    /// Those of the resident ones that are in transparent huge pages.
    pub huge_bytes: u64,
    /// Pages of the hugetlb file system, which the kernel does not count as resident.
    pub hugetlb_bytes: u64,
}

impl WeighedMapping {
    /// All of a process, lowest first, by one reading of its `smaps`.
    ///
    /// # Errors
    /// When `smaps` can't be read: see [`AddressSpace::of`](crate::AddressSpace::of).
    pub fn all(process: &Process) -> Result<Vec<Self>, ProcessError> {
        of_one_program(process, None, |_, _| {
            let list = BufReader::with_capacity(1 << 16, process.file("smaps")?);
            let found = Self::parse(list);
            found.map_err(|flaw| match flaw {
                Flaw::Io(error) => process.explain("smaps", error),
                Flaw::Format(what) => process.malformed("smaps", what),
            })
        })
    }

    fn parse(mut list: impl BufRead) -> Result<Vec<Self>, Flaw> {
        let mut all: Vec<Self> = Vec::new();
        let mut names = 0;
        let mut line = Vec::new();
        while list.read_until(b'\n', &mut line).map_err(Flaw::Io)? > 0 {
            // A line begins with an address, which has small letters, or with a field's name.
            if line.first().is_some_and(u8::is_ascii_uppercase) {
                let last = all.last_mut().ok_or(Flaw::Format("a field precedes all mappings"))?;
                last.take(&line);
            } else {
                let mapping = parse_line(&line).map_err(Flaw::Format)?.to_owned();
                names += mapping.name.len();
                if names > MOST_NAME_BYTES || all.len() == MOST_MAPPINGS {
                    return Err(Flaw::Format("it has more mappings than are read"));
                }
                all.push(Self::of(mapping));
            }
            line.clear();
        }
        Ok(all)
    }

    fn of(mapping: Mapping) -> Self {
        Self {
            mapping,
            rss_bytes: 0,
            private_bytes: 0,
            anonymous_bytes: 0,
            swap_bytes: 0,
            huge_bytes: 0,
            hugetlb_bytes: 0,
        }
    }

    fn take(&mut self, line: &[u8]) {
        let length = line.iter().position(|&byte| byte == b':').map_or(0, |colon| colon + 1);
        let name = &line[..length];
        let field = match name {
            b"Rss:" => &mut self.rss_bytes,
            b"Private_Clean:" | b"Private_Dirty:" => &mut self.private_bytes,
            b"Anonymous:" => &mut self.anonymous_bytes,
            b"Swap:" => &mut self.swap_bytes,
            b"AnonHugePages:" | b"ShmemPmdMapped:" | b"FilePmdMapped:" => &mut self.huge_bytes,
            b"Shared_Hugetlb:" | b"Private_Hugetlb:" => &mut self.hugetlb_bytes,
            _ => return,
        };
        *field += kib_field(line, name).unwrap_or(0);
    }
}

enum Flaw {
    Io(std::io::Error),
    Format(&'static str),
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &[u8] = b"55d0-7ff0 rw-p 00000000 00:00 0    [heap]\n\
        Size:                 12 kB\nRss:                   8 kB\nPss:                   6 kB\n\
        Shared_Clean:          0 kB\nPrivate_Clean:         1 kB\nPrivate_Dirty:         3 kB\n\
        Anonymous:             5 kB\nAnonHugePages:         2 kB\nPrivate_Hugetlb:       7 kB\n\
        Swap:                  4 kB\nSwapPss:               4 kB\nVmFlags: rd wr \n\
        ffff0-ffff9 r-xp 00000000 00:00 0 \nRss:    1 kB\n";

    #[test]
    fn each_field_goes_where_it_belongs() {
        let Ok(all) = WeighedMapping::parse(LIST) else { panic!("it is a list") };
        let [first, second] = &all[..] else { panic!("{all:?}") };
        assert!(first.mapping.is_heap() && second.mapping.start == 0xffff0);
        assert_eq!((first.rss_bytes, first.private_bytes), (8 << 10, 4 << 10));
        assert_eq!((first.anonymous_bytes, first.swap_bytes), (5 << 10, 4 << 10));
        assert_eq!((first.huge_bytes, first.hugetlb_bytes), (2 << 10, 7 << 10));
        assert_eq!((second.rss_bytes, second.swap_bytes), (1 << 10, 0));
    }

    #[test]
    fn what_is_no_list_is_refused() {
        assert!(WeighedMapping::parse(&b"Rss: 1 kB\n"[..]).is_err());
        assert!(WeighedMapping::parse(&b"nonsense\n"[..]).is_err());
        assert!(WeighedMapping::parse(&b""[..]).is_ok_and(|all| all.is_empty()));
    }
}

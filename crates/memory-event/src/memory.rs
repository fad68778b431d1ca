//! What a process had before it asked for anything.

use std::ops::Range;

use proc_memory::{AddressSpace, Mapping, ProgramBreak, joined_ranges};

/// The private writable memory of a process at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Memory {
    /// By address, in rising order, neighbours as one; without the main thread's stack, which
    /// grows by itself.
    pub ranges: Vec<Range<u64>>,
    /// Where the program break is, rounded up to a page; `None` if it could not be found.
    pub program_break: Option<u64>,
    /// The files of which a part is mapped to be executed: the program itself and its libraries.
    pub executed_files: Vec<Vec<u8>>,
}

impl Memory {
    /// Private writable memory of the process `pid`, and its break. `None` if it can't be read: the
    /// process has ended, or is somebody else's.
    ///
    /// It is of one moment only if the process stands still.
    ///
    /// # References
    /// proc_pid_maps(5); `is_data_mapping` in `mm/mmap.c`: what `RLIMIT_DATA` and `VmData` count
    pub fn of(pid: i32) -> Option<Self> {
        AddressSpace::of(pid).ok().map(|space| Self::in_space(&space))
    }

    fn in_space(space: &AddressSpace) -> Self {
        Self {
            ranges: merged(space.mappings()),
            program_break: space.program_break().map(|ProgramBreak { end, .. }| *end),
            executed_files: executed(space.mappings()),
        }
    }
}

fn executed(mappings: &[Mapping]) -> Vec<Vec<u8>> {
    let executed = mappings.iter();
    let executed = executed.filter(|mapping| mapping.permissions.execute && mapping.inode != 0);
    let mut files: Vec<_> = executed.map(|mapping| mapping.name.to_vec()).collect();
    files.dedup();
    files
}

fn merged(mappings: &[Mapping]) -> Vec<Range<u64>> {
    let counts = |mapping: &&Mapping| {
        mapping.permissions.write && !mapping.permissions.shared && !mapping.is_stack()
    };
    joined_ranges(mappings.iter().filter(counts).map(|mapping| mapping.start..mapping.end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_and_writable_and_not_the_stack() {
        let list = "\
00400000-00401000 r-xp 00000000 fe:00 7    /bin/x
00401000-00402000 rw-p 00001000 fe:00 7    /bin/x
00402000-00404000 rw-p 00000000 00:00 0
00404000-00405000 r--p 00000000 00:00 0    [heap]
00405000-00407000 rw-p 00000000 00:00 0    [heap]
7f0000000000-7f0000001000 rw-s 00000000 00:05 3    /dev/zero (deleted)
7f0000001000-7f0000003000 rwxp 00000000 00:00 0
7ffd00000000-7ffd00021000 rw-p 00000000 00:00 0    [stack]
7ffd00030000-7ffd00034000 r--p 00000000 00:00 0    [vvar]
7ffd00034000-7ffd00036000 r-xp 00000000 00:00 0    [vdso]
";
        let wanted =
            [0x40_1000..0x40_4000, 0x40_5000..0x40_7000, 0x7f00_0000_1000..0x7f00_0000_3000];
        let memory = Memory::in_space(&AddressSpace::parse(list.as_bytes(), None).unwrap());
        assert_eq!(memory.ranges, wanted);
        assert_eq!(memory.program_break, Some(0x40_7000));
        assert_eq!(memory.executed_files, [b"/bin/x"]);
    }

    #[test]
    fn a_process_that_is_none_tells_nothing() {
        assert_eq!(Memory::of(0), None);
    }

    #[test]
    fn memory_of_this_process_holds_what_it_writes_to() {
        let block = vec![1_u8; 1 << 20];
        let address = block.as_ptr() as u64;
        let memory = Memory::of(std::process::id() as i32).unwrap().ranges;
        assert!(memory.iter().any(|range| range.contains(&address)));
        assert!(memory.is_sorted_by(|a, b| a.end < b.start));
    }
}

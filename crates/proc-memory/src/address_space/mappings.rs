//! The mappings of a living process: asked for one by one where the kernel answers that, taken from
//! the whole list where it doesn't, or where so many are wanted that the list costs less.

use std::fs::File;
use std::io::{self, BufReader};

use serde::Serialize;

use super::mapping::Mapping;
use super::program_break::{BreakFinder, ProgramBreak};
use super::query::{Kind, MappingQuery, MemoryRange, QueryError};
use super::reader::{Maps, MapsError};
use crate::page_size_bytes;
use crate::process::{Process, ProcessError};

/// So many queries are cheaper than the list of whoever has so many mappings. Past that the list is:
/// it costs less for each.
const MOST_QUERIES: usize = 500;

/// Memory for one process's list: enough for some 250,000 mappings, but not for as many with names of
/// 4096 bytes.
const MOST_LIST_BYTES: usize = 32 << 20;

/// What the kernel calls anonymous memory in huge pages of the hugetlb file system.
const HUGE: &[u8] = b"/anon_hugepage";

/// How mappings were learnt of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum FoundBy {
    /// By `PROCMAP_QUERY`, which Linux has since 6.11.
    ProcmapQuery,
    /// By reading the whole of `/proc/PID/maps`: the kernel is older, or there was more to ask than
    /// is worth a query each.
    Maps,
}

/// The mappings of the memory that a process has at the moment at which they are opened; after an
/// exec every question fails.
#[derive(Debug)]
pub struct Mappings {
    query: MappingQuery,
    asked: usize,
    /// All of them, once the list was read.
    list: Option<Vec<Mapping>>,
}

impl Mappings {
    /// Those of a process.
    pub fn of(process: &Process) -> Result<Self, ProcessError> {
        Ok(Self::of_list(process.file("maps")?))
    }

    /// This process's own.
    pub fn own() -> io::Result<Self> {
        Ok(Self::of_list(File::open("/proc/self/maps")?))
    }

    /// Those of an open `/proc/PID/maps`, or of a copy of one, for which no kernel answers queries.
    pub fn of_list(list: File) -> Self {
        Self { query: MappingQuery::new(list), asked: 0, list: None }
    }

    /// How they are learnt of by now.
    pub fn found_by(&self) -> FoundBy {
        match self.list {
            None => FoundBy::ProcmapQuery,
            Some(_) => FoundBy::Maps,
        }
    }

    /// The break, whose heap starts at `start_brk`; without that it is found only if some of it is
    /// called `[heap]`. `None` too where nothing is mapped any more.
    pub fn program_break(
        &mut self,
        start_brk: Option<u64>,
    ) -> Result<Option<ProgramBreak>, MapsError> {
        if let Some(start) = start_brk {
            let mut finder = BreakFinder::new(start_brk);
            let (mut address, mut kind) = (start, Kind::Any);
            while self.list.is_none() {
                let next = self.asked(|query| {
                    let next = query.at_or_above(address, kind)?;
                    Ok(next.map(|mapping| {
                        finder.see(&mapping);
                        // What ends the heap is known then, unless there is more of it.
                        kind = match mapping.is_heap() {
                            true => Kind::Any,
                            false => Kind::Writable,
                        };
                        (mapping.end, is_above_heap(&mapping))
                    }))
                })?;
                match next {
                    Some(Some((end, false))) => address = end,
                    Some(_) => return Ok(finder.finish()),
                    None => {}
                }
            }
        }
        let mut finder = BreakFinder::new(start_brk);
        let list = self.listed()?;
        list.iter().for_each(|mapping| finder.see(mapping));
        let found = finder.finish().filter(|_| !list.is_empty());
        Ok(found)
    }

    /// The first mapping at or above an address that a file has variables in: private, writable.
    pub fn data_of_file(&mut self, address: u64) -> Result<Option<Mapping>, MapsError> {
        let is_data = |mapping: &Mapping| {
            let allowed = mapping.permissions;
            allowed.read && allowed.write && !allowed.shared && mapping.inode != 0
        };
        let mut address = address;
        while self.list.is_none() {
            match self.next(address, Kind::WritableFile)? {
                Some(Some(mapping)) if !is_data(&mapping) => address = mapping.end,
                Some(found) => return Ok(found),
                None => {}
            }
        }
        let list = self.listed()?;
        let mut rest = list[from(list, address)..].iter();
        Ok(rest.find(|mapping| is_data(mapping)).cloned())
    }

    /// The mapping that an address lies in.
    pub fn at(&mut self, address: u64) -> Result<Option<Mapping>, MapsError> {
        let found = self.at_or_above(address)?;
        Ok(found.filter(|mapping| mapping.start <= address))
    }

    /// The mapping that an address lies in or, if there is none, the first above it.
    pub fn at_or_above(&mut self, address: u64) -> Result<Option<Mapping>, MapsError> {
        if let Some(found) = self.next(address, Kind::Any)? {
            return Ok(found);
        }
        let list = self.listed()?;
        Ok(list.get(from(list, address)).cloned())
    }

    fn next(&mut self, address: u64, kind: Kind) -> Result<Option<Option<Mapping>>, MapsError> {
        self.asked(|query| {
            let found = query.at_or_above(address, kind)?;
            Ok(found.map(|mapping| mapping.to_owned()))
        })
    }

    /// The memory at an address or, if there is none, the first above it.
    pub fn memory(&mut self, address: u64) -> Result<Option<MemoryRange>, MapsError> {
        let page_bytes = page_size_bytes();
        let found = self.asked(|query| query.memory(address, page_bytes))?;
        if let Some(found) = found {
            return Ok(found);
        }
        let list = self.listed()?;
        Ok(list.get(from(list, address)).map(|mapping| {
            let allowed = mapping.permissions;
            MemoryRange {
                range: mapping.start..mapping.end,
                is_private_data: allowed.read && allowed.write && !allowed.shared,
                is_huge: mapping.name.starts_with(HUGE),
            }
        }))
    }

    /// One query's answer; `None` once the list is to be used, which is read then.
    fn asked<T>(
        &mut self,
        ask: impl FnOnce(&mut MappingQuery) -> Result<T, QueryError>,
    ) -> Result<Option<T>, MapsError> {
        if self.list.is_some() {
            return Ok(None);
        }
        self.asked += 1;
        if self.asked <= MOST_QUERIES {
            match ask(&mut self.query) {
                Ok(answer) => return Ok(Some(answer)),
                Err(QueryError::Io(error)) => return Err(error.into()),
                Err(QueryError::UseTheList) => {}
            }
        }
        self.listed()?;
        Ok(None)
    }

    /// All of them, lowest first; none if nothing is mapped any more.
    pub fn listed(&mut self) -> Result<&[Mapping], MapsError> {
        let list = match self.list.take() {
            Some(list) => list,
            None => read(self.query.file())?,
        };
        Ok(self.list.insert(list))
    }
}

/// Where in a list the first mapping is that ends above an address.
fn from(list: &[Mapping], address: u64) -> usize {
    list.partition_point(|mapping| mapping.end <= address)
}

fn read(maps: impl io::Read) -> Result<Vec<Mapping>, MapsError> {
    let mut maps = Maps::new(BufReader::new(maps));
    let mut list = Vec::new();
    let mut left = MOST_LIST_BYTES;
    while let Some(mapping) = maps.next_mapping()? {
        let length = size_of::<Mapping>() + mapping.name.len();
        left = left.checked_sub(length).ok_or_else(|| {
            io::Error::other(
                "it has more mappings, or with longer names, than are remembered of one process \
                 (32 MiB)",
            )
        })?;
        list.push(mapping.to_owned());
    }
    Ok(list)
}

/// Whether this mapping, at or above the heap's start, tells that no part of the heap lies above it.
///
/// The kernel calls anonymous memory `[heap]` if any of it lies below the break. So an anonymous
/// mapping that is not called so starts at or above the break. A file may lie within the heap,
/// mapped over it, and so may the kernel's own mappings: they tell nothing.
///
/// # References
/// `fs/proc/task_mmu.c` (`get_vma_name`: a file's path and the name of a special mapping come before
/// `[heap]`, `[stack]` and the names that programs give come after it), `include/linux/mm.h`
/// (`vma_is_initial_heap`), Linux 6.11 to 6.18
fn is_above_heap(mapping: &Mapping<&[u8]>) -> bool {
    let name = mapping.name;
    mapping.inode == 0 && (name.is_empty() || mapping.is_stack() || name.starts_with(b"[anon:"))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    const LIST: &str = "\
00400000-00401000 r-xp 00000000 fe:00 7    /bin/x
00401000-00402000 rw-p 00001000 fe:00 7    /bin/x
00402000-00404000 rw-p 00000000 00:00 0
02691000-026b2000 rw-p 00000000 00:00 0    [heap]
026b2000-026b3000 r--p 00000000 00:00 0
7f0000200000-7f0000400000 rw-p 00000000 00:0f 3    /anon_hugepage (deleted)
";

    fn listed(list: &str) -> Mappings {
        use std::io::{Seek, Write};
        let mut copy = tempfile::tempfile().unwrap();
        copy.write_all(list.as_bytes()).unwrap();
        copy.rewind().unwrap();
        Mappings::of_list(copy)
    }

    #[test]
    fn without_queries_the_list_is_read() {
        let mut mappings = listed(LIST);
        let found = mappings.program_break(Some(0x0269_1000)).unwrap().unwrap();
        assert_eq!(mappings.found_by(), FoundBy::Maps);
        assert!(found.blocked);
        assert_eq!(found.end, 0x026b_2000);
        let data = mappings.data_of_file(0).unwrap().unwrap();
        assert_eq!(data.start, 0x40_1000);
        let memory = |address| listed(LIST).memory(address).unwrap();
        let heap = memory(0x0269_1fff).unwrap();
        assert_eq!(heap.range, 0x0269_1000..0x026b_2000);
        assert!(heap.is_private_data && !heap.is_huge);
        assert!(!memory(0x026b_2000).unwrap().is_private_data);
        assert!(memory(0x7f00_0020_0000).unwrap().is_huge);
        assert_eq!(memory(0x7f00_0040_0000), None);
    }

    #[test]
    fn an_empty_list_has_no_break() {
        assert_eq!(listed("").program_break(Some(0x0269_1000)).unwrap(), None);
    }

    #[test]
    fn queries_and_the_list_tell_the_same_of_this_process() {
        let process = Process::open(std::process::id() as i32).unwrap();
        let all = read(File::open("/proc/self/maps").unwrap()).unwrap();
        let mut asked = Mappings::of(&process).unwrap();
        let mut listed = Mappings::of(&process).unwrap();
        listed.listed().unwrap();
        // The program's own lie still, whatever other tests map and unmap.
        let program = fs::metadata("/proc/self/exe").unwrap().ino();
        let own: Vec<_> = all.iter().filter(|own| own.inode == program).collect();
        assert!(!own.is_empty());
        for mapping in own {
            for address in [mapping.start, mapping.end - 1] {
                let (one, other) = (asked.memory(address), listed.memory(address));
                assert_eq!(one.unwrap(), other.unwrap(), "{mapping:?}");
                let (one, other) = (asked.at(address).unwrap(), listed.at(address).unwrap());
                assert_eq!((one.as_ref(), &one), (Some(mapping), &other));
            }
            let (one, other) =
                (asked.data_of_file(mapping.start), listed.data_of_file(mapping.start));
            assert_eq!(one.unwrap(), other.unwrap(), "{mapping:?}");
        }
    }
}

//! Finds the break of a living process: by a few queries where the kernel answers them, from the
//! whole list where it doesn't.

use std::fs::File;
use std::io::{self, BufReader};

use serde::Serialize;

use super::mapping::Mapping;
use super::program_break::{BreakFinder, ProgramBreak};
use super::query::{MappingQuery, QueryError};
use super::reader::{Maps, MapsError};

/// So many queries are cheaper than the list of whoever has so many mappings. Past that the list is:
/// it costs less for each.
const MOST_QUERIES: usize = 500;

/// How mappings were learnt of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FoundBy {
    /// By `PROCMAP_QUERY`, which Linux has since 6.11.
    ProcmapQuery,
    /// By reading the whole of `/proc/PID/maps`: it was needed anyway, the kernel is older, or the
    /// heap in more pieces than are worth a query each.
    Maps,
}

/// The break of the process whose `maps` this is; its heap starts at `start_brk`.
pub(super) fn find(maps: File, start_brk: u64) -> Result<(ProgramBreak, FoundBy), MapsError> {
    let mut query = MappingQuery::new(maps);
    match by_query(&mut query, start_brk) {
        Ok(found) => Ok((found, FoundBy::ProcmapQuery)),
        Err(QueryError::UseTheList) => {
            let list = BufReader::new(query.into_file());
            Ok((by_list(list, start_brk)?, FoundBy::Maps))
        }
        Err(QueryError::Io(error)) => Err(MapsError::Io(error)),
    }
}

fn by_list(list: impl io::BufRead, start_brk: u64) -> Result<ProgramBreak, MapsError> {
    let mut maps = Maps::new(list);
    let mut finder = BreakFinder::new(Some(start_brk));
    let mut any = false;
    while let Some(mapping) = maps.next_mapping()? {
        finder.see(&mapping);
        any = true;
    }
    // The list of memory that is being given up is empty, without an error.
    match finder.finish() {
        Some(found) if any => Ok(found),
        _ => Err(MapsError::Io(gone())),
    }
}

fn by_query(query: &mut MappingQuery, start_brk: u64) -> Result<ProgramBreak, QueryError> {
    let mut finder = BreakFinder::new(Some(start_brk));
    let mut address = start_brk;
    for _ in 0..MOST_QUERIES {
        let next = query.at_or_above(address)?;
        if let Some(mapping) = &next {
            finder.see(mapping);
            address = mapping.end;
        }
        if next.is_none_or(|mapping| is_above_heap(&mapping)) {
            return finder.finish().ok_or_else(|| QueryError::Io(gone()));
        }
    }
    Err(QueryError::UseTheList)
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

fn gone() -> io::Error {
    nix::errno::Errno::ESRCH.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_queries_the_list_is_read() {
        // A copy of a list: no kernel answers queries for it.
        let mut copy = tempfile::tempfile().unwrap();
        let list = "02691000-026b2000 rw-p 00000000 00:00 0    [heap]\n\
            026b2000-026b3000 r--p 00000000 00:00 0\n";
        io::Write::write_all(&mut copy, list.as_bytes()).unwrap();
        io::Seek::rewind(&mut copy).unwrap();
        let (found, by) = find(copy, 0x0269_1000).unwrap();
        assert_eq!(by, FoundBy::Maps);
        assert!(found.blocked);
        assert_eq!(found.end, 0x026b_2000);
    }

    #[test]
    fn an_empty_list_is_that_of_a_process_that_ends() {
        let empty = tempfile::tempfile().unwrap();
        let Err(MapsError::Io(error)) = find(empty, 0x0269_1000) else {
            panic!("a break was found in nothing");
        };
        assert_eq!(error.raw_os_error(), Some(libc::ESRCH));
    }
}

//! What `malloc_trim(0)` would give back.
//!
//! It puts the chunks of the fast bins together with their free neighbours, then returns the whole
//! pages inside every free chunk, behind the links at its beginning; and where the main arena's top
//! ends at the break, all of it but a rest, in steps of a page or a huge one. Memory that the process
//! has locked `madvise(MADV_DONTNEED)` refuses to give back, and all of the same chunk behind it.
//!
//! # References
//! glibc `malloc/malloc.c` 2.31 to 2.44: `mtrim`, `systrim`, `malloc_consolidate`; since 2.35
//! `thp_pagesize`; `malloc/arena.c`, `ptmalloc_init`; the manual's "Memory Allocation Tunables",
//! `glibc.malloc.hugetlb`; mlock(2), madvise(2); `proc_pid_smaps(5)`, `VmFlags`

use std::io::{BufRead, BufReader};
use std::ops::Range;

use proc_memory::{Process, hugetlb_tunable, page_size_bytes, parse_line};

use super::error::Unreadable;
use super::limits::Deadline;
use super::malloc_state::MallocState;
use super::map::FreeMap;
use super::runs;
use super::walk::BinWalk;

/// `sizeof(struct malloc_chunk)`: a free chunk's own words, on pages that stay.
const CHUNK_BYTES: u64 = 48;
/// `MINSIZE`, which stays of the top, and one byte.
const KEPT_BYTES: u64 = 32 + 1;

/// What the prediction depends on besides the chunks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pages {
    /// Of the system.
    pub(super) page_bytes: u64,
    /// What the main arena's top shrinks by: a page, or a huge one.
    pub(super) top_step_bytes: u64,
}

#[derive(Debug)]
pub(super) struct Given {
    /// Pages that would be if they are resident, in rising order.
    pub(super) pages: Vec<Range<u64>>,
    /// Free whole pages that the kernel refuses to take back (`madvise`), likewise: locked ones, …
    pub(super) locked: Vec<Range<u64>>,
    /// … and those of hugetlbfs.
    pub(super) huge: Vec<Range<u64>>,
    /// The whole pages of the top, if that stays.
    pub(super) kept_top: Option<Range<u64>>,
    /// Whether some of `pages` are the main arena's top.
    pub(super) has_top: bool,
}

/// What would be given back. Of what is locked or huge only the main arena's top can be.
pub(super) fn pages(
    walk: &BinWalk,
    order: &[u32],
    header: &MallocState,
    main: bool,
    map: &FreeMap,
    sizes: Pages,
) -> Given {
    let mut given = Vec::new();
    let (mut locked, mut huge) = (Vec::new(), Vec::new());
    let mut top = header.top()..header.top() + walk.top_bytes;
    runs::each(walk, order, header, |run| {
        if run.end == top.end {
            top.start = run.start;
            return;
        }
        let Some(pages) = inside(&run, sizes.page_bytes) else { return };
        // madvise goes from mapping to mapping, and no further than to the first that it refuses.
        let (end, is_huge) = map.first_kept(&pages).unwrap_or((pages.end, false));
        let refused = if is_huge { &mut huge } else { &mut locked };
        let parts = [(&mut given, pages.start..end), (refused, end..pages.end)];
        for (list, part) in parts.into_iter().filter(|(_, part)| !part.is_empty()) {
            list.push(part);
        }
    });
    let mut has_top = false;
    let top_pages = inside(&top, sizes.page_bytes);
    let at_break = main && map.break_end == Some(top.end);
    if at_break && !header.has_no_memory() {
        let length = (top.end - top.start).saturating_sub(KEPT_BYTES);
        let returned = length - length % sizes.top_step_bytes;
        if returned > 0 {
            let place = given.partition_point(|pages| pages.start < top.end);
            given.insert(place, top.end - returned..top.end);
            has_top = true;
        }
    }
    Given { pages: given, locked, huge, kept_top: top_pages.filter(|_| !has_top), has_top }
}

fn inside(run: &Range<u64>, page_bytes: u64) -> Option<Range<u64>> {
    let start = (run.start + CHUNK_BYTES).next_multiple_of(page_bytes);
    let end = run.end - run.end % page_bytes;
    (start < end).then_some(start..end)
}

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
    if proc_memory::kib_field(&status, b"VmLck:") == Some(0) {
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
    while list.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
        if let Some(flags) = line.strip_prefix(b"VmFlags:") {
            if flags.split(u8::is_ascii_whitespace).any(|flag| flag == b"lo") {
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

const MODE: &str = "/sys/kernel/mm/transparent_hugepage/enabled";
const SIZE: &str = "/sys/kernel/mm/transparent_hugepage/hpage_pmd_size";

/// Bytes of one step of a process's main arena.
pub(super) fn top_step_bytes(process: &Process) -> u64 {
    huge(process).unwrap_or_else(page_size_bytes)
}

/// With that tunable the step is a huge page's size, if the kernel gives those only where they are
/// asked for.
fn huge(process: &Process) -> Option<u64> {
    let mode = std::fs::read_to_string(MODE).ok()?;
    if !mode.contains("[madvise]") {
        return None;
    }
    if hugetlb_tunable(process) != Some(1) {
        return None;
    }
    std::fs::read_to_string(SIZE).ok()?.trim().parse().ok()
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

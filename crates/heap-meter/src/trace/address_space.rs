//! Where a process's memory lay, as it is reported.

use serde::{Serialize, Serializer};

use heap_growth::{Blocker, ByKind, GrowthKind, MemoryLayout};

/// So many parts are reported; when there are more, those closest to each other are taken together.
const MOST_PARTS: usize = 1000;

/// Where the private writable memory of the process that grew most lay when it had (within 1/64 of
/// its greatest growth).
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct AddressSpaceReport {
    /// The process.
    pub pid: i32,
    /// When this state was reached, since the watching began.
    pub at_seconds: f64,
    /// By how much it had grown then.
    pub growth_bytes: i64,
    /// The most by which it ever grew.
    pub greatest_growth_bytes: i64,
    /// What lay there, by kind; unlike growth, what was there before counts as well.
    #[serde(serialize_with = "all_kinds")]
    pub bytes: ByKind,
    /// Of that, what lay below 2 GiB.
    #[serde(serialize_with = "all_kinds")]
    pub low_bytes: ByKind,
    /// Whether it is known what was there before the first call.
    pub knows_earlier: bool,
    /// What lay where, in rising order; at most 1,000 of them.
    pub ranges: Vec<PartReport>,
    /// How many ranges there were.
    pub ranges_in_all: usize,
    /// Where the break was, if that is known.
    pub program_break: Option<Address>,
    /// How often a greater break was refused.
    pub refused_brks: u64,
    /// What the break could not pass.
    pub blocker: Option<BlockerReport>,
}

/// An address, which is text in JSON, [in hexadecimal](proc_memory::hexadecimal).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Address(#[serde(with = "proc_memory::hexadecimal")] pub u64);

/// A range of addresses and what lay there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PartReport {
    /// First address.
    pub start: Address,
    /// First address above it.
    pub end: Address,
    /// How it came, as [`GrowthKind::name`] has it.
    pub kind: &'static str,
    /// Bytes of this kind in it; less than its length if several ranges were taken together.
    pub bytes: u64,
}

/// What a break could not pass.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct BlockerReport {
    /// First address.
    pub start: Address,
    /// First address above it.
    pub end: Address,
    /// How its first page came, where the calls told.
    pub kind: Option<&'static str>,
    /// What may be done with it, as `/proc/PID/maps` writes it; `None` where only calls are known.
    pub perms: Option<String>,
    /// Its name there.
    pub name: Option<String>,
    /// The call that mapped it, as strace writes it, where it was seen.
    pub mapped_by: Option<String>,
    /// Whether the kernel has merged it into `[heap]`.
    pub merged_into_heap: bool,
}

impl AddressSpaceReport {
    /// What is reported of a layout.
    pub fn of(layout: &MemoryLayout) -> Self {
        let mut ranges: Vec<_> = layout
            .merged(MOST_PARTS)
            .into_iter()
            .map(|(part, bytes)| PartReport {
                start: Address(part.range.start),
                end: Address(part.range.end),
                kind: part.kind.name(),
                bytes,
            })
            .collect();
        ranges.sort_by_key(|part| part.start);
        Self {
            pid: layout.pid,
            at_seconds: layout.at.as_secs_f64(),
            growth_bytes: layout.growth_bytes,
            greatest_growth_bytes: layout.greatest_growth_bytes,
            bytes: layout.bytes(),
            low_bytes: layout.low_bytes(),
            knows_earlier: layout.knows_earlier,
            ranges,
            ranges_in_all: layout.parts.len(),
            program_break: layout.program_break.map(Address),
            refused_brks: layout.refused_brks,
            blocker: layout.blocker.as_ref().map(BlockerReport::of),
        }
    }
}

impl BlockerReport {
    fn of(blocker: &Blocker) -> Self {
        let mapping = blocker.mapping.as_ref();
        Self {
            start: Address(blocker.range.start),
            end: Address(blocker.range.end),
            kind: blocker.kind.map(GrowthKind::name),
            perms: mapping.map(|mapping| mapping.permissions.to_string()),
            name: mapping.map(|mapping| String::from_utf8_lossy(&mapping.name).into_owned()),
            mapped_by: blocker.mapped_by.map(|call| call.to_string()),
            merged_into_heap: blocker.merged,
        }
    }
}

/// With `earlier`, whatever it is.
fn all_kinds<S: Serializer>(bytes: &ByKind, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(bytes.iter().map(|(kind, bytes)| (kind.name(), bytes)))
}

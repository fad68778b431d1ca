//! Mappings that the calls put in front of the break: what blocks it is told by its own call.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::time::Duration;

use memory_event::{Call, Syscall};

/// What lies further above a break is in nobody's way.
const NEAR_BYTES: u64 = 1 << 30;
/// So many are remembered, the lowest: a break meets the first.
const MOST: usize = 64;

/// The call that made a mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MappedBy {
    /// The address that was asked for; 0 where the kernel chose.
    pub hint: u64,
    /// The length that was asked for, in bytes.
    pub length_bytes: u64,
    /// `PROT_*`.
    pub protection: u64,
    /// `MAP_*`.
    pub flags: u64,
    /// When, since the watching began.
    pub at: Duration,
    /// In which line of the log, where there is one.
    pub line: Option<u64>,
}

impl MappedBy {
    /// Whether it maps one page, readable only, over whatever lies there: what lua-nginx-module
    /// 0.10.3 to 0.10.7 does at the break.
    ///
    /// # References
    /// lua-nginx-module v0.10.7, `src/ngx_http_lua_module.c`, `ngx_http_lua_limit_data_segment`
    pub fn is_lone_page(&self) -> bool {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED;
        self.length_bytes <= proc_memory::page_size_bytes()
            && self.protection == libc::PROT_READ as u64
            && self.flags == flags as u64
    }
}

/// As strace writes it.
impl fmt::Display for MappedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { hint, length_bytes, .. } = self;
        let protection = names(self.protection, &PROTECTION, "PROT_NONE");
        let flags = names(self.flags, &FLAGS, "0");
        match hint {
            0 => f.write_str("mmap(NULL, ")?,
            hint => write!(f, "mmap({hint:#x}, ")?,
        }
        write!(f, "{length_bytes}, {protection}, {flags})")
    }
}

const PROTECTION: [(&str, i32); 3] = [
    ("PROT_READ", libc::PROT_READ),
    ("PROT_WRITE", libc::PROT_WRITE),
    ("PROT_EXEC", libc::PROT_EXEC),
];

const FLAGS: [(&str, i32); 10] = [
    ("MAP_SHARED", libc::MAP_SHARED),
    ("MAP_PRIVATE", libc::MAP_PRIVATE),
    ("MAP_FIXED", libc::MAP_FIXED),
    ("MAP_ANONYMOUS", libc::MAP_ANONYMOUS),
    ("MAP_32BIT", super::kind::MAP_32BIT),
    ("MAP_NORESERVE", libc::MAP_NORESERVE),
    ("MAP_STACK", libc::MAP_STACK),
    ("MAP_HUGETLB", libc::MAP_HUGETLB),
    ("MAP_POPULATE", libc::MAP_POPULATE),
    ("MAP_FIXED_NOREPLACE", libc::MAP_FIXED_NOREPLACE),
];

fn names(bits: u64, names: &[(&str, i32)], none: &str) -> String {
    let mut left = bits;
    let mut text = Vec::new();
    for (name, bit) in names {
        if left & *bit as u64 != 0 {
            left &= !(*bit as u64);
            text.push((*name).to_owned());
        }
    }
    match (left, text.is_empty()) {
        (0, true) => return none.to_owned(),
        (0, false) => {}
        (left, _) => text.push(format!("{left:#x}")),
    }
    text.join("|")
}

/// Of one process, by their first address.
#[derive(Clone, Debug, Default)]
pub(super) struct NearBreak {
    calls: BTreeMap<u64, MappedBy>,
    /// The one that was made by the last memory call.
    last: Option<u64>,
}

impl NearBreak {
    /// Takes a call that came back, before which the break was there.
    pub(super) fn take(&mut self, call: &Call, at: Duration, program_break: Option<u64>) {
        self.last = None;
        let (Syscall::Mmap, Ok(start)) = (call.syscall, call.result) else {
            return;
        };
        let [hint, length_bytes, protection, flags, ..] = call.args;
        let is_near = match program_break {
            Some(end) => (end..end.saturating_add(NEAR_BYTES)).contains(&start),
            // Not known yet: where it was put on purpose it may be.
            None => hint != 0,
        };
        if !is_near {
            return;
        }
        let made = MappedBy { hint, length_bytes, protection, flags, at, line: None };
        self.last = Some(start);
        self.calls.insert(start, made);
        if self.calls.len() > MOST {
            self.calls.pop_last();
        }
    }

    /// In which line of the log the call stands that was taken last.
    pub(super) fn stands_in(&mut self, line: u64) {
        if let Some(last) = self.last
            && let Some(made) = self.calls.get_mut(&last)
        {
            made.line = Some(line);
        }
    }

    /// The call that made what lies there now.
    pub(super) fn made(&self, range: &Range<u64>) -> Option<MappedBy> {
        self.calls.get(&range.start).copied()
    }
}

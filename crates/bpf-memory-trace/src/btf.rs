//! The kernel's description of its own types.
//!
//! # References
//! `Documentation/bpf/btf.rst`; `include/uapi/linux/btf.h`

use std::collections::HashMap;
use std::io;

const KERNEL: &str = "/sys/kernel/btf/vmlinux";

const STRUCT: u8 = 4;
const UNION: u8 = 5;
const TYPEDEF: u8 = 8;
const FUNC: u8 = 12;

/// Type ids and offsets of members, by the names that were asked for.
///
/// A kernel has some hundred thousand types, in 5 MB. One walk over them keeps where each begins,
/// and the ids of the names asked for alone: 7 ms instead of the 60 of a whole dictionary.
#[derive(Debug)]
pub struct Btf {
    data: Vec<u8>,
    /// Where each type's description begins; type 0 is `void`.
    types: Vec<usize>,
    strings: usize,
    ids: HashMap<(u8, String), u32>,
}

impl Btf {
    /// Reads the running kernel's: all that is going to be asked for must be among `names`.
    ///
    /// # Errors
    /// There is no `/sys/kernel/btf/vmlinux` (a kernel without `CONFIG_DEBUG_INFO_BTF`), or it
    /// isn't as documented.
    pub fn of_kernel(names: &[&str]) -> io::Result<Self> {
        let damaged = || io::Error::new(io::ErrorKind::InvalidData, format!("{KERNEL} is no BTF"));
        Self::parse(std::fs::read(KERNEL)?, names).ok_or_else(damaged)
    }

    /// The id of a function, for fentry and fexit programs.
    pub fn function(&self, name: &str) -> Option<u32> {
        self.id(FUNC, name)
    }

    /// The id of a tracepoint's type, for raw tracepoint programs: of the typedef `btf_trace_NAME`,
    /// which is what must be among the names.
    pub fn tracepoint(&self, name: &str) -> Option<u32> {
        self.id(TYPEDEF, &format!("btf_trace_{name}"))
    }

    /// The offset of a member, in bytes; members of nameless structs and unions inside count.
    /// None for bit fields.
    pub fn offset(&self, of: &str, member: &str) -> Option<i16> {
        let (bits, width) = self.place(self.id(STRUCT, of)?, member, 0)?;
        let whole = bits % 8 == 0 && width == 0;
        i16::try_from(bits / 8).ok().filter(|_| whole)
    }

    /// Of a member that is one bit: the offset of its byte, and the bit in it.
    pub fn bit(&self, of: &str, member: &str) -> Option<(i16, u8)> {
        let (bits, width) = self.place(self.id(STRUCT, of)?, member, 0)?;
        let byte = i16::try_from(bits / 8).ok().filter(|_| width == 1)?;
        Some((byte, 1 << (bits % 8)))
    }

    fn id(&self, kind: u8, name: &str) -> Option<u32> {
        self.ids.get(&(kind, name.to_owned())).copied()
    }

    fn parse(data: Vec<u8>, names: &[&str]) -> Option<Self> {
        if data.get(..2)? != 0xeb9f_u16.to_ne_bytes() {
            return None;
        }
        let header = word(&data, 4)? as usize;
        let [types, types_bytes, strings] = [8, 12, 16].map(|at| word(&data, at));
        let begin = header + types? as usize;
        let end = begin + types_bytes? as usize;
        let strings = header + strings? as usize;
        let wanted = places(data.get(strings..)?, names);
        let mut btf = Self { data, types: vec![0], strings, ids: HashMap::new() };
        let mut at = begin;
        while at < end {
            let (kind, members) = btf.kind(at)?;
            if matches!(kind, STRUCT | TYPEDEF | FUNC)
                && let Some(name) = wanted.get(&word(&btf.data, at)?)
            {
                let id = btf.types.len() as u32;
                btf.ids.entry((kind, (*name).to_owned())).or_insert(id);
            }
            btf.types.push(at);
            at += 12 + trailing_bytes(kind, members)?;
        }
        Some(btf)
    }

    /// A type's kind, and how many members it has.
    fn kind(&self, at: usize) -> Option<(u8, usize)> {
        let info = word(&self.data, at + 4)?;
        Some(((info >> 24 & 0x1f) as u8, (info & 0xffff) as usize))
    }

    /// A member's offset in bits, and how many it has if it is a bit field.
    fn place(&self, id: u32, member: &str, depth: u8) -> Option<(u32, u32)> {
        let at = *self.types.get(id as usize)?;
        let (kind, members) = self.kind(at)?;
        if !matches!(kind, STRUCT | UNION) || depth > 8 {
            return None;
        }
        let has_bit_fields = word(&self.data, at + 4)? >> 31 == 1;
        (0..members).find_map(|n| {
            let at = at + 12 + n * 12;
            let [name, of, bits] = [0, 4, 8].map(|field| word(&self.data, at + field));
            let (bits, width) = match has_bit_fields {
                true => (bits? & 0xff_ffff, bits? >> 24),
                false => (bits?, 0),
            };
            match text(&self.data, self.strings + name? as usize)? {
                b"" => {
                    let (inner, width) = self.place(of?, member, depth + 1)?;
                    Some((bits + inner, width))
                }
                name => (name == member.as_bytes()).then_some((bits, width)),
            }
        })
    }
}

/// Where in the strings each name stands.
fn places<'a>(strings: &[u8], names: &[&'a str]) -> HashMap<u32, &'a str> {
    let names: HashMap<&[u8], &str> = names.iter().map(|name| (name.as_bytes(), *name)).collect();
    let mut at = 0;
    let mut places = HashMap::new();
    for string in strings.split(|byte| *byte == 0) {
        if let Some(name) = names.get(string) {
            places.insert(at, *name);
        }
        at += string.len() as u32 + 1;
    }
    places
}

/// What follows a type's first twelve bytes; `None` for a kind that isn't known.
fn trailing_bytes(kind: u8, members: usize) -> Option<usize> {
    Some(match kind {
        // int, var, decl_tag
        1 | 14 | 17 => 4,
        // array
        3 => 12,
        // struct, union, datasec, enum64
        4 | 5 | 15 | 19 => members * 12,
        // enum, func_proto
        6 | 13 => members * 8,
        // ptr, fwd, typedef, volatile, const, restrict, func, float, type_tag
        2 | 7..=12 | 16 | 18 => 0,
        _ => return None,
    })
}

fn word(data: &[u8], at: usize) -> Option<u32> {
    let bytes = data.get(at..at + 4)?;
    Some(u32::from_ne_bytes(bytes.try_into().ok()?))
}

fn text(data: &[u8], at: usize) -> Option<&[u8]> {
    data.get(at..)?.split(|byte| *byte == 0).next()
}

#[cfg(test)]
mod tests;

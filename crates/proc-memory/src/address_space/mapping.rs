//! One mapping, and how the kernel writes it.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use human_text::Bytes;

use crate::hexadecimal;

/// The suffix of a file that has been unlinked (`fs/d_path.c`).
const DELETED: &[u8] = b" (deleted)";

/// A name as the kernel gives it, without that suffix, and whether it had it.
pub(super) fn split_deleted(name: &[u8]) -> (&[u8], bool) {
    match name.strip_suffix(DELETED) {
        Some(path) if path.first() == Some(&b'/') => (path, true),
        _ => (name, false),
    }
}

/// A range of addresses and what is there. `N` holds the name: bytes of its own, or, while a list
/// is being read, a slice of the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Mapping<N: AsRef<[u8]> = Box<[u8]>> {
    /// First address.
    #[serde(with = "hexadecimal")]
    pub start: u64,
    /// First address above it.
    #[serde(with = "hexadecimal")]
    pub end: u64,
    /// What may be done with it.
    #[serde(rename = "perms")]
    pub permissions: Permissions,
    /// Where in the file it starts, in bytes.
    pub offset: u64,
    /// The device that holds the file; 0:0 for anonymous memory.
    pub device: Device,
    /// The file's inode; 0 for anonymous memory.
    pub inode: u64,
    /// Path, `[heap]`, `[anon:…]` or nothing; the bytes as the kernel wrote them, but without
    /// ` (deleted)`. A newline in it stands as `\012`; see [`path`](Self::path).
    #[serde(serialize_with = "lossy")]
    pub name: N,
    /// Whether the file has been unlinked. (A file whose own name ends in ` (deleted)` cannot be
    /// told from it: the kernel writes both alike.)
    pub deleted: bool,
}

impl<N: AsRef<[u8]>> Mapping<N> {
    /// Its length in bytes.
    pub fn length_bytes(&self) -> u64 {
        self.end.saturating_sub(self.start)
    }

    /// Whether the kernel calls it `[heap]`.
    pub fn is_heap(&self) -> bool {
        self.name.as_ref() == b"[heap]"
    }

    /// Whether it is the main thread's stack, which grows downwards.
    pub fn is_stack(&self) -> bool {
        self.name.as_ref() == b"[stack]"
    }

    /// The path of the file that is mapped, or `None` for memory that no path belongs to.
    ///
    /// `\012` becomes the newline that it stands for. The kernel does not escape the backslash
    /// itself (`seq_file_path` with `"\n"`), so a name that holds those four characters literally
    /// is changed too.
    pub fn path(&self) -> Option<Cow<'_, Path>> {
        const ESCAPED: &[u8] = b"\\012";
        let mut rest = self.name.as_ref();
        if rest.first() != Some(&b'/') {
            return None;
        }
        let next = |bytes: &[u8]| bytes.windows(ESCAPED.len()).position(|four| four == ESCAPED);
        if next(rest).is_none() {
            return Some(Cow::Borrowed(Path::new(OsStr::from_bytes(rest))));
        }
        let mut path = Vec::with_capacity(rest.len());
        while let Some(position) = next(rest) {
            path.extend_from_slice(&rest[..position]);
            path.push(b'\n');
            rest = &rest[position + ESCAPED.len()..];
        }
        path.extend_from_slice(rest);
        Some(Cow::Owned(OsStr::from_bytes(&path).to_owned().into()))
    }

    /// The last component of its name, as the kernel writes it; empty for memory without one.
    pub fn file_name(&self) -> &[u8] {
        self.name.as_ref().rsplit(|&byte| byte == b'/').next().unwrap_or_default()
    }

    /// The mapping in a sentence: its name, or what else it is, and where it lies.
    pub fn described(&self) -> String {
        let bytes = Bytes(self.length_bytes());
        let (start, end) = (self.start, self.end);
        let name = String::from_utf8_lossy(self.name.as_ref());
        let permissions = &self.permissions;
        if name.is_empty() || self.is_heap() {
            format!("an anonymous mapping of {bytes} ({start:#x}-{end:#x} {permissions})")
        } else {
            format!("{name} ({start:#x}-{end:#x} {permissions})")
        }
    }

    /// The mapping as it stands in a report: addresses in hexadecimal, permissions as the kernel
    /// writes them.
    pub fn told(&self) -> Value {
        json!({
            "start": format!("{:#x}", self.start),
            "end": format!("{:#x}", self.end),
            "perms": self.permissions.to_string(),
            "name": String::from_utf8_lossy(self.name.as_ref()),
        })
    }

    /// The same mapping with a name of its own.
    pub fn to_owned(&self) -> Mapping {
        Mapping {
            start: self.start,
            end: self.end,
            permissions: self.permissions,
            offset: self.offset,
            device: self.device,
            inode: self.inode,
            name: self.name.as_ref().into(),
            deleted: self.deleted,
        }
    }

    fn head(&self) -> String {
        let Self { start, end, permissions, offset, device, inode, .. } = self;
        format!("{start:08x}-{end:08x} {permissions} {offset:08x} {device} {inode} ")
    }
}

impl Mapping {
    /// A part of a heap: anonymous, private, to be read and written.
    pub fn heap() -> Self {
        Self {
            start: 0,
            end: 0,
            permissions: Permissions { read: true, write: true, ..Permissions::default() },
            offset: 0,
            device: Device::default(),
            inode: 0,
            name: b"[heap]"[..].into(),
            deleted: false,
        }
    }
}

/// The line of `/proc/PID/maps` without padding; bytes that are no UTF-8 are replaced.
impl<N: AsRef<[u8]>> fmt::Display for Mapping<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = String::from_utf8_lossy(self.name.as_ref());
        let deleted = if self.deleted { " (deleted)" } else { "" };
        f.write_str(format!("{}{name}{deleted}", self.head()).trim_end())
    }
}

/// What may be done with a mapping, and whether writes are seen by others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Permissions {
    /// `r`
    pub read: bool,
    /// `w`
    pub write: bool,
    /// `x`
    pub execute: bool,
    /// `s`; private (copy on write) is `p`.
    pub shared: bool,
}

impl fmt::Display for Permissions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letter = |set: bool, yes: char| if set { yes } else { '-' };
        write!(
            f,
            "{}{}{}{}",
            letter(self.read, 'r'),
            letter(self.write, 'w'),
            letter(self.execute, 'x'),
            if self.shared { 's' } else { 'p' },
        )
    }
}

impl Serialize for Permissions {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A block device's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Device {
    /// Driver.
    pub major: u32,
    /// Device of that driver.
    pub minor: u32,
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02x}:{:02x}", self.major, self.minor)
    }
}

impl Serialize for Device {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

fn lossy<N: AsRef<[u8]>, S: Serializer>(name: &N, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&String::from_utf8_lossy(name.as_ref()))
}

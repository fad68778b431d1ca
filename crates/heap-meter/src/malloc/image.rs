//! The libraries and programs in a process that may have an allocator.

use std::ffi::OsStr;
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use crate::address_space::{AddressSpace, Device, Mapping};

/// The mappings of one image follow each other; so many others may be between them.
const LOOK_BACK: usize = 8;

/// One loaded copy of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Image {
    pub(super) device: Device,
    pub(super) inode: u64,
    pub(super) path: PathBuf,
    /// Where its file's beginning is mapped.
    pub(super) start: u64,
    /// One of its mappings, as the kernel names it in `map_files`.
    pub(super) mapping: Range<u64>,
    /// Its variables, as far as the file has values for them.
    pub(super) data: Vec<Range<u64>>,
}

impl Image {
    fn of(first: &Mapping) -> Option<Self> {
        Some(Self {
            device: first.device,
            inode: first.inode,
            path: first.path()?.into_owned(),
            start: first.start.checked_sub(first.offset)?,
            mapping: first.start..first.end,
            data: Vec::new(),
        })
    }

    /// The last component of its path.
    pub(super) fn name(&self) -> &[u8] {
        self.path
            .file_name()
            .map_or(&[], |name| OsStr::as_bytes(name))
    }
}

/// All images that have data. A file that is only mapped to be read has none.
pub(super) fn images(space: &AddressSpace) -> Vec<Image> {
    let mut images: Vec<Image> = Vec::new();
    for mapping in space.mappings() {
        if mapping.inode == 0 {
            continue;
        }
        let same = |image: &Image| (image.device, image.inode) == (mapping.device, mapping.inode);
        let recent = images.len().saturating_sub(LOOK_BACK);
        let known = images[recent..].iter().rposition(same);
        let index = match known {
            Some(index) if mapping.offset != 0 => Some(recent + index),
            _ => Image::of(mapping).map(|image| {
                images.push(image);
                images.len() - 1
            }),
        };
        let allowed = mapping.permissions;
        let is_data = allowed.read && allowed.write && !allowed.shared;
        if let Some(index) = index.filter(|_| is_data) {
            images[index].data.push(mapping.start..mapping.end);
        }
    }
    images.retain(|image| !image.data.is_empty());
    images
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_image_a_loaded_copy() {
        let list = "\
55d000000000-55d000002000 r--p 00000000 fe:00 7    /bin/x
55d000002000-55d000003000 rw-p 00002000 fe:00 7    /bin/x
55d000003000-55d000005000 rw-p 00000000 00:00 0
7f0000000000-7f0000001000 r--p 00000000 fe:00 8    /lib/libc.so.6
7f0000001000-7f0000002000 rw-p 00001000 fe:00 8    /lib/libc.so.6
7f0000010000-7f0000011000 r--p 00000000 fe:00 8    /lib/libc.so.6
7f0000011000-7f0000012000 rw-p 00001000 fe:00 8    /lib/libc.so.6
7f0000020000-7f0000021000 r--p 00000000 fe:00 8    /lib/libc.so.6
7f0000030000-7f0000031000 rw-s 00000000 fe:00 9    /dev/shm/y
";
        let images = images(&AddressSpace::parse(list.as_bytes(), None).unwrap());
        let starts: Vec<u64> = images.iter().map(|image| image.start).collect();
        assert_eq!(
            starts,
            [0x55d0_0000_0000, 0x7f00_0000_0000, 0x7f00_0001_0000]
        );
        assert_eq!(images[0].data.len(), 1);
        assert_eq!(images[0].data[0], 0x55d0_0000_2000..0x55d0_0000_3000);
        assert_eq!(images[2].name(), b"libc.so.6");
    }
}

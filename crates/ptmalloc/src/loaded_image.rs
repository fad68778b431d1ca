//! The libraries and programs in a process that may have an allocator.

use std::ffi::OsStr;
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use proc_memory::{Device, MappedFile, Mapping, Mappings, MapsError};

/// Bytes of paths that are remembered of one process; each may have 4096.
const MOST_NAME_BYTES: usize = 4 << 20;

/// One loaded copy of a file that has variables. A file that is only mapped to be read has none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LoadedImage {
    pub(super) device: Device,
    pub(super) inode: u64,
    pub(super) path: PathBuf,
    /// Its variables, as far as the file has values for them; at least one range.
    pub(super) data: Vec<Range<u64>>,
    /// Where in the file the last of them ends.
    reached: u64,
}

impl LoadedImage {
    fn of(data: &Mapping) -> Option<Self> {
        let mut image = Self {
            device: data.device,
            inode: data.inode,
            path: data.path()?.into_owned(),
            data: Vec::new(),
            reached: 0,
        };
        image.add(data);
        Some(image)
    }

    fn add(&mut self, data: &Mapping) {
        self.data.push(data.start..data.end);
        self.reached = data.offset.saturating_add(data.length_bytes());
    }

    /// Where its variables start, which is as far from each of them in every copy.
    pub(super) fn start(&self) -> u64 {
        self.data[0].start
    }

    pub(super) fn file(&self) -> MappedFile<'_> {
        MappedFile {
            addresses: &self.data[0],
            device: self.device,
            inode: self.inode,
            path: &self.path,
        }
    }

    /// The last component of its path.
    pub(super) fn name(&self) -> &[u8] {
        self.path.file_name().map_or(&[], |name| OsStr::as_bytes(name))
    }

    /// Whether this is more of the same copy: further on in the same file.
    fn goes_on_with(&self, data: &Mapping) -> bool {
        let same = (self.device, self.inode) == (data.device, data.inode);
        same && data.offset >= self.reached
    }
}

/// All images, lowest first.
pub(super) fn images(mappings: &mut Mappings) -> Result<Vec<LoadedImage>, MapsError> {
    let mut images: Vec<LoadedImage> = Vec::new();
    let mut address = 0;
    let mut name_bytes = 0;
    while let Some(data) = mappings.data_of_file(address)? {
        address = data.end;
        name_bytes += data.name.len();
        if name_bytes > MOST_NAME_BYTES {
            return Err(MapsError::Io(std::io::Error::other(
                "the names of the files that it has mapped are longer than 4 MiB together",
            )));
        }
        match images.last_mut() {
            Some(image) if image.goes_on_with(&data) => image.add(&data),
            _ => images.extend(LoadedImage::of(&data)),
        }
    }
    Ok(images)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mappings(list: &str) -> Mappings {
        use std::io::{Seek, Write};
        let mut copy = tempfile::tempfile().unwrap();
        copy.write_all(list.as_bytes()).unwrap();
        copy.rewind().unwrap();
        Mappings::of_list(copy)
    }

    #[test]
    fn one_image_a_loaded_copy() {
        let list = "\
55d000000000-55d000002000 r--p 00000000 fe:00 7    /bin/x
55d000002000-55d000003000 rw-p 00002000 fe:00 7    /bin/x
55d000003000-55d000005000 rw-p 00000000 00:00 0
7f0000000000-7f0000001000 r--p 00000000 fe:00 8    /lib/libc.so.6
7f0000001000-7f0000002000 rw-p 00001000 fe:00 8    /lib/libc.so.6
7f0000003000-7f0000004000 rw-p 00003000 fe:00 8    /lib/libc.so.6
7f0000010000-7f0000011000 r--p 00000000 fe:00 8    /lib/libc.so.6
7f0000011000-7f0000012000 rw-p 00001000 fe:00 8    /lib/libc.so.6
7f0000020000-7f0000021000 r--p 00000000 fe:00 8    /lib/libc.so.6
7f0000030000-7f0000031000 rw-s 00000000 00:09 3    /dev/shm/y
";
        let images = images(&mut mappings(list)).unwrap();
        let starts: Vec<u64> = images.iter().map(LoadedImage::start).collect();
        assert_eq!(starts, [0x55d0_0000_2000, 0x7f00_0000_1000, 0x7f00_0001_1000]);
        assert_eq!(images[0].data.len(), 1);
        assert_eq!(images[0].data[0], 0x55d0_0000_2000..0x55d0_0000_3000);
        assert_eq!(images[1].data.len(), 2);
        assert_eq!(images[2].name(), b"libc.so.6");
    }
}

//! A hash for process and thread ids.

use std::hash::{BuildHasherDefault, Hasher};

/// Builds [`Spread`].
pub type SpreadIds = BuildHasherDefault<Spread>;

/// A hash for ids: they are handed out by the kernel, or by a table of ours, one after another, so
/// that nobody can choose them to collide by more than chance; and one is looked up for every call.
#[derive(Debug, Default)]
pub struct Spread(u64);

impl Hasher for Spread {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_i32(i32::from(*byte));
        }
    }

    fn write_i32(&mut self, id: i32) {
        self.write_u64(u64::from(id as u32));
    }

    fn write_usize(&mut self, id: usize) {
        self.write_u64(id as u64);
    }

    fn write_u64(&mut self, id: u64) {
        // 2^64 divided by the golden ratio.
        self.0 = (self.0 ^ id).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 ^= self.0 >> 32;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

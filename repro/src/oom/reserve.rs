//! Memory for the program's own words when malloc has none left.
//!
//! Under a resource limit OpenSSL's allocation fails, and that is what is to be seen: its error
//! queue has to be read and told. A Rust program whose own allocation fails is aborted instead. So
//! what malloc refuses comes from a reserve, of which only that much is ever needed. As long as
//! malloc gives, nothing is changed.
//!
//! # Safety
//!
//! Pieces of the reserve are handed out once and never again, aligned as was asked; what came from
//! malloc goes back to malloc.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::UnsafeCell;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Enough for an error and its text.
const RESERVE_BYTES: usize = 256 << 10;

/// malloc, and a reserve behind it.
pub struct Reserve {
    taken: AtomicUsize,
    bytes: UnsafeCell<[u8; RESERVE_BYTES]>,
}

// SAFETY: what `bytes` holds is handed out in pieces that don't overlap, by an atomic count.
unsafe impl Sync for Reserve {}

impl Default for Reserve {
    fn default() -> Self {
        Self::new()
    }
}

impl Reserve {
    /// A full reserve; its pages aren't there before they are needed.
    pub const fn new() -> Self {
        Self { taken: AtomicUsize::new(0), bytes: UnsafeCell::new([0; RESERVE_BYTES]) }
    }

    /// A piece, all zero; null when there is none left.
    fn take(&self, layout: Layout) -> *mut u8 {
        let start = self.bytes.get().cast::<u8>();
        let wanted = layout.size() + layout.align();
        let before = self.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |taken| {
            taken.checked_add(wanted).filter(|end| *end <= RESERVE_BYTES)
        });
        let Ok(offset) = before else {
            return ptr::null_mut();
        };
        let piece = start.wrapping_add(offset);
        piece.wrapping_add(piece.align_offset(layout.align()))
    }

    /// What malloc gave, or a piece where that is nothing.
    fn unless_given(&self, given: *mut u8, layout: Layout) -> *mut u8 {
        match given.is_null() {
            true => self.take(layout),
            false => given,
        }
    }

    fn has(&self, piece: *mut u8) -> bool {
        let start = self.bytes.get().addr();
        (start..start + RESERVE_BYTES).contains(&piece.addr())
    }
}

// SAFETY: both sources give memory of the layout or null, and a piece goes back where it came from.
unsafe impl GlobalAlloc for Reserve {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's layout isn't empty.
        self.unless_given(unsafe { System.alloc(layout) }, layout)
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's layout isn't empty.
        self.unless_given(unsafe { System.alloc_zeroed(layout) }, layout)
    }

    unsafe fn dealloc(&self, piece: *mut u8, layout: Layout) {
        if !self.has(piece) {
            // SAFETY: it isn't the reserve's, so it is malloc's, with this layout.
            unsafe { System.dealloc(piece, layout) }
        }
    }

    unsafe fn realloc(&self, piece: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        if !self.has(piece) {
            // SAFETY: it is malloc's, with this layout, and the caller's new size isn't 0.
            let moved = unsafe { System.realloc(piece, layout, new_size) };
            if !moved.is_null() {
                return moved;
            }
        }
        // SAFETY: the caller promises that the new size with this alignment is a layout.
        let wanted = unsafe { Layout::from_size_align_unchecked(new_size, layout.align()) };
        let moved = self.take(wanted);
        if !moved.is_null() {
            let length = layout.size().min(new_size);
            // SAFETY: both are at least so long, and a new piece overlaps no other.
            unsafe { ptr::copy_nonoverlapping(piece, moved, length) };
            // SAFETY: the caller gives the old one up.
            unsafe { self.dealloc(piece, layout) };
        }
        moved
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_aligned_and_apart_and_end() {
        let reserve = Box::new(Reserve::new());
        let layout = Layout::from_size_align(1000, 64).unwrap();
        let mut last_end = 0;
        let mut pieces = 0;
        loop {
            let piece = reserve.take(layout);
            if piece.is_null() {
                break;
            }
            assert!(reserve.has(piece) && reserve.has(piece.wrapping_add(999)));
            assert_eq!(piece.addr() % 64, 0);
            assert!(piece.addr() >= last_end);
            last_end = piece.addr() + 1000;
            pieces += 1;
        }
        assert!(pieces > 200, "{pieces}");
    }

    #[test]
    fn a_piece_of_the_reserve_grows_there() {
        let reserve = Box::new(Reserve::new());
        let layout = Layout::from_size_align(8, 8).unwrap();
        let piece = reserve.take(layout);
        // SAFETY: eight bytes were given.
        unsafe { ptr::write_bytes(piece, 7, 8) };
        // SAFETY: the piece is the reserve's, of this layout.
        let moved = unsafe { reserve.realloc(piece, layout, 4096) };
        assert!(reserve.has(moved) && moved != piece);
        // SAFETY: at least eight bytes were given and copied.
        let copied = unsafe { std::slice::from_raw_parts(moved, 8) };
        assert_eq!(copied, [7; 8]);
        // SAFETY: it is the reserve's; nothing is freed.
        unsafe { reserve.dealloc(moved, layout) };
    }
}

//! What a running process's malloc keeps, read from outside: no stop, no symbols, no debugger.
//!
//! glibc's main arena is found in libc's data by what every arena has: 254 ends of bins, each of
//! which is the bin itself or a place where a chunk can be, and a next arena; the others follow in a
//! ring. All lists of free chunks are followed, which gives what is free to the byte, and the
//! resident whole pages within it are what `malloc_trim(0)` would give back.
//!
//! ```
//! use ptmalloc::Examiner;
//! use proc_memory::Process;
//!
//! let examination = Examiner::new().examine(&Process::open(std::process::id() as i32)?);
//! match examination.state {
//!     Ok(state) => println!("{} bytes, {:?} free", state.system_bytes, state.free_bytes),
//!     Err(why) => println!("not known: {why}"),
//! }
//! # Ok::<(), proc_memory::ProcessError>(())
//! ```
//!
//! # What a figure means
//!
//! The process may be at work meanwhile. An arena's free memory is collected, then asked for its
//! resident pages, then read a second time: header, top, and every chunk's size and links. Only if
//! all of that is the same both times, the lock was free both times, each chunk's end says the same
//! as its beginning, and no two overlap, is it given ([`Arena::free`]); otherwise it is read again a
//! few times, and then it is unknown ([`Arena::unknown`] says why), and so are the sums over all
//! arenas. What was the same both times and didn't change in between was so, all at once, at the
//! moment between the two. One thing can't be seen from outside: that something changed and changed
//! back to the same bytes between its two readings. Each chunk that counts was free, and of that
//! size, when it was read and when it was read again; only that they all were so at one and the
//! same moment isn't certain then. A process that stands still is read as it is, unless one of its
//! threads was stopped inside malloc. A program with a single thread takes no lock: stopped inside
//! malloc, it may have one chunk in neither place.
//!
//! [`HeapState::system_bytes`] and the flags are words of a header that passed all its checks, each read
//! once.
//!
//! # What the prediction leaves out
//!
//! Chunks in threads' caches count as in use, as they do for `malloc_trim`. The top is given back
//! only if it ends at the break, which the kernel tells no more exactly than as the end of
//! `[heap]`: where another mapping has merged with that, the top isn't counted. A process that
//! damages its own heap so that everything still fits together can mislead; it can't make this
//! fail, or take more than its [`ExaminationLimits`].
//!
//! # References
//! glibc 2.27 to 2.44, `malloc/malloc.c` and `malloc/arena.c`; tried against real ones of 2.31, 2.36,
//! 2.41, 2.43 and 2.44 on x86-64. On aarch64 the layout is the same, and checked in the same way.

#![cfg_attr(doctest, doc = include_str!("../README.md"))]
#![deny(unsafe_code)]

#[cfg(test)]
use suite as _;

mod allocator;
mod arena_sample;
mod arena_sampler;
mod backoff;
mod bin;
mod cache;
mod chunk;
mod dso;
mod error;
mod examiner;
mod fake;
mod find;
mod given_up;
mod heap_info;
mod heap_state;
mod layout;
mod limits;
mod link_map;
mod loaded_image;
mod main_arena;
mod malloc_state;
mod map;
mod memory;
mod parameters;
mod pinning;
mod readahead;
mod runs;
mod sieve;
mod size_class;
mod trim;
mod verify;
mod walk;

pub use allocator::Allocator;
pub use chunk::{first_chunk_bytes, mmapped_block_bytes};
pub use error::Bound;
pub use error::Unknown;
pub use examiner::Examiner;
pub use fake::arenas_in;
pub use heap_state::{Arena, Examination, Free, HeapState, Mmapped};
pub use limits::ExaminationLimits;
pub use pinning::PinningChunks;
pub use runs::Runs;
pub use size_class::SizeClass;

//! What the child writes down for its parent, in memory that both have.
//!
//! A killed process can't say how far it got, so it says so all the time: each context that is
//! loaded is counted here before the next one is begun, and the parent reads it afterwards. The
//! pages are there, and charged to the parent, before the child starts.
//!
//! # Safety
//!
//! The mapping is as large as [`Shared`], page-aligned, and everything in it is atomic, for which
//! every bit pattern is valid: whatever the other process writes, reading it is sound.
#![allow(unsafe_code)]

use anyhow::Context;
use memmap2::{MmapOptions, MmapRaw};
use nix::sys::memfd::{MFdFlags, memfd_create};
use std::fs::File;
use std::io::{self, Write};
use std::ops::Deref;
use std::os::fd::AsFd;
use std::process::Stdio;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

/// Bytes of a text; longer ones are cut.
const TEXT_BYTES: usize = 8 << 10;

/// How the child looks whether it may go on.
const LOOK: Duration = Duration::from_micros(200);

/// Where the child is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum State {
    /// It sets up, or works.
    Busy = 0,
    /// It is set up, and waits.
    Ready = 1,
    /// It waits on its way.
    Paused = 2,
    /// It has done everything, holds it, and waits.
    Done = 3,
    /// Something failed; the text says what. It waits.
    Failed = 4,
    /// This run doesn't count; the text says why. It waits.
    Void = 5,
}

/// What both see.
#[repr(C)]
pub(super) struct Shared {
    state: AtomicU32,
    /// How often the child was told to go on.
    goes: AtomicU32,
    /// Whether the child is to wait after the present context.
    pause: AtomicU32,
    text_bytes: AtomicU32,
    /// Contexts that were loaded.
    pub(super) loaded: AtomicU64,
    /// Contexts that were freed.
    pub(super) freed: AtomicU64,
    /// Where the break was before the first context.
    pub(super) first_break: AtomicU64,
    /// Where it was after the last one.
    pub(super) last_break: AtomicU64,
    text: [AtomicU8; TEXT_BYTES],
}

/// Either side's view of it.
#[derive(Debug)]
pub(super) struct Board(MmapRaw);

impl Deref for Board {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        // SAFETY: see the module: large enough, aligned, atomics only; mapped while `self` lives.
        unsafe { &*self.0.as_ptr().cast::<Shared>() }
    }
}

impl Board {
    /// The parent's, and what the child is to have as standard input.
    pub(super) fn new() -> anyhow::Result<(Self, Stdio)> {
        let memory = memfd_create(c"brkhole-oom", MFdFlags::MFD_CLOEXEC);
        let mut file = File::from(memory.context("can't make memory to share with the child")?);
        // Written, not only sized: the pages are there then.
        file.write_all(&[0; size_of::<Shared>()])
            .context("can't fill the memory that is shared with the child")?;
        let board =
            Self::map(&file).context("can't map the memory that is shared with the child")?;
        Ok((board, file.into()))
    }

    /// The child's.
    pub(super) fn from_standard_input() -> anyhow::Result<Self> {
        let file = io::stdin().as_fd().try_clone_to_owned();
        let file = File::from(file.context("no standard input")?);
        let length = file.metadata().context("standard input")?.len();
        anyhow::ensure!(
            length == size_of::<Shared>() as u64,
            "standard input isn't what the parent shares; run this program without {} in its \
             environment",
            crate::arm::VARIABLE
        );
        Self::map(&file).context("can't map standard input")
    }

    fn map(file: &File) -> io::Result<Self> {
        let map = MmapOptions::new().len(size_of::<Shared>()).map_raw(file)?;
        Ok(Self(map))
    }

    // The parent's side.

    pub(super) fn state(&self) -> State {
        let states = [
            State::Busy,
            State::Ready,
            State::Paused,
            State::Done,
            State::Failed,
            State::Void,
        ];
        let number = self.state.load(Ordering::Acquire);
        let known = states.into_iter().find(|state| *state as u32 == number);
        known.unwrap_or(State::Busy)
    }

    /// Lets a waiting child go on.
    pub(super) fn go_on(&self) {
        self.state.store(State::Busy as u32, Ordering::Release);
        self.pause.store(0, Ordering::Release);
        self.goes.fetch_add(1, Ordering::AcqRel);
    }

    /// Has the child wait after the present context.
    pub(super) fn ask_for_pause(&self) {
        self.pause.store(1, Ordering::Release);
    }

    /// What the child said.
    pub(super) fn text(&self) -> String {
        let length = self.text_bytes.load(Ordering::Acquire) as usize;
        let said = self.text.iter().take(length);
        let bytes: Vec<u8> = said.map(|byte| byte.load(Ordering::Relaxed)).collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    // The child's side.

    /// Waits until the parent says to go on. Touches no heap.
    pub(super) fn wait(&self, state: State) {
        let before = self.goes.load(Ordering::Acquire);
        self.state.store(state as u32, Ordering::Release);
        while self.goes.load(Ordering::Acquire) == before {
            std::thread::sleep(LOOK);
        }
    }

    /// Waits if the parent asked for it.
    pub(super) fn wait_if_asked(&self) {
        if self.pause.load(Ordering::Acquire) != 0 {
            self.wait(State::Paused);
        }
    }

    /// Says something, and waits.
    pub(super) fn say(&self, state: State, text: &str) {
        let bytes = &text.as_bytes()[..text.floor_char_boundary(TEXT_BYTES)];
        for (place, byte) in self.text.iter().zip(bytes) {
            place.store(*byte, Ordering::Relaxed);
        }
        self.text_bytes.store(bytes.len() as u32, Ordering::Release);
        self.wait(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_side_says_the_other_reads() {
        let (parent, _input) = Board::new().unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                parent.loaded.fetch_add(3, Ordering::Relaxed);
                parent.say(State::Void, &"é".repeat(TEXT_BYTES));
                parent.wait(State::Done);
            });
            while parent.state() != State::Void {
                std::thread::yield_now();
            }
            assert_eq!(parent.loaded.load(Ordering::Relaxed), 3);
            assert_eq!(parent.text().len(), TEXT_BYTES);
            parent.go_on();
            while parent.state() != State::Done {
                std::thread::yield_now();
            }
            parent.go_on();
        });
    }
}

//! The child's side of an experiment: is its arm what it says?
//!
//! An arm whose condition isn't true measures something else, so such a run doesn't count: a `hole`
//! without its page, because the break was above the trick's guard, and a `control` whose break
//! isn't free, because Lua's own memory lies close above it. LuaJIT with 32-bit GC pointers maps
//! with `MAP_32BIT`, which the kernel serves from 1 GiB upwards; address randomisation puts the
//! break of a non-PIE program anywhere below, growing towards it. That they are in each other's way
//! is what the trick was made for.

use anyhow::Context;
use brk_hole::{BeforeMain, Room, TrickOutcome};
use clap::ValueEnum;
use heap_meter::experiment::Checkpoints;
use std::ffi::OsStr;
use std::io;

/// More free room than this isn't insisted on: of the 1 GiB below Lua's memory half is found every
/// second time, more seldom. Greater controls may meet Lua's memory on their way; [`Child::held`]
/// tells then.
const MOST_ROOM_BYTES: u64 = 512 << 20;

/// Less room than this and malloc's break can't grow: its smallest step is M_TOP_PAD (128 KiB) and
/// a page, and the kernel keeps one page more.
const STEP_BYTES: usize = 136 << 10;

/// Where memory is short after all, the kernel is to end this process and no other. Everybody may
/// raise this; if it can't be written the kernel chooses as always.
///
/// # References
/// proc_pid_oom_score_adj(5)
pub(crate) fn first_victim() {
    let _ = std::fs::write("/proc/self/oom_score_adj", "1000");
}

/// A number on a child's command line; the error says what it should be.
pub(crate) fn number(argument: &OsStr, what: &str) -> anyhow::Result<u64> {
    let text = argument.to_string_lossy();
    let number = text.parse();
    number.with_context(|| format!("{text}: expected {what}"))
}

/// One of several words on a child's command line; the error says which.
pub(crate) fn choice<T: ValueEnum>(argument: &OsStr) -> anyhow::Result<T> {
    let text = argument.to_string_lossy();
    T::from_str(&text, false).map_err(|error| anyhow::anyhow!("{error}: {text}"))
}

/// … and the word of a choice.
pub(crate) fn word(choice: &impl ValueEnum) -> String {
    let value = choice.to_possible_value().expect("no choice is hidden");
    value.get_name().to_owned()
}

/// What a child's work tells its parent through.
#[derive(Debug)]
pub struct Child {
    pub(crate) checkpoints: Checkpoints,
    trick: Option<TrickOutcome>,
}

impl Child {
    pub(crate) fn new(trick: &BeforeMain) -> Self {
        Self { checkpoints: Checkpoints::from_environment(), trick: trick.outcome() }
    }

    /// Whether this run counts: the hole is made, or the control's break has `room_bytes` of room.
    /// When it doesn't, the parent is told why, and the work shouldn't be begun.
    ///
    /// # Errors
    /// When the parent is gone, or `/proc/self/maps` can't be read.
    pub fn counts(&self, room_bytes: u64) -> io::Result<bool> {
        match self.trick {
            Some(made @ TrickOutcome::Made { .. }) => {
                self.checkpoints.tell("hole", format_args!("{made}"))?;
                Ok(true)
            }
            Some(not_made) => {
                self.checkpoints.void(format_args!("{not_made}"))?;
                Ok(false)
            }
            None => self.break_is_free(room_bytes.min(MOST_ROOM_BYTES)),
        }
    }

    fn break_is_free(&self, room_bytes: u64) -> io::Result<bool> {
        let room = Room::now()?;
        if room.bytes as u64 >= room_bytes {
            return Ok(true);
        }
        self.checkpoints.void(format_args!(
            "a mapping, most likely Lua's own memory, lies too close above the break"
        ))?;
        Ok(false)
    }

    /// Waits at a checkpoint when all that this run takes is held: a control whose break is blocked by
    /// now says so first.
    ///
    /// # Errors
    /// When the parent is gone, or `/proc/self/maps` can't be read.
    pub fn held(&self, label: &str) -> io::Result<()> {
        if self.trick.is_none() && Room::now()?.bytes < STEP_BYTES {
            self.checkpoints.tell("blocked_by", format_args!("Lua's own memory"))?;
        }
        self.checkpoints.reach(label)
    }

    /// Says now and then how far the work is.
    ///
    /// # Errors
    /// When the parent is gone.
    pub fn progress(&self, done: u64, total: u64) -> io::Result<()> {
        if done.is_multiple_of(64) {
            self.checkpoints.progress(done, total)?;
        }
        Ok(())
    }
}

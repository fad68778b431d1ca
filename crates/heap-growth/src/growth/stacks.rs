//! Growth by who asked for it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use memory_event::Stack;
use serde::{Serialize, Serializer};

/// So many different stacks are told apart; further ones are counted together.
const MOST_STACKS: usize = 16_384;

/// So many sizes that were asked of malloc are told apart for one stack.
const MOST_SIZES: usize = 32;

/// What one chain of callers asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct StackGrowth {
    /// Innermost first.
    #[serde(serialize_with = "names")]
    pub frames: Vec<Arc<str>>,
    /// The walk ended before the thread's first function.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
    /// Bytes that it made the process ask the kernel for.
    pub bytes: u64,
    /// How often.
    pub count: u64,
    /// What had been asked of malloc, in bytes → how often; the first 32 sizes. Where it isn't
    /// known for certain, it is missing.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub requested: BTreeMap<u64, u64>,
}

fn names<S: Serializer>(frames: &[Arc<str>], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(frames.iter().map(|name| &**name))
}

/// A bounded table of stacks.
#[derive(Debug, Default)]
pub(super) struct StackTable {
    by_frames: HashMap<Vec<Arc<str>>, StackGrowth>,
    /// Bytes of those that found no place.
    pub(super) left_out_bytes: u64,
    /// Bytes that were asked for without a stack being known.
    pub(super) unknown_bytes: u64,
}

impl StackTable {
    pub(super) fn grew(&mut self, stack: Option<&Stack>, bytes: u64) {
        let Some(stack) = stack else {
            self.unknown_bytes = self.unknown_bytes.saturating_add(bytes);
            return;
        };
        let full = self.by_frames.len() >= MOST_STACKS;
        let growth = match self.by_frames.get_mut(&stack.frames) {
            Some(growth) => growth,
            None if full => {
                self.left_out_bytes = self.left_out_bytes.saturating_add(bytes);
                return;
            }
            None => self.by_frames.entry(stack.frames.clone()).or_insert_with(|| StackGrowth {
                frames: stack.frames.clone(),
                truncated: stack.truncated,
                ..StackGrowth::default()
            }),
        };
        growth.bytes = growth.bytes.saturating_add(bytes);
        growth.count += 1;
        if let Some(size) = stack.requested_bytes
            && (growth.requested.len() < MOST_SIZES || growth.requested.contains_key(&size))
        {
            *growth.requested.entry(size).or_default() += 1;
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &StackGrowth> {
        self.by_frames.values()
    }
}

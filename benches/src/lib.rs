//! What the benches share.
//!
//! There are two kinds of bench here, because there are two kinds of question:
//!
//! - *How long does this call take?* [Criterion](https://docs.rs/criterion) answers that, in this process, from
//!   thousands of calls: `bundle`, `malloc`, `snapshot`. Where a call leaves its process changed (a
//!   malloc that met a blocked break never grows the break again), each is made in a fork of its
//!   own: [`kernel::timed`].
//! - *Which of these programs is faster?* [`side_by_side`] answers that: fresh processes, taking
//!   turns in one run, so that a machine that is busy or warm is so for all of them; medians, and
//!   ratios with a bootstrap interval: `plain_c`, `trace`, `attach`, `stacks`, `explain`. A ratio
//!   may carry a requirement; [`Options::strict`] makes a missed one an error. `inspect` takes turns
//!   likewise, in this process: two ways of looking at the same processes.
//!
//! `footprint` asks for bytes instead of seconds: [`report::Figure`].
//!
//! All of them take `--quick` (short, for CI) and `--test` (once, only to see that it works), and a
//! word that picks benches by name. Criterion keeps its results in `target/criterion`, the others
//! in `target/bench`; the binary `reference` gathers both.

#![deny(unsafe_code)]
// Nobody but the benches reads it: what a name says isn't said again.
#![allow(missing_docs)]

#[cfg(test)]
use suite as _;

pub mod inputs;
pub mod kernel;
pub mod launched;
pub mod options;
pub mod plain_c;
pub mod program;
pub mod report;
pub mod side_by_side;
pub mod waiting;

pub use options::{Mode, Options};
pub use report::{Bench, Figure, main, main_with_roles};
pub use side_by_side::{Contest, RatioLimits};

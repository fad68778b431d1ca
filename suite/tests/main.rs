//! What tests find around them, and that all of them run in it.

use suite as _;

mod everywhere;
mod kept;

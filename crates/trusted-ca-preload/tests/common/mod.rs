//! What the tests of the preload library share: the library, certificates, a server.
#![allow(dead_code, unused_imports)]

mod authority;
#[path = "../../../heap-meter/tests/common/children.rs"]
mod children;
#[path = "../../../heap-meter/tests/common/compiled.rs"]
mod compiled;
mod counts;
#[path = "../../../heap-meter/tests/common/installed.rs"]
mod installed;
mod preload;
mod ran;
mod server;
#[path = "../../../heap-meter/tests/common/skipped.rs"]
mod skipped;

pub use authority::{Authority, Issued, concatenated};
pub use children::children;
pub use compiled::compiled;
pub use counts::Counts;
pub use installed::installed;
pub use preload::{MODES, Preload, library};
pub use ran::{Ran, same_in_every_way, settled};
pub use server::Server;
pub use skipped::skipped;

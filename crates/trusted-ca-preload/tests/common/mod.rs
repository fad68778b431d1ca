//! What the tests of the preload library share: the library, certificates, a server.
#![allow(dead_code, unused_imports)]

mod authority;
mod counts;
mod preload;
mod ran;
mod server;

pub use authority::{Authority, Issued, concatenated};
pub use counts::Counts;
pub use preload::{MODES, Preload, library};
pub use ran::{Ran, same_in_every_way, settled};
pub use server::Server;
pub use suite::waiting::children;
pub use suite::{installed, skipped};

suite::compiling!();

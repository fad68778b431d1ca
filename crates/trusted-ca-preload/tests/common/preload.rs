//! The ways in which a program is run: as it is, and with the library in its two ways.

use std::path::PathBuf;
use std::process::Command;

/// How a program is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preload {
    /// As the distribution made it.
    Without,
    /// With the library there, but told to keep out.
    Off,
    /// Parsed once, a private store for each context: the default.
    Private,
    /// Parsed once, one store for all contexts.
    SharedStore,
}

/// The two ways in which the library acts.
pub const MODES: [Preload; 2] = [Preload::Private, Preload::SharedStore];

/// The library as it was built with these tests.
pub fn library() -> PathBuf {
    let tests = std::env::current_exe().expect("a test knows where it lies");
    let library =
        tests.parent().expect("a program lies in a directory").join("libtrusted_ca_preload.so");
    assert!(library.is_file(), "{library:?} was not built");
    library
}

impl Preload {
    /// Has a program run this way.
    pub fn apply(self, command: &mut Command) -> &mut Command {
        command.env_remove("TRUSTED_CA").env_remove("LD_PRELOAD");
        if self != Self::Without {
            command.env("LD_PRELOAD", library());
        }
        match self {
            Self::Off => command.env("TRUSTED_CA", "off"),
            Self::SharedStore => command.env("TRUSTED_CA", "shared-store"),
            Self::Without | Self::Private => command,
        }
    }
}

//! The programs that are looked into.

use super::place::Place;
use crate::nginx_configuration;

/// A program that takes much memory, frees most of it, and stands still.
#[derive(Debug)]
pub struct Work {
    /// Its name in reports.
    pub name: &'static str,
    /// What is run.
    program: Program,
    /// How it comes to call malloc_trim.
    pub trim: Trim,
    /// When it stands still.
    pub ready: Ready,
}

#[derive(Debug, Clone, Copy)]
enum Program {
    Blocks(&'static str),
    Arenas,
    Python,
    Perl,
    Nginx { locations: u32 },
}

/// How a program comes to call malloc_trim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trim {
    /// It does by itself, at the next line of its standard input, and says so.
    Asked,
    /// A preloaded library does, at a signal, and leaves a mark.
    Signalled,
}

/// When a program stands still.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ready {
    /// It says so.
    Said,
    /// It is an nginx master: when it has been told to reload, and has new workers.
    Reloaded,
}

/// Blocks of the C program.
const BLOCKS: u32 = 20_000;

/// Threads of the other one, and blocks of each.
const THREADS: u32 = 8;
const BLOCKS_OF_A_THREAD: u32 = 4_000;

impl Work {
    /// All of them.
    pub fn all(locations: u32) -> [Self; 6] {
        use Program::{Arenas, Blocks, Nginx, Perl, Python};
        let asked = |name, program| Self {
            name,
            program,
            trim: Trim::Asked,
            ready: Ready::Said,
        };
        let signalled = |name, program, ready| Self {
            name,
            program,
            trim: Trim::Signalled,
            ready,
        };
        [
            asked("burst, break free", Blocks("free")),
            asked("burst, break blocked", Blocks("blocked")),
            asked("8 threads", Arenas),
            asked("python3", Python),
            signalled("perl", Perl, Ready::Said),
            signalled("nginx after a reload", Nginx { locations }, Ready::Reloaded),
        ]
    }

    /// What `env` is to run in a place.
    pub fn words(&self, place: &Place) -> Vec<String> {
        let text = |word: &str| word.to_owned();
        let mut words = match self.trim {
            Trim::Asked => Vec::new(),
            Trim::Signalled => vec![
                format!("LD_PRELOAD={}", place.file("trimmer.so")),
                format!("TRIMMER_MARK={}", place.file(MARK)),
            ],
        };
        words.extend(match self.program {
            Program::Blocks(fate) => vec![place.file("blocks"), BLOCKS.to_string(), text(fate)],
            Program::Arenas => vec![
                place.file("arenas"),
                THREADS.to_string(),
                BLOCKS_OF_A_THREAD.to_string(),
            ],
            Program::Python => vec![text("python3"), place.source("structure.py")],
            Program::Perl => vec![text("perl"), place.source("structure.pl")],
            Program::Nginx { locations } => vec![
                text("nginx"),
                text("-c"),
                place.file(&nginx_configuration::name(true, locations)),
                text("-g"),
                text("daemon off;"),
            ],
        });
        words
    }
}

/// The file that shows that the preloaded library has called malloc_trim.
pub const MARK: &str = "trimmed";

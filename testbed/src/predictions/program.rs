//! The programs that are looked into: each takes much memory, frees most of it, and stands still.

use super::SOURCES;
use crate::nginx_configuration;
use crate::testbed::Testbed;

/// A program, and how it comes to call malloc_trim.
#[derive(Debug)]
pub struct TrimmedProgram {
    pub name: &'static str,
    /// What `env` is to run.
    pub words: Vec<String>,
    pub trim: Trim,
    /// Whether it is an nginx master, which stands still when it has been told to reload and has new
    /// workers; the others say so.
    pub is_nginx: bool,
}

/// How a program comes to call malloc_trim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trim {
    /// It does by itself, at the next line of its standard input, and says so.
    Asked,
    /// A preloaded library does, at a signal, and leaves a mark.
    Signalled,
}

/// The file that shows that the preloaded library has called malloc_trim.
pub const MARK: &str = "trimmed";

/// Blocks of the C program; threads of the other one, and blocks of each.
const BLOCKS: &str = "20000";
const THREADS: &str = "8";
const BLOCKS_OF_A_THREAD: &str = "4000";

impl TrimmedProgram {
    pub fn all(place: &Testbed, locations: u32) -> [Self; 6] {
        let asked = |name, words: &[&str]| Self {
            name,
            words: words.iter().map(|word| (*word).to_owned()).collect(),
            trim: Trim::Asked,
            is_nginx: false,
        };
        let signalled = |name, words: &[&str]| {
            let library = format!("LD_PRELOAD={}", place.file("trimmer.so"));
            let mark = format!("TRIMMER_MARK={}", place.file(MARK));
            Self {
                trim: Trim::Signalled,
                ..asked(name, &[&[library.as_str(), &mark], words].concat())
            }
        };
        let (blocks, arenas) = (&place.file("blocks"), &place.file("arenas"));
        let source = |name| place.source(&format!("{SOURCES}/{name}"));
        let configuration = place.file(&nginx_configuration::name(true, locations));
        let nginx = ["nginx", "-c", &configuration, "-g", "daemon off;"];
        [
            asked("burst, break free", &[blocks, BLOCKS, "free"]),
            asked("burst, break blocked", &[blocks, BLOCKS, "blocked"]),
            asked("8 threads", &[arenas, THREADS, BLOCKS_OF_A_THREAD]),
            asked("python3", &["python3", &source("structure.py")]),
            signalled("perl", &["perl", &source("structure.pl")]),
            Self {
                is_nginx: true,
                ..signalled("nginx after a reload", &nginx)
            },
        ]
    }
}

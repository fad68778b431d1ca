//! What is run: each workload has steps, and each step is a command that ends at its moment, because
//! `brkhole compare` weighs a command as it ends.

use crate::testbed::{FILES, nginx_configuration};

const BUNDLE: &str = "/files/bundle.pem";

/// Their names, in the order in which they are run.
pub const NAMES: [&str; 4] = ["burst", "bundle", "python", "nginx"];

/// How many blocks the burst takes at once.
pub const BLOCKS: u32 = 16_384;

pub const BLOCK_BYTES: u32 = 16 << 10;

/// One SSL context, which is held: what the first costs, and the program.
pub const ONE: &str = "one";

/// Everything is taken.
pub const HELD: &str = "held";

pub const FREED: &str = "freed";

/// malloc was told to give back what it can.
pub const TRIMMED: &str = "trimmed";

/// Something that a release's own programs do.
#[derive(Debug)]
pub struct Workload {
    pub name: &'static str,
    /// SSL contexts; none for the burst.
    pub contexts: Option<u32>,
    /// In the order in which they are run.
    pub steps: Vec<WorkloadStep>,
}

/// A command, and the moment at which it ends.
#[derive(Debug)]
pub struct WorkloadStep {
    pub name: &'static str,
    pub words: Vec<String>,
}

impl Workload {
    pub fn all(contexts: u32) -> [Self; 4] {
        let burst = |moment| {
            let command = format!("{FILES}/burst {BLOCKS} {BLOCK_BYTES} {moment}");
            WorkloadStep::new(moment, &command)
        };
        let bundle = |name, contexts: u32, moment| {
            let command = format!("{FILES}/bundle {BUNDLE} {contexts} {moment}");
            WorkloadStep::new(name, &command)
        };
        let python = |name, contexts: u32, moment| {
            let script = "/repository/testbed/programs/contexts.py";
            let command = format!("python3 {script} {BUNDLE} {contexts} {moment}");
            WorkloadStep::new(name, &command)
        };
        // It tests a configuration, and ends with everything that it read.
        let nginx = |name, contexts| {
            let configuration = nginx_configuration(true, contexts);
            let command = format!("nginx -t -q -c {FILES}/{configuration}");
            WorkloadStep::new(name, &command)
        };
        let contexts_of = |name, steps| Self { name, contexts: Some(contexts), steps };
        let bundles = vec![
            bundle(ONE, 1, HELD),
            bundle(HELD, contexts, HELD),
            bundle(FREED, contexts, FREED),
            bundle(TRIMMED, contexts, TRIMMED),
        ];
        let pythons = vec![
            python(ONE, 1, HELD),
            python(HELD, contexts, HELD),
            python(FREED, contexts, FREED),
        ];
        [
            Self { name: "burst", contexts: None, steps: [HELD, FREED, TRIMMED].map(burst).into() },
            contexts_of("bundle", bundles),
            contexts_of("python", pythons),
            contexts_of("nginx", vec![nginx(ONE, 1), nginx(HELD, contexts)]),
        ]
    }
}

impl WorkloadStep {
    /// No word of it holds a space.
    fn new(name: &'static str, command: &str) -> Self {
        let words = command.split(' ').map(str::to_owned).collect();
        Self { name, words }
    }
}

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
        [burst(), bundle(contexts), python(contexts), nginx(contexts)]
    }
}

fn burst() -> Workload {
    let program = format!("{FILES}/burst");
    let (blocks, bytes) = (BLOCKS.to_string(), BLOCK_BYTES.to_string());
    let step = |name| WorkloadStep::new(name, &[&program, &blocks, &bytes, name]);
    Workload {
        name: "burst",
        contexts: None,
        steps: [HELD, FREED, TRIMMED].map(step).into(),
    }
}

fn bundle(contexts: u32) -> Workload {
    let program = format!("{FILES}/bundle");
    let all = contexts.to_string();
    let step = |name| WorkloadStep::new(name, &[&program, BUNDLE, &all, name]);
    let mut steps = vec![WorkloadStep::new(ONE, &[&program, BUNDLE, "1", HELD])];
    steps.extend([HELD, FREED, TRIMMED].map(step));
    Workload {
        name: "bundle",
        contexts: Some(contexts),
        steps,
    }
}

fn python(contexts: u32) -> Workload {
    let script = "/repository/testbed/programs/contexts.py";
    let step = |name, contexts: u32, moment| {
        let contexts = contexts.to_string();
        WorkloadStep::new(name, &["python3", script, BUNDLE, &contexts, moment])
    };
    Workload {
        name: "python",
        contexts: Some(contexts),
        steps: vec![
            step(ONE, 1, HELD),
            step(HELD, contexts, HELD),
            step(FREED, contexts, FREED),
        ],
    }
}

/// nginx tests a configuration, and ends with everything that it read.
fn nginx(contexts: u32) -> Workload {
    let step = |name, locations| {
        let file = nginx_configuration(true, locations);
        WorkloadStep::new(
            name,
            &["nginx", "-t", "-q", "-c", &format!("{FILES}/{file}")],
        )
    };
    Workload {
        name: "nginx",
        contexts: Some(contexts),
        steps: vec![step(ONE, 1), step(HELD, contexts)],
    }
}

impl WorkloadStep {
    fn new(name: &'static str, words: &[&str]) -> Self {
        let words = words.iter().map(|word| (*word).to_owned()).collect();
        Self { name, words }
    }
}

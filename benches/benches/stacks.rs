//! What it costs to have the stack told at every growth, on top of launching: a program whose break
//! grows 3,000 times, from three functions deep and from thirty. Nothing is required.
//!
//! All on one processor, where the tracer's own work shows and not the waking of idle processors.

use std::path::Path;
use std::process::{Command, ExitCode};

use benches::launched::{self, LAUNCH, STACKS};
use benches::{Bench, Contest, program};

const UNTRACED: &str = "untraced";

fn main() -> ExitCode {
    launched::main("stacks", env!("CARGO_TARGET_TMPDIR"), bench)
}

fn bench(bench: &mut Bench, place: &Path) -> anyhow::Result<()> {
    let (rounds, growths) = bench.by_mode((31, 3000), (7, 3000), (1, 30));
    let program = program::compile("programs/growths.c", place)?;
    for (name, depth) in [("stacks/shallow", 3), ("stacks/deep", 30)] {
        if !bench.wants(name) {
            continue;
        }
        let Some(_processors) = bench.processors(name, true) else {
            continue;
        };
        let arguments = [growths, depth].map(|number: u32| number.to_string());
        let traced = |role| {
            let mut command = program::in_role(role)?;
            command.arg(&program).args(&arguments);
            program::seconds(&mut command)
        };
        let contest = Contest::new(name)
            .parameter("growths", growths)
            .parameter("functions_deep", depth)
            .parameter("one_processor", true)
            .per("growth", f64::from(growths), Some(UNTRACED))
            .arm(UNTRACED, || program::seconds(Command::new(&program).args(&arguments)))
            .arm(LAUNCH, || traced(LAUNCH))
            .arm(STACKS, || traced(STACKS))
            .compare(UNTRACED, LAUNCH)
            .compare(LAUNCH, STACKS);
        bench.run(contest, rounds)?;
    }
    Ok(())
}

//! What it costs to have the stack told at every growth, on top of launching: a program whose break
//! grows 3,000 times, from three functions deep and from thirty. Nothing is required.
//!
//! All on one processor, where the tracer's own work shows and not the waking of idle processors.

use std::path::Path;
use std::process::{Command, ExitCode};

use benches::launched::{self, LAUNCH, STACKS};
use benches::processors::OneProcessor;
use benches::{Bench, Contest, Mode, program, role};

const UNTRACED: &str = "untraced";

fn main() -> ExitCode {
    launched::main("stacks", bench)
}

fn bench() -> anyhow::Result<ExitCode> {
    let mut bench = Bench::start("stacks", env!("CARGO_TARGET_TMPDIR"));
    let (rounds, growths) = match bench.mode() {
        Mode::Full => (31, 3000),
        Mode::Quick => (7, 3000),
        Mode::Test => (1, 30),
    };
    let place = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("programs/growths.c");
    let program = program::compile(&source, place.path())?;
    for (name, depth) in [("stacks/shallow", 3), ("stacks/deep", 30)] {
        if !bench.wants(name) {
            continue;
        }
        let _processor = match OneProcessor::keep_to() {
            Ok(kept) => kept,
            Err(reason) => {
                bench.skip(name, format!("can't keep to one processor: {reason}"));
                continue;
            }
        };
        let arguments = [growths, depth].map(|number: u32| number.to_string());
        let traced = |role| {
            let mut command = role::command(role)?;
            command.arg(&program).args(&arguments);
            program::seconds(&mut command)
        };
        let contest = Contest::new(name)
            .parameter("growths", growths)
            .parameter("functions_deep", depth)
            .parameter("one_processor", true)
            .per("growth", f64::from(growths), Some(UNTRACED))
            .arm(UNTRACED, || {
                program::seconds(Command::new(&program).args(&arguments))
            })
            .arm(LAUNCH, || traced(LAUNCH))
            .arm(STACKS, || traced(STACKS))
            .compare(UNTRACED, LAUNCH)
            .compare(LAUNCH, STACKS);
        bench.run(contest, rounds)?;
    }
    Ok(bench.finish())
}

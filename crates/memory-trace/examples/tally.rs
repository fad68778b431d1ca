//! `tally COMMAND…`: runs a command and says, as JSON on standard error, which memory calls it
//! made, what malloc fell back to, and what the watching cost.

use std::process::ExitCode;

use heap_growth::{Fallback, Tally};
use memory_trace::Launch;
use memory_trace::Target;

fn main() -> ExitCode {
    let mut words = std::env::args_os().skip(1);
    let Some(program) = words.next() else {
        eprintln!("usage: tally COMMAND [ARGUMENT…]");
        return ExitCode::from(2);
    };
    let target = Target::new(program).args(words);
    let run = Launch::start(&target, (Tally::default(), Fallback::default()));
    match run.and_then(Launch::wait) {
        Ok(finished) => {
            let (tally, fallback) = &finished.sink;
            eprintln!(
                "{}",
                serde_json::json!({
                    "syscalls": tally,
                    "fallback": fallback,
                    "exit": finished.ending,
                    "cost": finished.cost,
                    "lost_events": finished.lost_events,
                })
            );
            for note in &finished.notes {
                eprintln!("note: {note}");
            }
            ExitCode::from(finished.ending.shell_status() as u8)
        }
        Err(error) => {
            eprintln!("tally: {error}");
            ExitCode::FAILURE
        }
    }
}

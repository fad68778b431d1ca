//! The repository's own chores: `cargo xtask` lists them.

#[cfg(test)]
use suite as _;

mod commands;
mod distributions;
mod disturbance;
mod documents;
mod fault;
mod figures;
mod history;
mod links;
mod nginx_configuration;
mod parameters;
mod predictions;
mod programs;
mod reference_runs;
mod root;

use std::process::ExitCode;

const USAGE: &str = "usage: cargo xtask CHORE

  figures            fill the figures and output blocks of README and book from runs/
  figures --check    fail where text or chart and committed run differ
  commands           run the commands of README and book
  commands FILE…     only those of these documents
  commands --strict  fail where a command's program isn't installed, instead of skipping it
  links              check the relative links and anchors of README and book
  reference-runs     make runs/ anew on this machine, then fill the figures
  reference-runs NAME…  only these: locations, reload, burst, oom, oom-rlimit,
                     low-memory, low-memory-gc64, lua, strace, gdb, nginx, brkhole, cure,
                     inspect, predictions, disturbance
  root RELEASE       make target/roots/RELEASE, a small Debian: bullseye, bookworm or trixie
  root RELEASE PROGRAM…  run a program in it
  distributions      check and measure the preload library in all of them; --out DIR keeps the raw
                     data; --locations N, --repeats R
  history            a burst, and loading the bundle, with the break free and blocked, in all of
                     them; --out DIR keeps the raw data; --locations N, --repeats R
  predictions        what malloc_trim gives back, predicted and real, on this machine and in all of
                     them and sid; --out DIR keeps the raw data; --locations N, --repeats R
  disturbance        what being looked into costs a program that does nothing but malloc and free;
                     built with --release; --out DIR keeps the raw data; --cpu-seconds S of a run,
                     --repeats R
";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let done = match words[..] {
        ["figures"] => figures::fill(),
        ["figures", "--check"] => figures::check(),
        ["commands", "--strict", ref files @ ..] => commands::run(true, files),
        ["commands", ref files @ ..] => commands::run(false, files),
        ["links"] => links::check(),
        ["reference-runs", ref names @ ..] => reference_runs::make(names),
        ["root", name, ref words @ ..] => root::run(name, words),
        ["distributions", ref flags @ ..] => distributions::run(flags),
        ["history", ref flags @ ..] => history::run(flags),
        ["predictions", ref flags @ ..] => predictions::run(flags),
        ["disturbance", ref flags @ ..] => disturbance::run(flags),
        ["--help" | "-h"] => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        _ => {
            eprint!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

//! `attach PID [--via auto|bpf|tracepoints|ptrace] [--seconds N]`: watches a running process and says,
//! as JSON on standard output, which memory calls it made. Ends with the process, after N seconds,
//! or when standard input is closed by `--until-eof`.

use std::io::Read;
use std::process::ExitCode;
use std::time::Duration;

use heap_growth::{Fallback, Tally};
use memory_trace::{Attach, Via};

struct Wishes {
    pid: i32,
    via: Via,
    seconds: Option<u64>,
    until_eof: bool,
}

fn main() -> ExitCode {
    let Some(wishes) = wishes(std::env::args().skip(1)) else {
        eprintln!(
            "usage: attach PID [--via auto|bpf|tracepoints|ptrace] [--seconds N] [--until-eof]"
        );
        return ExitCode::from(2);
    };
    let attach =
        match Attach::start(wishes.pid, wishes.via, (Tally::default(), Fallback::default())) {
            Ok(attach) => attach,
            Err(error) => {
                eprintln!("attach: {error}");
                return ExitCode::FAILURE;
            }
        };
    eprintln!("watching {} by {:?}", wishes.pid, attach.via());
    let stopper = attach.stopper();
    if let Some(seconds) = wishes.seconds {
        let stopper = stopper.clone();
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_secs(seconds));
            stopper.stop();
        });
    }
    if wishes.until_eof {
        std::thread::spawn(move || {
            // However it ends, nobody is there to say when to stop.
            let _ = std::io::stdin().read_to_end(&mut Vec::new());
            stopper.stop();
        });
    }
    match attach.wait() {
        Ok(watched) => {
            let (tally, fallback) = &watched.sink;
            println!(
                "{}",
                serde_json::json!({
                    "syscalls": tally,
                    "fallback": fallback,
                    "exit": watched.ending,
                    "cost": watched.cost,
                    "lost_events": watched.lost_events,
                    "processes": watched.processes,
                })
            );
            for note in &watched.notes {
                eprintln!("note: {note}");
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("attach: {error}");
            ExitCode::FAILURE
        }
    }
}

fn wishes(mut words: impl Iterator<Item = String>) -> Option<Wishes> {
    let mut wishes = Wishes {
        pid: words.next()?.parse().ok()?,
        via: Via::Auto,
        seconds: None,
        until_eof: false,
    };
    while let Some(word) = words.next() {
        match word.as_str() {
            "--until-eof" => wishes.until_eof = true,
            "--seconds" => wishes.seconds = Some(words.next()?.parse().ok()?),
            "--via" => {
                wishes.via = match words.next()?.as_str() {
                    "auto" => Via::Auto,
                    "bpf" => Via::Bpf,
                    "tracepoints" => Via::Tracepoints,
                    "ptrace" => Via::Ptrace,
                    _ => return None,
                };
            }
            _ => return None,
        }
    }
    Some(wishes)
}

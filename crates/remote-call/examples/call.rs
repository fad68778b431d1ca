//! Has a process call a function: `call PID ADDRESS [ARGUMENT]…`, numbers as 4711 or 0x1267.

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use remote_call::{Held, HoldOptions};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("call: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [pid, function, arguments @ ..] = arguments.as_slice() else {
        return Err("usage: call PID ADDRESS [ARGUMENT]…".into());
    };
    let arguments: Result<Vec<_>, _> = arguments.iter().map(|text| number(text)).collect();
    let patience = Duration::from_secs(5);
    let held = Held::hold_with(pid.parse()?, patience, HoldOptions::default())?;
    let value = held.call(number(function)?, &arguments?, patience)?;
    println!("{value}");
    let stood_still = held.release();
    eprintln!("process {pid} stood still for {stood_still:?}");
    Ok(())
}

fn number(text: &str) -> Result<u64, std::num::ParseIntError> {
    match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => text.parse(),
    }
}

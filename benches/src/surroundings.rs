//! What a report says of the machine and of what it measured with.

use std::fs;

use heap_meter::environment::Environment;

use crate::program::first_line;

/// The machine, OpenSSL, the C compiler, strace where it is installed, and how busy the machine was
/// when this was asked.
pub fn environment() -> Environment {
    let mut environment = Environment::here().with("openssl", trusted_ca::openssl_version());
    for (name, command, argument) in [
        ("rustc", "rustc", "--version"),
        ("cc", "cc", "--version"),
        ("strace", "strace", "--version"),
    ] {
        if let Some(version) = first_line(command, argument) {
            environment = environment.with(name, version);
        }
    }
    match load_average() {
        Some(load) => environment.with("load_average_1m", load),
        None => environment,
    }
}

/// Processes that ran or wanted to, on average over the last minute.
pub fn load_average() -> Option<f64> {
    let text = fs::read_to_string("/proc/loadavg").ok()?;
    text.split_whitespace().next()?.parse().ok()
}

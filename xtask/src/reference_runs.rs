//! Makes the committed runs anew. Do it on a machine that does nothing else.

use crate::commands::is_installed;
use crate::figures;
use anyhow::Context;
use clap::builder::PossibleValuesParser;
use roots::repository::{command, output, root, run};
use serde_json::{Value, json};
use std::ffi::OsStr;
use std::fs;
use std::process::{Command, Stdio};

/// The bundle of the recordings, where Debian and its relatives keep it.
const BUNDLE: &str = "/etc/ssl/certs/ca-certificates.crt";

/// The experiments: the name of each, how somebody would build and run it, and what is kept besides
/// its results: the table as it was printed, the chart as it was drawn. (The others' are made anew
/// from the results.) `locations` has no flags, so that the README can show what `cargo run --release`
/// prints. Those beside the machine's nginx have the library that it runs with, and fewer repeats.
const REPRODUCER_RUNS: [(&str, &str, &[&str]); 9] = [
    ("locations", "cargo run --release", &[]),
    (
        "locations-system-openssl",
        "cargo run --release --no-default-features --features system-openssl -- --repeats 3",
        &[],
    ),
    ("reload", "cargo run --release --bin reload -- --repeats 10", &[]),
    (
        "reload-system-openssl",
        "cargo run --release --no-default-features --features system-openssl --bin reload \
         -- --repeats 3",
        &[],
    ),
    ("burst", "cargo run --release --bin burst -- --repeats 10", &[]),
    ("oom", "cargo run --release --bin oom", &["txt"]),
    (
        "oom-rlimit",
        "cargo run --release --bin oom -- --limit rlimit --budget 64MiB --repeats 1",
        &["txt"],
    ),
    ("low-memory", "cargo run --release --bin low-memory -- --repeats 5", &["txt", "svg"]),
    (
        "low-memory-gc64",
        "cargo run --release --features gc64 --bin low-memory -- --fill 1024 --vm after",
        &["txt"],
    ),
];

/// The recordings: name, programs needed.
const RECORDINGS: [(&str, &[&str]); 9] = [
    ("lua", &["setarch"]),
    ("strace", &["strace"]),
    ("gdb", &["gdb"]),
    ("nginx", &["nginx"]),
    ("brkhole", &["nginx"]),
    ("cure", &["nginx"]),
    ("inspect", &["nginx", "wrk"]),
    ("predictions", &["debootstrap", "nginx"]),
    ("disturbance", &["gcc"]),
];

/// What a run may be called.
pub fn names() -> PossibleValuesParser {
    let experiments = REPRODUCER_RUNS.iter().map(|(name, ..)| *name);
    experiments.chain(RECORDINGS.iter().map(|(name, _)| *name)).into()
}

/// Makes the runs of these names, or all, and fills the figures from them. A recording whose
/// program is missing stays as it is.
///
/// # Errors
/// When a run fails.
pub fn make(names: &[String]) -> anyhow::Result<()> {
    let is_wanted = |name: &str| names.is_empty() || names.iter().any(|wanted| wanted == name);
    for (name, command, kept) in REPRODUCER_RUNS {
        if is_wanted(name) {
            run_reproducer(name, command, kept)?;
        }
    }
    finish(command("cargo").args(["build", "--release", "--package", "repro"]))?;
    for (name, programs) in RECORDINGS {
        if !is_wanted(name) {
            continue;
        }
        if let Some(missing) = programs.iter().find(|program| !is_installed(program)) {
            println!("{name}: skipped: {missing} isn't installed");
        } else {
            println!("{name} …");
            record(name)?;
        }
    }
    figures::fill()
}

fn run_reproducer(name: &str, command: &str, kept: &[&str]) -> anyhow::Result<()> {
    println!("{command} …");
    let place = tempfile::tempdir()?;
    let mut arguments: Vec<&OsStr> = command.split(' ').skip(1).map(OsStr::new).collect();
    // The package's default needs no name.
    let mut words = command.split(' ').skip_while(|word| *word != "--bin");
    let binary = words.nth(1).unwrap_or("locations");
    if !command.contains(" -- ") {
        arguments.push(OsStr::new("--"));
    }
    arguments.extend([OsStr::new("--out"), place.path().as_os_str()]);
    let printed = output("cargo", arguments)?;
    let written =
        |extension| fs::read_to_string(place.path().join(binary).with_extension(extension));
    let mut run: Value = serde_json::from_str(&written("json")?)?;
    run["recorded"] = json!({ "command": command, "date": today()? });
    let text = serde_json::to_string_pretty(&run)? + "\n";
    write(&format!("runs/{name}.json"), &text)?;
    for extension in kept {
        let text = match *extension {
            "txt" => printed.clone(),
            drawn => written(drawn)?,
        };
        write(&format!("runs/{name}.{extension}"), &text)?;
    }
    Ok(())
}

fn record(name: &str) -> anyhow::Result<()> {
    match name {
        "strace" => {
            for arm in ["control", "hole"] {
                let mut tried = (0..5).map(|_| strace(arm));
                let text = tried
                    .find(|text| text.as_ref().is_ok_and(|text| is_of(arm, text)))
                    .with_context(|| format!("strace: no run has the break of {arm}"))??;
                write(&format!("runs/strace-{arm}.txt"), &text)?;
            }
            Ok(())
        }
        "gdb" => {
            write("runs/gdb.txt", &gdb("who-asks")?)?;
            write("runs/gdb-gives-back.txt", &gdb("who-gives-back")?)
        }
        "predictions" | "disturbance" => {
            finish(command("cargo").args(["testbed", name, "--out", "runs"]))?;
            if name == "predictions" {
                // For spreadsheets; nothing in the texts comes from it.
                fs::remove_file(root().join("runs/predictions.csv"))?;
            }
            Ok(())
        }
        _ => finish(&mut command(format!("runs/{name}/run.sh"))),
    }
}

/// Runs it without its standard output.
fn finish(command: &mut Command) -> anyhow::Result<()> {
    run(command.stdout(Stdio::null()))
}

/// What a script of the book tells of two locations.
fn gdb(script: &str) -> anyhow::Result<String> {
    let script = format!("book/gdb/{script}.gdb");
    let arguments = ["-nx", "-batch", "-x", &script, "--args"];
    let program = ["target/release/locations", "2", BUNDLE];
    let text = output("gdb", arguments.into_iter().chain(program))?;
    // What stands before the script's own headings names this machine's directories.
    let (_, told) =
        text.split_once("== ").with_context(|| format!("{script}: gdb didn't come so far"))?;
    Ok(format!("== {told}"))
}

fn strace(arm: &str) -> anyhow::Result<String> {
    let log = tempfile::NamedTempFile::new()?;
    let calls = "trace=openat,read,close,brk,mmap,munmap";
    let mut command = command("strace");
    command
        .args(["-e", calls, "-o"])
        .arg(log.path())
        .args(["target/release/locations", "5", BUNDLE])
        .env("BRKHOLE_ARM", arm);
    run(&mut command)?;
    Ok(fs::read_to_string(log.path())?)
}

/// Whether the break was free (control) or blocked by the trick (hole). Where randomisation puts
/// the break decides both now and then: above the trick's guard, or close below another mapping.
fn is_of(arm: &str, log: &str) -> bool {
    let is_refused = |line: &str| {
        line.strip_prefix("brk(0x")
            .and_then(|line| line.split_once(')'))
            .is_some_and(|(asked, answer)| !answer.ends_with(asked))
    };
    match arm {
        "hole" => log.contains(", 1, PROT_READ, MAP_PRIVATE|MAP_FIXED"),
        _ => !log.lines().any(is_refused),
    }
}

fn today() -> anyhow::Result<String> {
    Ok(output("date", ["+%Y-%m-%d"])?.trim().to_owned())
}

fn write(name: &str, text: &str) -> anyhow::Result<()> {
    let path = root().join(name);
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    fs::write(path, text).with_context(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::is_of;

    #[test]
    fn a_recording_of_the_wrong_arm_is_noticed() {
        let free = "brk(NULL) = 0x1000\nbrk(0x2000)      = 0x2000\n";
        let refused = "brk(NULL) = 0x1000\nbrk(0x2000)      = 0x1000\n";
        let trick =
            "mmap(0x1000, 1, PROT_READ, MAP_PRIVATE|MAP_FIXED|MAP_ANONYMOUS, -1, 0) = 0x1000\n";
        assert!(is_of("control", free));
        assert!(!is_of("control", refused));
        assert!(is_of("hole", &format!("{trick}{refused}")));
        assert!(!is_of("hole", free));
    }
}

//! Makes the committed runs anew. Do it on a machine that does nothing else.

use crate::documents::root;
use crate::figures;
use crate::programs::{command, finish, is_installed, output, run};
use anyhow::Context;
use clap::builder::PossibleValuesParser;
use serde_json::{Value, json};
use std::ffi::OsStr;
use std::fs;

/// The bundle of the recordings, where Debian and its relatives keep it.
const BUNDLE: &str = "/etc/ssl/certs/ca-certificates.crt";

/// A binary of the story, and how it is run for the record.
struct ReproducerRun {
    /// Name of the run, and of its file.
    name: &'static str,
    binary: &'static str,
    /// How the binary is built, where it isn't as it comes.
    build: &'static [&'static str],
    flags: &'static [&'static str],
    kept: KeptOutput,
}

/// What is kept of an experiment besides its results.
#[derive(Clone, Copy, PartialEq, Eq)]
enum KeptOutput {
    /// Table and chart are made anew from the results.
    Nothing,
    /// The table as it was printed.
    Table,
    /// And the chart as it was drawn.
    TableAndChart,
}

impl ReproducerRun {
    const fn new(name: &'static str, flags: &'static [&'static str]) -> Self {
        Self {
            name,
            binary: name,
            build: &[],
            flags,
            kept: KeptOutput::Nothing,
        }
    }

    const fn printed(name: &'static str, flags: &'static [&'static str]) -> Self {
        Self {
            kept: KeptOutput::Table,
            ..Self::new(name, flags)
        }
    }

    /// How somebody would build and run it.
    fn command(&self) -> Vec<&'static str> {
        let mut words = vec!["cargo", "run", "--release"];
        words.extend(self.build);
        // The package's default needs no name.
        if self.binary != REPRODUCER_RUNS[0].binary {
            words.extend(["--bin", self.binary]);
        }
        if !self.flags.is_empty() {
            words.push("--");
            words.extend(self.flags);
        }
        words
    }
}

/// The experiments. `locations` has no flags, so that the README can show what `cargo run --release`
/// prints.
const REPRODUCER_RUNS: [ReproducerRun; 9] = [
    ReproducerRun::new("locations", &[]),
    ReproducerRun {
        binary: "locations",
        ..with_systems_openssl("locations-system-openssl")
    },
    ReproducerRun::new("reload", &["--repeats", "10"]),
    ReproducerRun {
        binary: "reload",
        ..with_systems_openssl("reload-system-openssl")
    },
    ReproducerRun::new("burst", &["--repeats", "10"]),
    ReproducerRun::printed("oom", &[]),
    ReproducerRun {
        binary: "oom",
        ..ReproducerRun::printed(
            "oom-rlimit",
            &["--limit", "rlimit", "--budget", "64MiB", "--repeats", "1"],
        )
    },
    ReproducerRun {
        kept: KeptOutput::TableAndChart,
        ..ReproducerRun::printed("low-memory", &["--repeats", "5"])
    },
    ReproducerRun {
        binary: "low-memory",
        build: &["--features", "gc64"],
        ..ReproducerRun::printed("low-memory-gc64", &["--fill", "1024", "--vm", "after"])
    },
];

/// Beside the machine's nginx: with the library that it runs with, and fewer repeats.
const fn with_systems_openssl(name: &'static str) -> ReproducerRun {
    ReproducerRun {
        build: &["--no-default-features", "--features", "system-openssl"],
        ..ReproducerRun::new(name, &["--repeats", "3"])
    }
}

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
    let experiments = REPRODUCER_RUNS.iter().map(|experiment| experiment.name);
    experiments
        .chain(RECORDINGS.iter().map(|(name, _)| *name))
        .into()
}

/// Makes the runs of these names, or all, and fills the figures from them. A recording whose
/// program is missing stays as it is.
///
/// # Errors
///
/// When a run fails.
pub fn make(names: &[String]) -> anyhow::Result<()> {
    let is_wanted = |name: &str| names.is_empty() || names.iter().any(|wanted| wanted == name);
    for experiment in REPRODUCER_RUNS {
        if is_wanted(experiment.name) {
            run_reproducer(&experiment)?;
        }
    }
    finish("cargo", ["build", "--release", "--package", "repro"])?;
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

fn run_reproducer(experiment: &ReproducerRun) -> anyhow::Result<()> {
    let words = experiment.command();
    let shown = words.join(" ");
    println!("{shown} …");
    let place = tempfile::tempdir()?;
    let mut arguments: Vec<&OsStr> = words[1..].iter().map(OsStr::new).collect();
    if experiment.flags.is_empty() {
        arguments.push(OsStr::new("--"));
    }
    arguments.extend([OsStr::new("--out"), place.path().as_os_str()]);
    let printed = output(words[0], arguments)?;
    let written = |extension: &str| {
        place
            .path()
            .join(experiment.binary)
            .with_extension(extension)
    };
    let mut run: Value = serde_json::from_str(&fs::read_to_string(written("json"))?)?;
    run["recorded"] = json!({ "command": shown, "date": today()? });
    let mut text = serde_json::to_string_pretty(&run)?;
    text.push('\n');
    write(&format!("runs/{}.json", experiment.name), &text)?;
    if experiment.kept != KeptOutput::Nothing {
        write(&format!("runs/{}.txt", experiment.name), &printed)?;
    }
    if experiment.kept == KeptOutput::TableAndChart {
        let chart = fs::read_to_string(written("svg"))?;
        write(&format!("runs/{}.svg", experiment.name), &chart)?;
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
        "predictions" => {
            measure(name)?;
            // For spreadsheets; nothing in the texts comes from it.
            fs::remove_file(root().join("runs/predictions.csv")).context("predictions' table")
        }
        "disturbance" => measure(name),
        _ => finish(format!("runs/{name}/run.sh"), [] as [&str; 0]),
    }
}

fn measure(campaign: &str) -> anyhow::Result<()> {
    finish("cargo", ["testbed", campaign, "--out", "runs"])
}

/// What a script of the book tells of two locations.
fn gdb(script: &str) -> anyhow::Result<String> {
    let script = format!("book/gdb/{script}.gdb");
    let arguments = ["-nx", "-batch", "-x", &script, "--args"];
    let program = ["target/release/locations", "2", BUNDLE];
    let text = output("gdb", arguments.into_iter().chain(program))?;
    // What stands before the script's own headings names this machine's directories.
    let (_, told) = text
        .split_once("== ")
        .with_context(|| format!("{script}: gdb didn't come so far"))?;
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

//! The tests that depend on the kernel, on Debian's kernels: each boots in QEMU, without KVM, with this
//! machine's root, which it can read and not change.
//! And what each way of watching costs there: the same work watched in each, instructions counted.

mod fetch;
mod report;

use anyhow::Context;
use fetch::Kernel;
use report::Run;
use roots::repository::{command, root, target};
use serde_json::{Map, Value, json};
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;
use std::time::Instant;

/// Which kernels, and what they are booted with.
#[derive(Debug, clap::Args)]
pub struct KernelsOptions {
    /// Debian releases whose newest kernels are fetched.
    #[arg(
        long,
        value_name = "RELEASES",
        value_delimiter = ',',
        default_value = "bookworm,bookworm-backports,sid"
    )]
    debian: Vec<String>,
    /// Parameters for the kernel: one boot for each that it knows. `splash` changes nothing.
    #[arg(
        long,
        value_name = "PARAMETERS",
        value_delimiter = ',',
        default_value = "splash,preempt=full,preempt=lazy,lockdown=confidentiality"
    )]
    boots: Vec<String>,
    /// Test programs, by their packages, and which of their tests.
    #[arg(
        long,
        value_name = "PACKAGE=FILTER",
        value_delimiter = ',',
        default_value = "bpf-memory-trace=,memory-trace=attach::cgroup attach::counts attach::everybody attach::held attach::i386 attach::lost attach::rights attach::stacks attach::uring"
    )]
    tests: Vec<String>,
    /// Measure instead what each way of watching costs, by counting instructions, for runs/kernels.
    #[arg(long, conflicts_with_all = ["boots", "tests"])]
    cost: bool,
    /// Seconds after which a machine is switched off.
    #[arg(long, value_name = "SECONDS", default_value_t = 1800)]
    patience: u32,
}

/// Two processors of one thread: with one each, QEMU now and then runs what the kernel has just changed.
const TWO_PROCESSORS: &str = "-accel tcg,thread=single -smp 2";
/// One that takes a nanosecond for each instruction.
const COUNTING: &str = "-accel tcg -icount shift=0 -smp 1";

/// Boots each kernel with each parameter, and prints what its tests said.
pub fn test(options: &KernelsOptions) -> anyhow::Result<()> {
    if options.cost {
        return record_cost(options);
    }
    let programs = programs(&options.tests, "dev")?;
    let mut runs = Vec::new();
    for release in &options.debian {
        let kernel = fetch::kernel(release)?;
        for boot in &options.boots {
            if !kernel.knows(boot)? {
                continue;
            }
            let title = format!("Linux {} {boot}", kernel.version);
            runs.extend(run(&kernel, &title, boot, TWO_PROCESSORS, &programs, options.patience)?);
        }
    }
    println!();
    runs.iter().for_each(|run| println!("{run}"));
    anyhow::ensure!(runs.iter().all(Run::is_good), "not all tests passed");
    Ok(())
}

/// Builds the test programs: their names, and how they are called.
fn programs(tests: &[String], profile: &str) -> anyhow::Result<Vec<(String, String)>> {
    let named = tests.iter().map(|test| test.split_once('=').unwrap_or((test, "")));
    let build = "test --no-run --test it --all-features --message-format json-render-diagnostics";
    let profile = ["--profile", profile];
    let packages = named.clone().flat_map(|(package, _)| ["--package", package]);
    let mut cargo = command("cargo");
    let built = cargo
        .args(build.split(' '))
        .args(profile)
        .args(packages)
        .stderr(Stdio::inherit())
        .output()?;
    anyhow::ensure!(built.status.success(), "cargo test --no-run: {}", built.status);
    let built = String::from_utf8(built.stdout)?;
    let built: Vec<Value> = built.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    named
        .map(|(package, filter)| {
            let manifest = format!("/{package}/Cargo.toml");
            let program = built.iter().find_map(|message| {
                let is_of_it = message["manifest_path"].as_str()?.ends_with(&manifest);
                let is_test = message["target"]["name"] == "it";
                message["executable"].as_str().filter(|_| is_of_it && is_test)
            });
            let program = program.with_context(|| format!("{package} has no test program"))?;
            // One at a time: some change what holds for the whole machine.
            let call =
                format!("'{program}' --include-ignored --test-threads 1 --color never {filter}");
            Ok((package.to_owned(), call))
        })
        .collect()
}

/// Has a machine run these. It goes when this process goes.
fn run(
    kernel: &Kernel,
    title: &str,
    boot: &str,
    processors: &str,
    programs: &[(String, String)],
    patience: u32,
) -> anyhow::Result<Vec<Run>> {
    const NEXT: &str = "=== ";
    let calls = programs.iter().map(|(package, call)| format!("echo '{NEXT}{package}'; {call}\n"));
    // Tests have as long as their machine: what takes a minute elsewhere takes it many.
    let job = format!(
        "cd '{}'\nexport SUITE_PATIENCE_SECONDS={patience}\n{}",
        root().display(),
        calls.collect::<String>()
    );
    let image = kernel.directory.join("initramfs");
    fs::write(&image, fetch::initramfs(&kernel.modules()?, &job)?)?;
    let parameters = format!(
        "console=ttyS0 quiet panic=-1 mitigations=off rcupdate.rcu_expedited=1 {boot} repository={}",
        root().display()
    );
    let mut machine = command("setpriv")
        .args("--pdeathsig TERM timeout --foreground".split(' '))
        .args([&patience.to_string(), "qemu-system-x86_64"])
        .args(processors.split(' '))
        .args("-cpu max -m 2G -no-reboot -nodefaults".split(' '))
        .args("-display none -serial stdio -virtfs".split(' '))
        .arg("local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap")
        .arg("-kernel")
        .arg(kernel.image()?)
        .arg("-initrd")
        .arg(image)
        .args(["-append", &parameters])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("QEMU: apt-get install qemu-system-x86 busybox-static")?;
    let console = machine.stdout.take().context("its console is a pipe")?;
    let mut log = File::create(target().join("kernels").join(format!("{title}.log")))?;
    let began = Instant::now();
    let mut runs = Vec::new();
    println!("{NEXT}{title}");
    for line in BufReader::new(console).split(b'\n') {
        let line = String::from_utf8_lossy(&line?).trim_end().to_owned();
        let timed = format!("{:4} {line}", began.elapsed().as_secs());
        println!("{timed}");
        writeln!(log, "{timed}")?;
        match (line.strip_prefix(NEXT), runs.last_mut()) {
            (Some(package), _) => runs.push(Run::new(format!("{title}: {package}"))),
            (None, Some(run)) => run.line(&line),
            (None, None) => {}
        }
    }
    let status = machine.wait()?;
    anyhow::ensure!(
        runs.len() == programs.len(),
        "{title}: it ended early ({status}; 124: after {patience} s)"
    );
    Ok(runs)
}

/// Measures on each kernel and writes `runs/kernels.json`: by release and way, how long the work takes, of
/// the process's own time and until it is done.
fn record_cost(options: &KernelsOptions) -> anyhow::Result<()> {
    let programs = programs(&["memory-trace=attach::cost".to_owned()], "release")?;
    let mut recorded = Map::new();
    for release in &options.debian {
        let kernel = fetch::kernel(release)?;
        let title = format!("Linux {} counting", kernel.version);
        let runs = run(&kernel, &title, "splash", COUNTING, &programs, options.patience)?;
        let [run] = &runs[..] else {
            anyhow::bail!("{title}: one program was to run");
        };
        anyhow::ensure!(run.is_good(), "{run}");
        let mut told: Map<String, Value> = run.remarks().filter_map(figures).collect();
        anyhow::ensure!(!told.is_empty(), "{title}: nothing was measured");
        told.insert("kernel".to_owned(), kernel.version.into());
        recorded.insert(release.clone(), told.into());
    }
    let text = serde_json::to_string_pretty(&recorded)? + "\n";
    fs::write(root().join("runs/kernels.json"), text).context("runs/kernels.json")
}

/// `cost of bpf: 1 2`; of what nobody else pays for, one figure.
fn figures(remark: &str) -> Option<(String, Value)> {
    let (way, figures) = remark.strip_prefix("cost of ")?.split_once(": ")?;
    let nanoseconds = |figure: &str| figure.parse::<u64>().ok();
    let figures = match figures.split_once(' ') {
        Some((own, all)) => json!({ "own_ns": nanoseconds(own)?, "all_ns": nanoseconds(all)? }),
        None => json!({ "all_ns": nanoseconds(figures)? }),
    };
    Some((way.to_owned(), figures))
}

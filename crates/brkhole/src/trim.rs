//! `brkhole trim`: a running process gives back what its malloc keeps free.
//!
//! It does so by one call of what its allocator offers (`malloc_trim(0)`), in a process that stands still and in which no
//! thread is inside malloc. All the care is in the second half of that sentence.

mod allocators;
mod attempt;
mod calls;
mod errno;
mod inside;
mod library;
mod look;
mod pause;
mod program;
mod refusal;
mod report;
mod scale;
mod sequence;
mod statistics;
mod status;
mod table;
mod target;
mod tools;
mod weight;
mod words;

use std::process::ExitCode;

use heap_meter::environment::Environment;
use heap_meter::report::{Part, json, rows_csv};
use proc_memory::Process;
use proc_unwind::Stacks;
use ptmalloc::{Allocator, Examiner};

use crate::cli::{Format, TrimArguments};
use crate::output::ProcessList;
use crate::{cli, output};
use library::TrimLibrary;
use pause::Interruption;
pub(crate) use refusal::RefusalKind;
pub(crate) use report::{TrimOutcome, TrimReport};
use status::Trimmability;
pub(crate) use table::{failure, gave_back};
use tools::Tools;

/// Whether a process's system calls are filtered, so that it is refused unless that is allowed.
pub(crate) fn is_filtered(pid: i32) -> bool {
    Trimmability::of(pid).is_ok_and(|status| status.is_filtered())
}

/// Why a process can't be trimmed, whenever it is tried: what would be called isn't to be had, or
/// whether a thread is inside it couldn't be told. `None` if nothing is known to stand in the way, as
/// of a shared glibc, which is spared the proof: that takes as long as a look at the process.
pub(crate) fn refused_for_good(
    process: &Process,
    allocator: Option<&Allocator>,
    stacks: &mut Stacks,
) -> Option<String> {
    if let Ok(Some(why)) = Trimmability::of(process.pid()).map(|status| status.hopeless()) {
        return Some(why);
    }
    if matches!(allocator, Some(Allocator::Glibc { is_static: false, .. })) {
        return None;
    }
    let library = TrimLibrary::of(process, stacks, allocator);
    stacks.forget(process.pid());
    library.err().map(|why| format!("{why:#}"))
}

/// What trims processes, one after the other.
pub(crate) struct Trimmer<'a> {
    arguments: &'a TrimArguments,
    tools: Tools,
    pub(crate) interruption: Interruption,
}

impl<'a> Trimmer<'a> {
    /// Listens to signals from now on.
    pub(crate) fn new(arguments: &'a TrimArguments) -> anyhow::Result<Self> {
        let interruption = Interruption::listen()?;
        let tools = Tools {
            examiner: Examiner::new(),
            stacks: Stacks::new(),
            counters_are_exact: !arguments.dry_run && weight::are_exact(),
        };
        Ok(Self { arguments, tools, interruption })
    }

    /// What an allocator other than glibc's would give back, where its records tell.
    pub(crate) fn returnable_of_another(&mut self, process: &Process) -> Option<u64> {
        look::returnable(process, &self.tools.examiner.examine(process))
    }

    /// One process, from the first look to the report.
    pub(crate) fn trim(&mut self, process: &Process) -> TrimReport {
        let report = sequence::run(process, self.arguments, &mut self.tools, &self.interruption);
        self.tools.stacks.forget(process.pid());
        report
    }
}

/// Trims one process after the other, and reports.
pub(crate) fn run(arguments: &TrimArguments) -> anyhow::Result<ExitCode> {
    output::check_writable([arguments.html.as_ref()], arguments.output.file.as_ref(), &[])?;
    let pids = cli::chosen(&arguments.processes.pids, &arguments.processes.wanted)?;
    let mut trimmer = Trimmer::new(arguments)?;
    let mut reports: Vec<TrimReport> = Vec::new();
    let mut is_cut_short = false;
    for (index, &pid) in pids.iter().enumerate() {
        reports.push(match Process::open(pid) {
            Ok(process) => trimmer.trim(&process),
            Err(error) => TrimReport::new(pid).ended(TrimOutcome::Refused, error.to_string()),
        });
        let left = pids.len() - index - 1;
        if let Some(signal) = trimmer.interruption.signal()
            && left > 0
        {
            eprintln!("brkhole: signal {signal}: {left} processes were left as they are");
            is_cut_short = true;
            break;
        }
    }
    let failures: Vec<_> = reports.iter().filter_map(table::failure).collect();
    write(&reports, &failures, arguments)?;
    failures.iter().for_each(|failure| eprintln!("brkhole: {failure}"));
    Ok(match !is_cut_short && reports.iter().all(TrimReport::is_success) {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

fn write(
    reports: &[TrimReport],
    failures: &[String],
    arguments: &TrimArguments,
) -> anyhow::Result<()> {
    let text = match arguments.output.format {
        Format::Table => output::fitted(&table::of(reports), arguments.output.file.as_deref()),
        Format::Json => json(&ProcessList { processes: reports })?,
        Format::Csv => rows_csv(reports.iter().map(table::csv_row))?,
    };
    output::write(&text, &arguments.output)?;
    if let Some(path) = &arguments.html {
        let mut sections = table::of(reports);
        sections.0.push(failures.iter().cloned().map(Part::Note).collect());
        let mut page = output::page(sections);
        page.environment = Some(Environment::here());
        output::to_file(path, &page.html())?;
    }
    Ok(())
}

//! Where results go: the report, the page of `--html`, and the pictures of `--chart` and `--map`.

mod file;

use std::env;
use std::ffi::OsString;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anstream::{AutoStream, ColorChoice};
use anstyle::AnsiColor;
use anyhow::Context;
use clap::CommandFactory;
use clap::error::ErrorKind;
use heap_diagnosis::Severity;
use heap_growth::{Growth, MemoryLayout};
use heap_meter::report::chart::{Panel, address_map, growth_over_time};
use heap_meter::report::{self, Extent, Figure, Page, Sections};
use heap_meter::trace::Trace;
use human_text::shell_words;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::cli::{Cli, Format, OutputArguments};

pub(crate) use self::file::Readers;

/// Writes a watched run as the user asked for it.
pub(crate) fn write_trace(trace: &Trace, output: &OutputArguments) -> anyhow::Result<()> {
    let text = match output.format {
        Format::Table => fitted(&report::trace_table(trace, Extent::TEXT), output.file.as_deref()),
        Format::Json => report::json(trace)?,
        Format::Csv => report::trace_csv(trace)?,
    };
    write(&text, output)
}

/// A report as text, as wide as the file or the standard output to which it goes, and with colours
/// where that is a terminal that has them and nobody objects (`NO_COLOR`).
pub(crate) fn fitted(sections: &Sections, file: Option<&Path>) -> String {
    let plain = |severity: Severity| severity.to_string();
    if file.is_some_and(|file| !is_stdout(file)) {
        return sections.fitted(report::COLUMNS, plain);
    }
    match AutoStream::choice(&io::stdout()) {
        ColorChoice::Never => sections.fitted(report::stdout_columns(), plain),
        _ => sections.fitted(report::stdout_columns(), coloured),
    }
}

/// The word that says how much a finding matters, in its colour.
fn coloured(severity: Severity) -> String {
    let colour = match severity {
        Severity::Critical => AnsiColor::Red,
        Severity::Warning => AnsiColor::Yellow,
        _ => AnsiColor::Cyan,
    };
    let style = colour.on_default().bold();
    format!("{style}{severity}{style:#}")
}

/// JSON of what was done to processes, or seen in them.
#[derive(Debug, Serialize)]
pub(crate) struct ProcessList<'a, T> {
    pub(crate) processes: &'a [T],
}

/// A bar on stderr; indicatif hides it when that is no terminal.
pub(crate) fn bar(template: &str, length: u64) -> ProgressBar {
    let style = ProgressStyle::with_template(template);
    ProgressBar::new(length).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// A command as one line.
pub(crate) fn command_line(words: &[OsString]) -> String {
    let words: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
    words.join(" ")
}

/// Writes results to the user's file, or to standard output.
pub(crate) fn write(text: &str, output: &OutputArguments) -> anyhow::Result<()> {
    match &output.file {
        Some(file) => to_file(file, text),
        None => to_stdout(text).map(drop),
    }
}

/// Writes to standard output; false if nobody reads there any more: `brkhole … | head -1` has got
/// what it wanted.
pub(crate) fn to_stdout(text: impl AsRef<[u8]>) -> anyhow::Result<bool> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_ref()).and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(error).context("can't write to standard output"),
    }
}

/// Draws what was asked for of a run; `has_clock` says whether its events have times. Gives a word
/// for each picture that there is none of.
pub(crate) fn draw_run(
    chart: Option<&PathBuf>,
    map: Option<&PathBuf>,
    growth: &Growth,
    title: &str,
    has_clock: bool,
) -> anyhow::Result<Vec<String>> {
    let mut undrawn = Vec::new();
    if let Some(path) = map {
        match growth.layout() {
            Some(layout) => to_file(path, &map_of(&[Panel::new("", &layout)], title))?,
            None => undrawn.push("no map was drawn: no process grew".to_owned()),
        }
    }
    if let Some(path) = chart {
        match growth_over_time(growth, title) {
            Some(svg) if has_clock => to_file(path, &svg)?,
            Some(_) => {
                undrawn.push("no chart was drawn: the log holds no times (strace -ttt)".to_owned())
            }
            None => undrawn.push("no chart was drawn: memory never changed".to_owned()),
        }
    }
    Ok(undrawn)
}

/// Draws arms one above the other; those in which nothing grew are left out.
pub(crate) fn map_of_arms(arms: &[(String, MemoryLayout)], what: &str) -> String {
    let panels = arms.iter().map(|(name, layout)| Panel::new(name, layout));
    map_of(&panels.collect::<Vec<_>>(), what)
}

fn map_of(panels: &[Panel<'_>], what: &str) -> String {
    address_map(&format!("Where its memory lies: {what}"), panels)
}

/// A report as a page, with what was typed.
pub(crate) fn page(sections: Sections) -> Page<'static> {
    let typed = [OsString::from("brkhole")].into_iter().chain(env::args_os().skip(1));
    Page::new(sections, concat!("brkhole ", env!("CARGO_PKG_VERSION")), shell_words(typed))
}

/// The page of a watched run, with those of its pictures that [`draw_run`] would draw.
pub(crate) fn page_of_run(
    trace: &Trace,
    growth: &Growth,
    title: &str,
    has_clock: bool,
) -> Page<'static> {
    let mut page = page(report::trace_table(trace, Extent::PAGE));
    let chart = growth_over_time(growth, title).filter(|_| has_clock);
    let layout = growth.layout();
    let map = layout.map(|layout| map_of(&[Panel::new("", &layout)], title));
    page.figures = chart.into_iter().chain(map).map(Figure::Chart).collect();
    page
}

/// Writes a file as a whole.
pub(crate) fn to_file(path: &Path, text: &str) -> anyhow::Result<()> {
    to_file_for(Readers::Usual, path, text)
}

/// The same for these readers, if the file is a new one.
pub(crate) fn to_file_for(readers: Readers, path: &Path, text: &str) -> anyhow::Result<()> {
    if is_stdout(path) {
        return to_stdout(text).map(drop);
    }
    file::put(path, text, readers).with_context(|| cant_write(path))
}

/// Whether a path stands for standard output, where the report goes without one; a file of that
/// name is `./-`.
pub(crate) fn is_stdout(path: &Path) -> bool {
    path == Path::new("-")
}

/// Says at once, before anything long is run, that a file can't be written; what it holds stays.
/// Two texts in one place, or one in the place of what is read, are bad usage, and end the process
/// as such.
pub(crate) fn check_writable<'a>(
    pictures: impl IntoIterator<Item = Option<&'a PathBuf>>,
    report: Option<&'a PathBuf>,
    read: &[PathBuf],
) -> anyhow::Result<()> {
    let read: Vec<_> = read.iter().filter_map(|path| file::place(path)).collect();
    let mut written = Vec::new();
    let mut on_stdout = u32::from(report.is_none());
    for path in pictures.into_iter().flatten().chain(report) {
        if is_stdout(path) {
            on_stdout += 1;
            continue;
        }
        if let Some(place) = file::place(path) {
            if read.contains(&place) {
                bad_usage(&format!("{} is read, and would be written over", path.display()));
            }
            if written.contains(&place) {
                bad_usage(&format!("only one thing can be written to {}", path.display()));
            }
            written.push(place);
        }
        file::check(path).with_context(|| cant_write(path))?;
    }
    if on_stdout > 1 {
        bad_usage(
            "only one thing can be written to standard output (-); without -o FILE it is the report",
        );
    }
    Ok(())
}

/// Ends the process as clap does, with the usage of the subcommand that was typed.
pub(crate) fn bad_usage(what: &str) -> ! {
    let mut command = Cli::command();
    command.build();
    let typed = env::args_os().nth(1).unwrap_or_default();
    let typed = command.find_subcommand(typed).cloned();
    typed.unwrap_or(command).error(ErrorKind::ArgumentConflict, what).exit()
}

fn cant_write(path: &Path) -> String {
    format!("can't write {} (or its directory)", path.display())
}

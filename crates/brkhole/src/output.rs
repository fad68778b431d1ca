//! Where results go.

mod file;

use std::io::{self, Write};
use std::path::Path;

use anyhow::Context;
use heap_meter::report;
use heap_meter::trace::Trace;

pub(crate) use self::file::Readers;
use crate::cli::{Format, OutputArguments};

/// Writes a watched run as the user asked for it.
pub(crate) fn write_trace(trace: &Trace, output: &OutputArguments) -> anyhow::Result<()> {
    let text = match output.format {
        Format::Table => report::trace_table(trace),
        Format::Json => report::trace_json(trace)?,
        Format::Csv => report::trace_csv(trace)?,
    };
    write(&text, output)
}

/// Writes results to the user's file, or to standard output.
pub(crate) fn write(text: &str, output: &OutputArguments) -> anyhow::Result<()> {
    match &output.file {
        Some(file) => to_file(file, text),
        None => match io::stdout().write_all(text.as_bytes()) {
            // `brkhole … | head -1` has got what it wanted.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            other => other.context("can't write to standard output"),
        },
    }
}

/// Writes a file as a whole.
pub(crate) fn to_file(path: &Path, text: &str) -> anyhow::Result<()> {
    to_file_for(Readers::Usual, path, text)
}

/// The same for these readers, if the file is a new one.
pub(crate) fn to_file_for(readers: Readers, path: &Path, text: &str) -> anyhow::Result<()> {
    file::put(path, text, readers).with_context(|| cant_write(path))
}

/// Says at once, before anything long is run, that a file can't be written; what it holds stays.
pub(crate) fn check_writable<'a>(
    paths: impl IntoIterator<Item = Option<&'a std::path::PathBuf>>,
) -> anyhow::Result<()> {
    for path in paths.into_iter().flatten() {
        file::check(path).with_context(|| cant_write(path))?;
    }
    Ok(())
}

fn cant_write(path: &Path) -> String {
    format!("can't write {} (or its directory)", path.display())
}

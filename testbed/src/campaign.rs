//! What all campaigns share: their flags, and a frame for raw results, faults and table.

use clap::Args;
use clap::builder::RangedU64ValueParser;
use heap_meter::environment::Environment;
use heap_meter::experiment::Store;
use roots::repository::{self, output};
use serde::Serialize;
use serde_json::{Value, json};
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// What the campaigns that go through all releases take on the command line. (No default by a const
/// parameter: clap keeps its text in a static, of which all instances of a generic have one.)
#[derive(Debug, Args)]
pub struct ReleaseOptions {
    /// nginx's locations, or as many SSL contexts: what a further one costs takes at least 2.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = at_least(2))]
    pub locations: u32,
    /// How often each arm is run.
    #[arg(long, value_name = "R", default_value_t = 3, value_parser = at_least(1))]
    pub repeats: u32,
    /// Directory for the raw data, from the repository's root.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

/// A whole number from this one on.
pub fn at_least(least: u64) -> RangedU64ValueParser<u32> {
    RangedU64ValueParser::new().range(least..)
}

/// What a campaign measured so far. Its JSON is the raw results; table and verdict come from them.
pub trait Measurements: Serialize {
    /// The campaign, on the command line and as the name of its files.
    const NAME: &'static str;

    /// For people, with the faults.
    fn table(&self) -> String;

    /// What isn't as it should be, in a line; none if all is.
    fn verdict(&self) -> Option<String>;

    /// The machine, and what else was the same for all that was measured.
    fn environment(&self) -> anyhow::Result<Environment> {
        Ok(Environment::here())
    }

    /// Files that are kept beside the JSON: extension, content.
    fn other_files(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    /// The raw results, with what made them.
    fn to_json(&self) -> anyhow::Result<String> {
        let mut raw = serde_json::to_value(self)?;
        raw["experiment"] = json!(Self::NAME);
        raw["environment"] = json!(self.environment()?);
        let words: Vec<String> = std::env::args().skip(1).collect();
        raw["recorded"] = json!({
            "command": format!("cargo testbed {}", words.join(" ")),
            "date": output("date", ["+%Y-%m-%d"])?.trim(),
        });
        Ok(serde_json::to_string_pretty(&raw)? + "\n")
    }
}

/// Keeps measurements in the directory that the command line names, if it does.
#[derive(Debug)]
pub struct Recorder(Option<Store>);

impl Recorder {
    /// The directory is made, and tried, before the work.
    pub fn open(out: Option<&Path>) -> anyhow::Result<Self> {
        let open = |out| Store::open(repository::root().join(out));
        Ok(Self(out.map(open).transpose()?))
    }

    /// Keeps what was measured so far: after every place, so that a later failure loses nothing.
    pub fn keep<M: Measurements>(&self, measurements: &M) -> anyhow::Result<()> {
        let Some(store) = &self.0 else {
            return Ok(());
        };
        let mut files = measurements.other_files();
        files.push(("json", measurements.to_json()?));
        for (extension, content) in files {
            store.keep_file(&format!("{}.{extension}", M::NAME), content.as_bytes())?;
        }
        Ok(())
    }
}

/// Prints the table, and fails if something isn't as it should be.
pub fn judge<M: Measurements>(measurements: &M) -> anyhow::Result<()> {
    print!("{}", measurements.table());
    match measurements.verdict() {
        Some(verdict) => anyhow::bail!(verdict),
        None => Ok(()),
    }
}

/// For the end of a table: a paragraph for each fault, with the place where it was found.
pub fn fault_lines<'a>(word: &str, faults: impl Iterator<Item = (&'a str, String)>) -> String {
    faults.fold(String::new(), |mut text, (place, fault)| {
        // A string takes whatever is written.
        let _ = writeln!(text, "\n{word} {place}: {fault}");
        text
    })
}

/// The size of a bundle of certificates, for the raw results.
pub fn bundle_size(bundle: &[u8]) -> Value {
    let text = String::from_utf8_lossy(bundle);
    let certificates = text.matches("-----BEGIN CERTIFICATE-----").count();
    json!({ "bytes": bundle.len(), "certificates": certificates })
}

#[cfg(test)]
mod tests;

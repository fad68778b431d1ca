//! A release's programs, run with the library and without it.

use super::library::{FILE_NAME, INSIDE, LogLine};
use crate::testbed::{FILES, Testbed};
use std::fs;
use std::thread::sleep;
use std::time::Duration;

pub const BUNDLE: &str = "/files/bundle.pem";

/// Where the scripts are inside.
pub const SCRIPTS: &str = "/repository/runs/distributions";

/// A file that was changed just now isn't remembered by the library: the next change might leave
/// the same times.
const SETTLED: Duration = Duration::from_millis(3500);

/// A program that takes longer hangs: what takes longest is nginx without the library, a second or
/// so for every ten locations on a busy machine.
const TIMEOUT_SECONDS: &str = "900";

/// With the library or without it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PreloadMode {
    /// As the distribution made it.
    Without,
    /// With the library, which is told to keep out.
    Off,
    /// Parsed once, a private store for each context.
    Private,
    /// Parsed once, one store for all contexts.
    SharedStore,
}

impl PreloadMode {
    /// All in which the library is there.
    pub const WITH: [Self; 3] = [Self::Off, Self::Private, Self::SharedStore];

    pub fn name(self) -> &'static str {
        match self {
            Self::Without => "without",
            Self::Off => "off",
            Self::Private => "private",
            Self::SharedStore => "shared-store",
        }
    }

    /// Whether the library is to do something.
    pub fn is_acting(self) -> bool {
        matches!(self, Self::Private | Self::SharedStore)
    }

    /// The variables that `env` sets for it.
    pub fn variables(self) -> Vec<String> {
        let mut variables = Vec::new();
        if self != Self::Without {
            variables.push(format!("LD_PRELOAD={INSIDE}/{FILE_NAME}"));
            variables.push(format!("TRUSTED_CA_LOG={FILES}/log"));
        }
        if matches!(self, Self::Off | Self::SharedStore) {
            variables.push(format!("TRUSTED_CA={}", self.name()));
        }
        variables
    }
}

/// One release's root, ready for its programs.
#[derive(Debug)]
pub struct PreloadSite<'a> {
    pub place: Testbed<'a>,
}

/// What a program said, and what the library logged of it.
#[derive(Debug)]
pub struct ProgramOutput {
    pub out: String,
    /// A line for each process that loaded something.
    pub log: Vec<LogLine>,
}

impl<'a> PreloadSite<'a> {
    /// Puts the bundle there, and has the root's openssl make certificates.
    pub fn prepare(place: Testbed<'a>, bundle: &[u8]) -> anyhow::Result<Self> {
        place.write("bundle.pem", bundle)?;
        let site = Self { place };
        let prepare = format!("{SCRIPTS}/prepare.sh");
        site.run(PreloadMode::Without, &[&prepare, BUNDLE])?;
        sleep(SETTLED);
        Ok(site)
    }

    /// Runs a program in this way, from the files' directory. Fails when it does, or when what the
    /// library logged isn't of its form.
    pub fn run(&self, mode: PreloadMode, words: &[&str]) -> anyhow::Result<ProgramOutput> {
        let variables = mode.variables();
        let mut all: Vec<&str> = variables.iter().map(String::as_str).collect();
        all.extend(words);
        self.env(&all)
    }

    /// Runs what `env` makes of these words: other programs can stand before the mode's variables,
    /// which are to act on the last of them only.
    pub fn env(&self, words: &[&str]) -> anyhow::Result<ProgramOutput> {
        let log = self.place.here("log");
        if log.exists() {
            fs::remove_file(&log)?;
        }
        let output = self
            .place
            .command("env")?
            .args(["-C", FILES, "timeout", "--kill-after=10", TIMEOUT_SECONDS])
            .arg("env")
            .args(words)
            .output()?;
        let (out, err) = (&output.stdout, &output.stderr);
        let (out, err) = (String::from_utf8_lossy(out), String::from_utf8_lossy(err));
        let (release, status) = (self.place.name(), output.status);
        anyhow::ensure!(
            status.success(),
            "{release}: {}: {status}\n{out}{err}",
            words.join(" ")
        );
        // The loader says so, and then runs the program without it.
        anyhow::ensure!(!err.contains("cannot be preloaded"), "{release}: {err}");
        let lines = if log.exists() {
            fs::read_to_string(&log)?
        } else {
            String::new()
        };
        let log = lines.lines().map(LogLine::parse);
        Ok(ProgramOutput {
            log: log.collect::<Result<_, _>>()?,
            out: out.into_owned(),
        })
    }
}

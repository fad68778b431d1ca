//! The preload library: as a root's linker makes it, and what it logs. And a release's programs, run with it
//! and without it.

use crate::testbed::{FILES, Testbed};
use anyhow::Context;
use roots::{BindMount, Root, newest_glibc};
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::Duration;

/// The package that it is made of, and what Cargo calls the file.
const PACKAGE: &str = "trusted-ca-preload";
pub const FILE_NAME: &str = "libtrusted_ca_preload.so";

/// Its directory inside a root.
pub const INSIDE: &str = "/library";

#[derive(Debug, Serialize, Deserialize)]
pub struct PreloadLibrary {
    /// In which release's root it was built.
    pub name: String,
    /// The newest version of glibc's symbols that it asks for, such as `2.28`.
    pub needs_glibc: String,
    #[serde(skip)]
    pub directory: PathBuf,
}

impl PreloadLibrary {
    /// Builds it in this root, as far as it isn't built yet.
    pub fn build(root: &Root) -> anyhow::Result<Self> {
        let directory = root.build(PACKAGE)?;
        let mounts = [BindMount::read_only(&directory, INSIDE)];
        let symbols = root
            .command("objdump", &mounts)?
            .args(["-T", &format!("{INSIDE}/{FILE_NAME}")])
            .output()?;
        anyhow::ensure!(symbols.status.success(), "objdump: {}", symbols.status);
        let symbols = String::from_utf8_lossy(&symbols.stdout);
        Ok(Self {
            name: root.release.name().to_owned(),
            needs_glibc: newest_glibc(&symbols).context("the library asks for no glibc")?,
            directory,
        })
    }
}

/// The line that the library writes when a process ends: what that did with its bundles.
///
/// ```text
/// trusted-ca: pid 4711 (nginx): loads 1001, parses 1, shared 1000, bytes spared 219817000, passed on 0
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    pub program: String,
    pub loads: u64,
    /// Times that the library read one.
    pub parses: u64,
    /// Loads that were answered without reading.
    pub shared: u64,
    /// Bytes of PEM that weren't read for it.
    pub bytes_spared: u64,
    /// Loads that went to OpenSSL as they came.
    pub passed_on: u64,
}

impl LogLine {
    /// Reads one line. Fails when it isn't of that form, or a count is missing.
    pub fn parse(line: &str) -> anyhow::Result<Self> {
        Self::read(line).with_context(|| format!("not a line of the library's log: {line:?}"))
    }

    fn read(line: &str) -> Option<Self> {
        let rest = line.strip_prefix("trusted-ca: pid ")?;
        let (_, rest) = rest.split_once(" (")?;
        let (program, counts) = rest.rsplit_once("): ")?;
        let count = |name: &str| {
            counts
                .split(", ")
                .find_map(|field| field.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
        };
        Some(Self {
            program: program.to_owned(),
            loads: count("loads")?,
            parses: count("parses")?,
            shared: count("shared")?,
            bytes_spared: count("bytes spared")?,
            passed_on: count("passed on")?,
        })
    }
}

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

/// What a program said, and what the library logged of it.
#[derive(Debug)]
pub struct ProgramOutput {
    pub out: String,
    /// A line for each process that loaded something.
    pub log: Vec<LogLine>,
}

/// Puts the bundle there, and has the root's openssl make certificates.
pub fn prepare(place: &Testbed, bundle: &[u8]) -> anyhow::Result<()> {
    place.write("bundle.pem", bundle)?;
    let prepare = format!("{SCRIPTS}/prepare.sh");
    ProgramOutput::in_mode(place, PreloadMode::Without, &[&prepare, BUNDLE])?;
    sleep(SETTLED);
    Ok(())
}

impl ProgramOutput {
    /// Runs a program in this way, from the files' directory. Fails when it does, or when what the
    /// library logged isn't of its form.
    pub fn in_mode(place: &Testbed, mode: PreloadMode, words: &[&str]) -> anyhow::Result<Self> {
        let variables = mode.variables();
        let mut all: Vec<&str> = variables.iter().map(String::as_str).collect();
        all.extend(words);
        Self::of(place, &all)
    }

    /// Runs what `env` makes of these words: other programs can stand before the mode's variables,
    /// which are to act on the last of them only.
    pub fn of(place: &Testbed, words: &[&str]) -> anyhow::Result<Self> {
        let log = place.here("log");
        if log.exists() {
            fs::remove_file(&log)?;
        }
        let output = place
            .command("env")?
            .args(["-C", FILES, "timeout", "--kill-after=10", TIMEOUT_SECONDS])
            .arg("env")
            .args(words)
            .output()?;
        let (out, err) = (&output.stdout, &output.stderr);
        let (out, err) = (String::from_utf8_lossy(out), String::from_utf8_lossy(err));
        let (release, status) = (place.name(), output.status);
        anyhow::ensure!(status.success(), "{release}: {}: {status}\n{out}{err}", words.join(" "));
        // The loader says so, and then runs the program without it.
        anyhow::ensure!(!err.contains("cannot be preloaded"), "{release}: {err}");
        let lines = if log.exists() { fs::read_to_string(&log)? } else { String::new() };
        let log = lines.lines().map(LogLine::parse);
        Ok(Self { log: log.collect::<Result<_, _>>()?, out: out.into_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::LogLine;

    const LINE: &str = "trusted-ca: pid 4711 (nginx): loads 1001, parses 1, shared 1000, \
                        bytes spared 219817000, passed on 0";

    #[test]
    fn every_count_is_found_by_its_name() {
        let line = LogLine::parse(LINE).unwrap();
        assert_eq!(line.program, "nginx");
        assert_eq!((line.loads, line.parses, line.shared), (1001, 1, 1000));
        assert_eq!((line.bytes_spared, line.passed_on), (219_817_000, 0));
    }

    #[test]
    fn a_program_may_have_any_name() {
        let line = LINE.replace("(nginx)", "((sd-pam): x)");
        assert_eq!(LogLine::parse(&line).unwrap().program, "(sd-pam): x");
    }

    #[test]
    fn a_missing_count_is_an_error() {
        assert!(LogLine::parse(&LINE.replace("parses 1, ", "")).is_err());
        assert!(LogLine::parse("trusted-ca: no OpenSSL here").is_err());
    }
}

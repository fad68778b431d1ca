//! The flags of the benches that aren't criterion's, with criterion's names.

use clap::Parser;
use serde::Serialize;

/// How thoroughly to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Enough runs for a narrow interval.
    Full,
    /// Few runs, for CI.
    Quick,
    /// One run of little work: does it work at all?
    Test,
}

/// The command line.
#[derive(Clone, Debug, Default, Parser)]
#[command(
    about = "Compares fresh processes that take turns",
    after_help = "Examples:
  cargo bench -p benches --bench plain_c
  cargo bench -p benches --bench trace -- --quick
  cargo bench -p benches --bench trace -- --strict reads"
)]
pub struct Options {
    /// Only benches with this in their name
    pub filter: Option<String>,

    /// Few runs, for CI
    #[arg(long)]
    pub quick: bool,

    /// End with status 1 when a requirement isn't met or can't be checked
    #[arg(long)]
    pub strict: bool,

    /// Run once, only to see that it works; nothing is kept
    #[arg(long)]
    pub test: bool,

    /// What cargo gives a bench that is to measure
    #[arg(long, hide = true)]
    pub bench: bool,

    /// Taken for the sake of `cargo test --benches -- --nocapture`
    #[arg(long, hide = true)]
    pub nocapture: bool,
}

impl Options {
    /// What was asked for. As criterion has it, `cargo test --benches`, which doesn't say
    /// `--bench`, only tests.
    pub fn mode(&self) -> Mode {
        if self.test || !self.bench {
            Mode::Test
        } else if self.quick {
            Mode::Quick
        } else {
            Mode::Full
        }
    }

    pub fn wants(&self, name: &str) -> bool {
        self.filter.as_ref().is_none_or(|word| name.contains(word.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(words: &[&str]) -> Options {
        Options::parse_from([&["bench"], words].concat())
    }

    #[test]
    fn cargo_bench_measures_and_cargo_test_tests() {
        assert_eq!(options(&["--bench"]).mode(), Mode::Full);
        assert_eq!(options(&["--quick", "--bench"]).mode(), Mode::Quick);
        assert_eq!(options(&["--test", "--bench"]).mode(), Mode::Test);
        assert_eq!(options(&[]).mode(), Mode::Test);
    }

    #[test]
    fn a_word_picks_by_name() {
        assert!(options(&[]).wants("trace/reads"));
        assert!(options(&["reads"]).wants("trace/reads"));
        assert!(!options(&["heap"]).wants("trace/reads"));
    }
}

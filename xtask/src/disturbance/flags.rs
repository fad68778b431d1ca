//! What the command line may ask for.

use anyhow::Context;

/// What is asked for.
#[derive(Debug)]
pub struct Flags<'a> {
    /// Processor time of a run, all threads together.
    pub cpu_seconds: u32,
    /// Runs alone, and as many inspected.
    pub repeats: u32,
    /// Where the raw data goes.
    pub out: Option<&'a str>,
}

impl<'a> Flags<'a> {
    /// Reads them.
    ///
    /// # Errors
    ///
    /// When a flag is unknown, has no value, or one that doesn't fit.
    pub fn of(words: &[&'a str]) -> anyhow::Result<Self> {
        let mut flags = Self {
            cpu_seconds: 20,
            repeats: 10,
            out: None,
        };
        for pair in words.chunks(2) {
            match *pair {
                ["--cpu-seconds", number] => flags.cpu_seconds = positive(pair[0], number)?,
                ["--repeats", number] => flags.repeats = positive(pair[0], number)?,
                ["--out", directory] => flags.out = Some(directory),
                _ => anyhow::bail!(
                    "unknown: {}; --cpu-seconds S, --repeats R and --out DIR are known",
                    pair.join(" ")
                ),
            }
        }
        Ok(flags)
    }
}

fn positive(flag: &str, number: &str) -> anyhow::Result<u32> {
    let parsed = number.parse().ok().filter(|number| *number > 0);
    parsed.with_context(|| format!("{flag} {number}: expected a whole number from 1 on"))
}

#[cfg(test)]
mod tests {
    use super::Flags;

    #[test]
    fn what_is_given_is_taken_and_the_rest_has_defaults() {
        let flags = Flags::of(&["--cpu-seconds", "4", "--out", "x"]).unwrap();
        assert_eq!(
            (flags.cpu_seconds, flags.repeats, flags.out),
            (4, 10, Some("x"))
        );
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for words in [&["--repeats", "0"][..], &["--repeats"], &["--fast", "1"]] {
            assert!(Flags::of(words).is_err(), "{words:?}");
        }
    }
}

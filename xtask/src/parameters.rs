//! What the chores that go through all releases take on the command line.

use anyhow::Context;

/// What is asked for.
#[derive(Debug)]
pub struct Parameters<'a> {
    /// nginx's locations, or as many SSL contexts.
    pub locations: u32,
    /// How often each arm is run.
    pub repeats: u32,
    /// Where the raw data goes.
    pub out: Option<&'a str>,
}

impl<'a> Parameters<'a> {
    /// Reads the flags; `locations` if none are named.
    ///
    /// # Errors
    ///
    /// When a flag is unknown, has no value, or one that doesn't fit.
    pub fn of(flags: &[&'a str], locations: u32) -> anyhow::Result<Self> {
        let mut parameters = Self {
            locations,
            repeats: 3,
            out: None,
        };
        for pair in flags.chunks(2) {
            match *pair {
                ["--locations", number] => parameters.locations = whole(pair[0], number)?,
                ["--repeats", number] => parameters.repeats = whole(pair[0], number)?,
                ["--out", directory] => parameters.out = Some(directory),
                _ => anyhow::bail!(
                    "unknown: {}; --locations N, --repeats R and --out DIR are known",
                    pair.join(" ")
                ),
            }
        }
        anyhow::ensure!(
            parameters.locations > 1,
            "--locations: what a further one costs takes at least 2"
        );
        anyhow::ensure!(parameters.repeats > 0, "--repeats: it takes at least 1");
        Ok(parameters)
    }
}

fn whole(flag: &str, number: &str) -> anyhow::Result<u32> {
    let parsed = number.parse();
    parsed.with_context(|| format!("{flag} {number}: expected a whole number, such as 100"))
}

#[cfg(test)]
mod tests {
    use super::Parameters;

    fn parameters<'a>(flags: &[&'a str]) -> anyhow::Result<Parameters<'a>> {
        Parameters::of(flags, 100)
    }

    #[test]
    fn what_is_given_is_taken_and_the_rest_has_defaults() {
        let given = parameters(&["--repeats", "5", "--out", "x"]).unwrap();
        assert_eq!(
            (given.locations, given.repeats, given.out),
            (100, 5, Some("x"))
        );
        assert_eq!(parameters(&["--locations", "7"]).unwrap().locations, 7);
        let given = Parameters::of(&["--repeats", "5", "--out", "x"], 200).unwrap();
        assert_eq!(
            (given.locations, given.repeats, given.out),
            (200, 5, Some("x"))
        );
    }

    #[test]
    fn a_flag_without_a_value_that_fits_is_refused() {
        for flags in [
            &["--locations"][..],
            &["--locations", "1"],
            &["--locations", "many"],
            &["--repeats", "0"],
            &["--repeats", "-1"],
            &["--out", "x", "--repeat", "3"],
        ] {
            assert!(parameters(flags).is_err(), "{flags:?}");
        }
        let error = parameters(&["--locations", "many"]).unwrap_err();
        assert!(error.to_string().contains("--locations many"), "{error}");
    }
}

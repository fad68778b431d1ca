//! Measuring campaigns: what programs of several Debian releases do, each with its own libraries.

#[cfg(test)]
use suite as _;

mod campaign;
mod distributions;
mod disturbance;
mod history;
mod predictions;
mod reloads;
mod testbed;

use campaign::ReleaseOptions;
use clap::Parser;
use std::process::ExitCode;

/// Measures programs of several Debian releases, each with its own libraries, in small roots
/// (target/roots) that are made once; as root, with debootstrap installed.
#[derive(Debug, Parser)]
#[command(bin_name = "cargo testbed", subcommand_required = true)]
enum Campaign {
    /// Check and measure the preload library with each release's nginx, Python, curl and openssl.
    #[command(mut_arg("locations", |locations| locations.default_value("200")))]
    Distributions(ReleaseOptions),
    /// A burst, and loading the bundle, with the break free and blocked.
    History(ReleaseOptions),
    /// What malloc_trim gives back, predicted and real, on this machine, in all releases and in sid.
    Predictions(ReleaseOptions),
    /// What being looked into costs a program that does nothing but malloc and free.
    Disturbance(disturbance::DisturbanceOptions),
    /// What trim --watch makes of an nginx that is reloaded again and again under load.
    Reloads(reloads::ReloadsOptions),
    /// Make a release's root and say where it is, or run a program in it.
    Root {
        /// Debian's name for it.
        release: roots::Release,
        /// Program and arguments; it sees the repository as /repository.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        program: Vec<String>,
    },
}

fn main() -> ExitCode {
    let done = match Campaign::parse() {
        Campaign::Distributions(options) => distributions::run(&options),
        Campaign::History(options) => history::run(&options),
        Campaign::Predictions(options) => predictions::run(&options),
        Campaign::Disturbance(options) => disturbance::run(&options),
        Campaign::Reloads(options) => reloads::run(&options),
        Campaign::Root { release, program } => roots::run(release, &program),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("testbed: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Campaign;
    use clap::Parser;

    fn parsed(words: &str) -> Result<Campaign, clap::Error> {
        Campaign::try_parse_from(format!("testbed {words}").split(' '))
    }

    #[test]
    fn what_is_given_is_taken_and_the_rest_has_defaults() {
        let given = parsed("history --repeats 5 --out x").unwrap();
        assert!(
            matches!(given, Campaign::History(of) if (of.locations, of.repeats) == (100, 5) && of.out.is_some())
        );
        let given = parsed("distributions --locations 7").unwrap();
        assert!(
            matches!(given, Campaign::Distributions(of) if (of.locations, of.repeats) == (7, 3))
        );
        let given = parsed("root sid gdb --batch --args x").unwrap();
        assert!(matches!(given, Campaign::Root { program, .. } if program.len() == 4));
    }

    #[test]
    fn a_flag_without_a_value_that_fits_is_refused() {
        for words in [
            "history --locations",
            "history --locations 1",
            "predictions --locations many",
            "distributions --repeats 0",
            "disturbance --cpu-seconds 0",
            "disturbance --locations 2",
            "reloads --seconds 0",
            "root potato",
        ] {
            assert!(parsed(words).is_err(), "{words}");
        }
    }
}

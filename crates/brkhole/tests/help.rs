//! Help, completions and manual pages: derived from the command line, and held fast here so that
//! no change of them goes unseen. `UPDATE_HELP=1 cargo test -p brkhole --test it help` writes
//! them anew.

use std::path::Path;

#[test]
fn help_is_as_it_was_read_last() {
    for command in ["", "trace", "explain", "compare", "inspect", "trim"] {
        let (arguments, name) = match command {
            "" => (vec!["--help"], "brkhole"),
            command => (vec![command, "--help"], command),
        };
        let output = crate::common::brkhole(&arguments)
            .env("COLUMNS", "100")
            .output()
            .unwrap();
        assert!(output.status.success());
        let help = String::from_utf8(output.stdout).unwrap();
        assert!(help.contains("Examples:"), "{name}");
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/help/{name}.txt"));
        if std::env::var_os("UPDATE_HELP").is_some() {
            std::fs::write(&path, &help).unwrap();
        }
        let known = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(help, known, "{} differs", path.display());
    }
}

#[test]
fn completions_know_every_subcommand() {
    for shell in ["bash", "zsh", "fish"] {
        let output = crate::common::output(&["completions", shell]);
        assert!(output.status.success());
        let script = String::from_utf8(output.stdout).unwrap();
        for word in [
            "trace",
            "explain",
            "compare",
            "inspect",
            "trim",
            "flamegraph",
        ] {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
}

#[test]
fn a_manual_page_for_each_subcommand() {
    let directory = tempfile::tempdir().unwrap();
    let output = crate::common::output(&["man", directory.path().to_str().unwrap()]);
    assert!(output.status.success());
    for page in [
        "brkhole.1",
        "brkhole-trace.1",
        "brkhole-explain.1",
        "brkhole-compare.1",
        "brkhole-inspect.1",
        "brkhole-trim.1",
    ] {
        let text = std::fs::read_to_string(directory.path().join(page)).unwrap();
        assert!(
            text.contains(".TH") && text.contains("Examples"),
            "{page}: {text}"
        );
    }
    let nowhere = crate::common::output(&["man", "/no/such/directory"]);
    assert_eq!(nowhere.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&nowhere.stderr).contains("/no/such/directory"));
}

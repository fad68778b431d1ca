//! Help, completions and manual pages: derived from the command line, and held fast here so that
//! no change of them goes unseen. `UPDATE_HELP=1 cargo test -p brkhole --test it help` writes
//! them anew.

use std::path::Path;
use std::process::Command;

#[test]
fn help_is_as_it_was_read_last() {
    for command in ["", "trace", "explain", "compare", "inspect", "trim"] {
        let (arguments, name) = match command {
            "" => (vec!["--help"], "brkhole"),
            command => (vec![command, "--help"], command),
        };
        let output = crate::common::brkhole(&arguments).env("COLUMNS", "100").output().unwrap();
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

/// What a shell offers for the last of these words.
fn offered(shell: &str, words: &[&str]) -> Vec<String> {
    let program = Path::new(env!("CARGO_BIN_EXE_brkhole"));
    let path = [program.parent().unwrap().to_str().unwrap(), "/usr/bin:/bin"].join(":");
    let mut command = Command::new(shell);
    match shell {
        "fish" => command.args(["--no-config", "-c"]).arg(format!(
            "brkhole completions fish | source; complete -C 'brkhole {}'",
            words.join(" ")
        )),
        _ => command.arg("-c").arg(BASH).args(["bash", "brkhole"]).args(words),
    };
    let home = tempfile::tempdir().unwrap();
    command.env("PATH", path).env("HOME", home.path()).current_dir("/");
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{shell}: {said}");
    let offered = String::from_utf8(output.stdout).unwrap();
    // Fish has what a word is for behind it.
    let words = offered.lines().filter_map(|line| line.split('\t').next());
    words.map(str::to_owned).collect()
}

const BASH: &str = "source <(brkhole completions bash)
    [[ $(complete -p brkhole) = *'-F _clap_complete_brkhole brkhole' ]] || exit
    COMP_WORDS=(\"$@\") COMP_CWORD=$(($# - 1)); _clap_complete_brkhole brkhole \"${!#}\"
    printf '%s\\n' \"${COMPREPLY[@]}\"";

#[test]
fn bash_completes_commands_processes_and_files() {
    completes_commands_processes_and_files("bash");
}

#[test]
fn fish_completes_commands_processes_and_files() {
    if crate::common::installed("/usr/bin/fish") {
        completes_commands_processes_and_files("fish");
    }
}

fn completes_commands_processes_and_files(shell: &str) {
    let mut sleeper = Command::new("sleep").arg("1000").spawn().unwrap();
    let pid = sleeper.id().to_string();
    for (words, expected) in [
        (&["tri"][..], "trim"),
        (&["trace", "--flame"], "--flamegraph"),
        (&["trace", "slee"], "sleep"),
        (&["trace", "--", "slee"], "sleep"),
        (&["trace", "sleep", "/us"], "/usr/"),
        (&["compare", "slee"], "sleep"),
        (&["explain", "/us"], "/usr/"),
        (&["inspect", &pid[..1]], &pid),
        (&["inspect", &pid, &pid[..1]], &pid),
        (&["trim", &pid[..1]], &pid),
        (&["trace", "-p", &pid[..1]], &pid),
        (&["inspect", "--comm", "slee"], "sleep"),
        (&["inspect", "-o", "/us"], "/usr/"),
        (&["inspect", "--format", "open"], "openmetrics"),
    ] {
        let offered = offered(shell, words);
        assert!(offered.iter().any(|word| word == expected), "{shell}: {words:?}: {offered:?}");
        let begun = words.last().unwrap();
        assert!(
            offered.iter().all(|word| word.starts_with(begun)),
            "{shell}: {words:?}: {offered:?}"
        );
    }
    sleeper.kill().unwrap();
    sleeper.wait().unwrap();
}

#[test]
fn a_name_that_is_a_command_to_a_shell_is_not_offered() {
    let directory = tempfile::tempdir().unwrap();
    let names = ["zz$(id)", "zz;id", "zz`id`", "zz id", "zz-plain"];
    let start = |name: &&str| {
        let program = directory.path().join(name);
        suite::place::executable_copy(std::path::Path::new("/bin/sleep"), &program, 0o755);
        Command::new(&program).arg("1000").spawn().unwrap()
    };
    let mut children: Vec<_> = names.iter().map(start).collect();
    for (child, name) in children.iter().zip(names) {
        suite::waiting::eventually("its own name", || {
            let comm = std::fs::read_to_string(format!("/proc/{}/comm", child.id()));
            comm.is_ok_and(|comm| comm.trim_end() == name)
        });
    }
    assert_eq!(offered("bash", &["inspect", "--comm", "zz"]), ["zz-plain"]);
    for child in &mut children {
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

#[test]
fn each_shell_asks_the_command() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let output = crate::common::output(&["completions", shell]);
        assert!(output.status.success());
        let script = String::from_utf8(output.stdout).unwrap();
        assert!(script.contains("BRKHOLE_COMPLETE"), "{shell}: {script}");
    }
}

/// Without scrolling: a line is left for the prompt.
#[test]
fn the_first_help_fits_on_a_small_terminal() {
    for words in [&[][..], &["help"], &["--help"], &["-h"]] {
        let output = crate::common::brkhole(words).env("COLUMNS", "80").output().unwrap();
        let help = [output.stdout, output.stderr].concat();
        let help = String::from_utf8(help).unwrap();
        assert!(help.lines().count() < 24, "{words:?}: {help}");
        assert!(help.lines().all(|line| line.len() < 80), "{words:?}: {help}");
        assert!(help.contains("Commands:") && help.contains("Exit status"), "{help}");
    }
}

#[test]
fn a_manual_page_for_each_subcommand() {
    let directory = tempfile::tempdir().unwrap();
    let output = crate::common::output(&["man", directory.path().to_str().unwrap()]);
    assert!(output.status.success());
    let sections = ["NAME", "SYNOPSIS", "EXIT STATUS", "EXAMPLES", "SEE ALSO"];
    for name in ["", "-trace", "-explain", "-compare", "-inspect", "-trim"] {
        let page = directory.path().join(format!("brkhole{name}.1"));
        let text = std::fs::read_to_string(page).unwrap();
        for section in sections {
            let heading = [format!(".SH {section}\n"), format!(".SH \"{section}\"\n")];
            assert!(heading.iter().any(|line| text.contains(line)), "{section}: {text}");
        }
        // A word of the tables has a paragraph of its own.
        if ["-trace", "-inspect"].contains(&name) {
            assert!(text.contains(".TP\n\\fBreturnable\\fR\nresident"), "{text}");
        }
        for other in ["strace", "malloc_trim", "mallopt"] {
            assert!(text.contains(&format!(".BR {other} (")), "{other}: {text}");
        }
    }
    if crate::common::installed("mandoc") {
        let pages = std::fs::read_dir(directory.path()).unwrap();
        let mut mandoc = Command::new("mandoc");
        mandoc.args(["-Tlint", "-Wwarning"]);
        let pages = pages.map(|page| page.unwrap().path());
        let output = mandoc.args(pages).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.is_empty(), "{said}");
    }
    let nowhere = crate::common::output(&["man", "/no/such/directory"]);
    assert_eq!(nowhere.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&nowhere.stderr).contains("/no/such/directory"));
}

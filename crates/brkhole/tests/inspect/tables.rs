//! What people read.

use crate::common::output;
use crate::inspect::target::Keeps;

fn table(arguments: &[&str]) -> String {
    let report = output(arguments);
    let complaint = String::from_utf8_lossy(&report.stderr).into_owned();
    assert!(report.status.success(), "{complaint}");
    String::from_utf8(report.stdout).unwrap()
}

#[test]
fn one_process_in_sections() {
    let target = Keeps::blocked(8192);
    let text = table(&["inspect", &target.number()]);
    let name = format!("brkhole-keeps ({}): glibc 2.", target.number());
    assert!(text.starts_with(&name), "{text}");
    let (first, _) = text.split_once("\n\n").unwrap();
    assert!(first.replace("\n  ", " ").ends_with(" could be given back"), "{text}");
    for words in [
        "memory",
        "resident",
        "break",
        "blocked",
        "room above",
        "anonymous",
        "malloc, by arena",
        "main",
        "returnable",
        "warning: ",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    assert!(text.find("warning: ") < text.find("resident"), "what follows comes first: {text}");
    let flat = text.replace("\n  ", " ");
    assert!(flat.contains("The break is blocked"), "{text}");
    assert!(flat.contains(&format!("brkhole trim {}", target.number())), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
}

#[test]
fn several_processes_and_what_was_found_in_each() {
    let (blocked, thin) = (Keeps::blocked(8192), Keeps::free(0));
    let text = table(&["inspect", &thin.number(), &blocked.number()]);
    assert!(text.starts_with("2 processes: "), "{text}");
    let most = format!("by brkhole-keeps ({});", blocked.number());
    assert!(text.replace("\n  ", " ").contains(&most), "{text}");
    let rows: Vec<&str> = text.lines().skip_while(|line| !line.contains(" pid ")).collect();
    assert!(rows[0].contains("returnable"), "{text}");
    assert!(rows[1].contains(&thin.number()) && rows[1].contains(" ok"), "{text}");
    assert!(rows[2].contains(&blocked.number()) && rows[2].contains("blocked"), "{text}");
    let found = format!("\nbrkhole-keeps ({}):\ncritical: ", blocked.number());
    assert!(text.contains(&found), "{text}");
    assert!(!text.contains(&format!("({}):", thin.number())), "{text}");
}

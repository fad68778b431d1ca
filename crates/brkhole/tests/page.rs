//! `--html FILE`: one file that can be attached to a ticket, as text and in a browser.

mod browser;

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::common::{brkhole, compiled_with, installed, output};
use browser::Browser;

/// What a browser would run if it were taken for HTML; and no UTF-8.
const HOSTILE: &[u8] = b"<img src=x onerror=\"owned=1\"><script>owned=1<'&\xff";

/// A program of that name, which grows by 32 MB.
fn hostile_program(directory: &Path) -> PathBuf {
    let program = directory.join(OsStr::from_bytes(HOSTILE));
    fs::copy(compiled_with("grow", &["-O1", "-s"]), &program).unwrap();
    program
}

/// Writes a page with this command and these words of a shell behind `--`.
fn page(arguments: &[&str], words: &[&OsStr]) -> String {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("page.html");
    let (command, rest) = arguments.split_first().unwrap();
    let done = brkhole(&[command, "-o", "/dev/null", "--html", file.to_str().unwrap()])
        .args(rest)
        .args(words)
        .output()
        .unwrap();
    assert!(done.status.success(), "{arguments:?}: {done:?}");
    let page = fs::read_to_string(file).unwrap();
    assert!(page.len() < 1 << 20, "{} bytes", page.len());
    assert!(!page.contains("<img") && !page.contains("<script>owned"), "{page}");
    assert!(page.contains(concat!("<dd>brkhole ", env!("CARGO_PKG_VERSION"), "</dd>")));
    page
}

#[test]
fn a_run_is_one_file() {
    let directory = tempfile::tempdir().unwrap();
    let program = hostile_program(directory.path());
    let page = page(&["trace", "--hole", "--stacks", "--"], &[program.as_os_str()]);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    for part in [
        " grew by 3",
        "<div class=\"finding ",
        "memory that was asked for (MiB)",
        "srcdoc=\"",
        "<table class=\"sorts\">",
        "in this function, and in what it called",
        &format!("<dt>kernel</dt><dd>{}</dd>", kernel.trim()),
        "<pre class=\"command\">brkhole trace -o /dev/null --html ",
        // Of the name, as a shell takes it.
        "onerror=&quot;owned=1&quot;&gt;&lt;script&gt;owned=1&lt;\\'&amp;\\377'</pre>",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
}

#[test]
fn without_stacks_there_is_no_flame_graph() {
    let page = page(&["trace", "--"], &[OsStr::new("true")]);
    assert!(!page.contains("<iframe"), "{page}");
}

#[test]
fn a_comparison_is_one_file() {
    let directory = tempfile::tempdir().unwrap();
    let program = hostile_program(directory.path());
    let page = page(&["compare", "--repeats", "1", "--"], &[program.as_os_str()]);
    for part in [
        "<code>memory-kept</code>",
        "<th scope=\"col\" class=\"n\">hole</th>",
        "<td>fallback mmaps</td>",
        "resident memory at each checkpoint",
        "<dt>kernel</dt>",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
}

#[test]
fn a_log_is_one_file_that_says_nothing_of_this_machine() {
    let log = tempfile::NamedTempFile::new().unwrap();
    let text = "1 1.0 brk(NULL) = 0x55d000000000\n1 1.1 brk(0x55d000821000) = 0x55d000821000\n";
    fs::write(log.path(), text).unwrap();
    let arguments = ["explain", "--map", "/dev/null"];
    let page = page(&arguments, &[log.path().as_os_str()]);
    assert!(page.contains("memory that was asked for (MiB)"), "{page}");
    assert!(page.contains("<title>Where its memory lies: "), "{page}");
    assert!(page.contains("<td class=\"n\">8.13 MiB</td>"), "{page}");
    assert!(!page.contains("<dt>kernel</dt>"), "{page}");
}

#[test]
fn a_process_is_one_file_and_so_are_all() {
    let own = std::process::id().to_string();
    let one = page(&["inspect"], &[OsStr::new(&own)]);
    assert!(one.contains(&format!("({own}): ")), "{one}");
    assert!(one.contains("<th scope=\"col\">memory</th>"), "{one}");
    let all = page(&["inspect", "--all"], &[]);
    assert!(all.contains(&format!("<td class=\"n\">{own}</td>")), "{all}");
    assert!(all.contains(" could be given back in all"), "{all}");
}

#[test]
fn that_it_cannot_be_written_is_said_before_anything_runs() {
    let directory = tempfile::tempdir().unwrap();
    let run = directory.path().join("it-ran");
    let [run, nowhere] = [run.to_str().unwrap(), "/no/such/directory/page.html"];
    let own = std::process::id().to_string();
    let commands: [&[&str]; 3] = [
        &["trace", "--html", nowhere, "touch", run],
        &["compare", "--html", nowhere, "touch", run],
        &["inspect", "--html", nowhere, &own],
    ];
    for command in commands {
        let done = output(command);
        assert_eq!(done.status.code(), Some(1), "{command:?}");
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(said.contains(&format!("can't write {nowhere}")), "{said}");
        assert!(done.stdout.is_empty(), "{done:?}");
    }
    assert!(!Path::new(run).exists());
}

#[test]
fn a_browser_shows_it_sorts_it_and_runs_nothing_of_a_targets() {
    if !installed("chromium") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let program = hostile_program(directory.path());
    let page = page(&["trace", "--hole", "--stacks", "--"], &[program.as_os_str()]);
    let file = directory.path().join("page.html");
    fs::write(&file, page).unwrap();

    let mut browser = Browser::start(directory.path());
    let mut grounds = Vec::new();
    for scheme in ["light", "dark"] {
        for width in [1200, 400] {
            browser.shows(&file, width, scheme);
            let wide = browser.number("document.documentElement.scrollWidth - innerWidth");
            assert!(wide <= 0.0, "{wide} pixels more than {width}");
            let smallest = "Math.min(...[...document.querySelectorAll('main *')]
                .filter(element => !element.closest('svg'))
                .map(element => parseFloat(getComputedStyle(element).fontSize)))";
            assert!(browser.number(smallest) >= 12.0);
        }
        grounds.push(browser.text("getComputedStyle(document.body).backgroundColor"));
    }
    assert_ne!(grounds[0], grounds[1]);

    // The functions: what they asked for in all, least first, and then most first.
    let sort = "(() => {
        const table = [...document.querySelectorAll('table.sorts')]
            .find(table => table.tHead.textContent.includes('inclusive'));
        const title = table.tHead.rows[0].cells[0];
        title.firstChild.click();
        const cells = [...table.tBodies[0].rows].map(row => row.cells[0].textContent);
        return title.getAttribute('aria-sort') + ' ' + cells.join(',') })()";
    let [down, up] = [browser.text(sort), browser.text(sort)];
    let rows = |told: &str| -> Vec<String> {
        let (_, cells) = told.split_once(' ').unwrap();
        cells.split(',').map(str::to_owned).collect()
    };
    assert!(down.starts_with("descending ") && up.starts_with("ascending "), "{down}; {up}");
    assert_ne!(rows(&down), rows(&up));
    assert_eq!(rows(&down)[0], *rows(&up).last().unwrap(), "{down}; {up}");

    let frame = "document.querySelector('iframe').contentWindow";
    let widths = format!(
        "[...{frame}.document.querySelectorAll('#frames > g > rect')].map(each => each.getAttribute('width')).join()"
    );
    let before = browser.text(&widths);
    browser.text(&format!(
        "{frame}.document.querySelector('#frames > g > rect[width^=\"9\"]')
            .dispatchEvent(new MouseEvent('click', {{ bubbles: true }})), ''"
    ));
    assert_ne!(browser.text(&widths), before, "a click enlarges");
    browser.text(&format!("{frame}.search('malloc'), ''"));
    let matched = browser.text(&format!("{frame}.document.getElementById('matched').textContent"));
    assert!(matched.starts_with("Matched: "), "{matched}");

    assert_eq!(browser.complaints(), [""; 0]);
    assert_eq!(browser.text("typeof owned"), "undefined");
    // If something of a target's were taken for HTML, this would become of it.
    let taken =
        "document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"owned=1\">'); '';
        const script = document.createElement('script'); script.textContent = 'owned=1';
        document.body.append(script); typeof owned";
    assert_eq!(browser.text(taken), "undefined");
    let complaints = browser.complaints().join("\n");
    assert!(complaints.contains("Content Security Policy"), "{complaints}");
}

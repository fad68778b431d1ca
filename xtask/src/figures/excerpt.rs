//! Excerpts of recorded text and of source code.
//!
//! ```text
//! excerpt strace-hole.txt from "ca-certificates.crt" to "close(" nth 2 collapse
//! ```
//!
//! From the first (or nth) line that holds the one text up to the next that holds the other, both
//! included. With `collapse`, of three or more neighbouring lines that begin with the same call
//! only the first is kept, with a line that counts the others. With `clip N`, what a line has beyond
//! N columns becomes `…`.

use super::runs::Runs;
use anyhow::Context;
use roots::repository::root;
use std::fs;

/// Lines of a recorded text.
///
/// # Errors
/// When the request is wrong, or the text doesn't hold such lines.
pub fn of_run(asked: &str, runs: &Runs) -> anyhow::Result<String> {
    let request = ExcerptRequest::parse(asked)?;
    lines(&request, runs.text(request.file)?)
}

/// Lines of a source file of the repository; those of a documentation test without their `//!`
/// or `///`.
///
/// # Errors
/// As for [`of_run`], and when the file can't be read.
pub fn of_source(asked: &str) -> anyhow::Result<String> {
    let request = ExcerptRequest::parse(asked)?;
    let text = fs::read_to_string(root().join(request.file)).context(request.file.to_owned())?;
    let bare: Vec<&str> = text
        .lines()
        .map(|line| {
            line.strip_prefix("//!")
                .or_else(|| line.strip_prefix("///"))
                .map_or(line, |bare| bare.strip_prefix(' ').unwrap_or(bare))
        })
        .collect();
    lines(&request, &bare.join("\n"))
}

fn lines(request: &ExcerptRequest<'_>, text: &str) -> anyhow::Result<String> {
    let mut lines = text.lines().skip_while(|line| !line.contains(request.from)).peekable();
    for _ in 1..request.nth {
        lines.next();
        while lines.next_if(|line| !line.contains(request.from)).is_some() {}
    }
    let mut taken = Vec::new();
    for line in lines {
        taken.push(line);
        if taken.len() > 1 && line.contains(request.to) {
            let lines = if request.collapse { collapsed(&taken) } else { own(&taken) };
            let lines: Vec<String> =
                lines.iter().map(|line| clipped(line, request.columns)).collect();
            return Ok(lines.join("\n"));
        }
    }
    anyhow::bail!(
        "{} has no lines from {:?} ({}) to {:?}",
        request.file,
        request.from,
        request.nth,
        request.to
    )
}

struct ExcerptRequest<'a> {
    file: &'a str,
    from: &'a str,
    to: &'a str,
    nth: usize,
    collapse: bool,
    columns: usize,
}

impl<'a> ExcerptRequest<'a> {
    fn parse(asked: &'a str) -> anyhow::Result<Self> {
        let form = "excerpt FILE from \"TEXT\" to \"TEXT\" [nth N] [collapse] [clip N]";
        let parts: Vec<&str> = asked.split('"').collect();
        let [head, from, middle, to, tail] = parts[..] else {
            anyhow::bail!("expected {form}");
        };
        let file = head.trim().strip_suffix(" from").context(form)?;
        anyhow::ensure!(middle.trim() == "to", "expected {form}");
        let mut request = Self { file, from, to, nth: 1, collapse: false, columns: usize::MAX };
        let mut words = tail.split_whitespace();
        while let Some(word) = words.next() {
            match word {
                "collapse" => request.collapse = true,
                "clip" => request.columns = words.next().context("clip where?")?.parse()?,
                "nth" => request.nth = words.next().context("nth what?")?.parse()?,
                _ => anyhow::bail!("`{word}`: expected {form}"),
            }
        }
        Ok(request)
    }
}

fn own(lines: &[&str]) -> Vec<String> {
    lines.iter().map(|line| (*line).to_owned()).collect()
}

fn collapsed(lines: &[&str]) -> Vec<String> {
    let same_call = |one: &&str, other: &&str| call(one).is_some() && call(one) == call(other);
    let mut kept = Vec::new();
    for run in lines.chunk_by(same_call) {
        match run {
            [first, others @ ..] if others.len() > 1 => {
                kept.push((*first).to_owned());
                let name = call(first).unwrap_or_default();
                kept.push(format!("… {} more {name}", others.len()));
            }
            few => kept.extend(own(few)),
        }
    }
    kept
}

/// The line, no longer than so many columns.
fn clipped(line: &str, columns: usize) -> String {
    if line.chars().count() <= columns {
        return line.to_owned();
    }
    let kept: String = line.chars().take(columns.saturating_sub(1)).collect();
    format!("{kept}…")
}

/// The name of the call on a line of strace.
fn call(line: &str) -> Option<&str> {
    let (name, _) = line.split_once('(')?;
    (!name.is_empty() && !name.contains(' ')).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "open(a)\nread(1)\nread(2)\nread(3)\nbrk(1)\nclose(a)\nopen(b)\nclose(b)\n";

    fn taken(asked: &str) -> anyhow::Result<String> {
        of_run(asked, &Runs::of([("log.txt", LOG.to_owned())]))
    }

    #[test]
    fn lines_from_one_to_the_other() {
        assert_eq!(
            taken(r#"log.txt from "open" to "close" collapse"#).unwrap(),
            "open(a)\nread(1)\n… 2 more read\nbrk(1)\nclose(a)"
        );
        assert_eq!(taken(r#"log.txt from "open" to "close" nth 2"#).unwrap(), "open(b)\nclose(b)");
    }

    #[test]
    fn long_lines_are_clipped() {
        assert_eq!(taken(r#"log.txt from "open" to "read" clip 5"#).unwrap(), "open…\nread…");
        assert_eq!(taken(r#"log.txt from "open" to "read" clip 7"#).unwrap(), "open(a)\nread(1)");
    }

    #[test]
    fn a_documentation_test_loses_its_comment_signs() {
        for asked in [
            r#"crates/brk-hole/src/lib.rs from "use brk_hole::" to "let hole""#,
            r#"crates/proc-memory/src/address_space.rs from "use proc_memory::" to "println!""#,
        ] {
            let code = of_source(asked).unwrap();
            assert!(code.starts_with("use "), "{code}");
            assert!(!code.contains("//"), "{code}");
        }
    }

    #[test]
    fn lines_that_are_not_there_are_an_error() {
        assert!(taken(r#"log.txt from "open" to "munmap""#).is_err());
        assert!(taken(r#"log.txt from "open" to "close" nth 3"#).is_err());
        assert!(taken("log.txt from open to close").is_err());
    }
}

//! Manual pages: clap's, with the sections that it doesn't know made of what help has below the
//! options.
//!
//! # References
//! man-pages(7), “Sections within a manual page”

use std::path::Path;
use std::{fs, io};

use clap::{Command, CommandFactory};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use super::{Cli, EXAMPLES};

/// When the pages changed last.
const DATE: &str = "2026-11-29";

/// What the whole command does, longer than help has room for.
const DESCRIPTION: &str = "Finds out which file being read made the heap grow, who blocks the \
    program break, and whether malloc can give the memory back; for a command, a running process, \
    or somebody's strace log.";

/// Pages that are worth reading beside each of these.
const SEE_ALSO: [(&str, &str); 4] =
    [("strace", "1"), ("brk", "2"), ("mallopt", "3"), ("malloc_trim", "3")];

/// Writes a page for the command and one for each subcommand.
///
/// # Errors
/// When one can't be written.
pub(super) fn write(directory: &Path) -> io::Result<()> {
    let mut command =
        Cli::command().long_about(DESCRIPTION).after_help(EXAMPLES).disable_help_subcommand(true);
    command.build();
    let subcommands: Vec<_> = command.get_subcommands().cloned().collect();
    let name_of = |command: &Command| command.get_display_name().map(str::to_owned);
    let names: Vec<_> = subcommands.iter().filter_map(name_of).collect();
    for command in subcommands.into_iter().chain([command]) {
        let name = name_of(&command).unwrap_or_else(|| command.get_name().to_owned());
        let others = ["brkhole"].into_iter().chain(names.iter().map(String::as_str));
        let others = others.filter(|other| *other != name).map(|other| (other, "1"));
        let text = page(command, &name, &others.chain(SEE_ALSO).collect::<Vec<_>>())?;
        fs::write(directory.join(format!("{name}.1")), text)?;
    }
    Ok(())
}

fn page(command: Command, name: &str, see_also: &[(&str, &str)]) -> io::Result<String> {
    let below = command.get_after_help().map(ToString::to_string);
    let man = Man::new(command.after_help(None::<&str>))
        .title(name.to_uppercase())
        .date(DATE)
        .source(concat!("brkhole ", env!("CARGO_PKG_VERSION")))
        .manual("User Commands");
    let mut page = Vec::new();
    man.render(&mut page)?;
    let page = String::from_utf8_lossy(&page);
    // clap_mangen ends help, and begins a paragraph of nothing else, with a break each.
    let page = page.replace("\n.br\n\n.br\n", "\n.sp\n");
    let lines = page.lines().map(str::trim_end).collect::<Vec<_>>();
    let more = sections(&below.unwrap_or_default(), see_also);
    Ok(format!("{}\n{}", lines.join("\n"), more.to_roff()))
}

/// `below` are paragraphs: examples, which are indented and may each have an explanation, words of
/// the tables with theirs, the exit status, and others.
fn sections(below: &str, see_also: &[(&str, &str)]) -> Roff {
    let (mut status, mut words, mut notes, mut examples) = (None, None, Vec::new(), "");
    for paragraph in below.split("\n\n").filter(|text| !text.is_empty()) {
        if let Some(lines) = paragraph.strip_prefix("Examples:\n") {
            examples = lines;
        } else if let Some(lines) = paragraph.strip_prefix("Words:\n") {
            words = Some(lines);
        } else if let Some(text) = paragraph.strip_prefix("Exit status: ") {
            status = Some(text);
        } else {
            notes.push(paragraph);
        }
    }
    let mut roff = Roff::new();
    section(&mut roff, "EXIT STATUS", status, |roff, text| {
        roff.text([roman(text.replace('\n', " "))]);
    });
    section(&mut roff, "NOTES", notes, |roff, text| {
        roff.text([roman(text.replace('\n', " "))]);
    });
    section(&mut roff, "WORDS", words, |roff, lines| {
        for (word, what) in lines.lines().filter_map(|line| line.trim().split_once("  ")) {
            roff.control("TP", []).text([bold(word)]);
            roff.text([roman(what.trim())]);
        }
    });
    section(&mut roff, "EXAMPLES", examples.lines(), |roff, line| {
        match line.trim().split_once("   ") {
            None => drop(roff.text([bold(line.trim())])),
            Some((typed, why)) => {
                roff.text([bold(typed)]).control("RS", ["4"]);
                roff.text([roman(why.trim())]).control("RE", []);
            }
        }
    });
    roff.control("SH", ["SEE ALSO"]);
    for (place, (name, section)) in see_also.iter().enumerate() {
        let comma = if place + 1 < see_also.len() { "," } else { "" };
        roff.control("BR", [*name, &format!("({section}){comma}")]);
    }
    roff
}

/// A section of paragraphs, if there are any.
fn section<'a>(
    roff: &mut Roff,
    title: &str,
    paragraphs: impl IntoIterator<Item = &'a str>,
    mut one: impl FnMut(&mut Roff, &'a str),
) {
    for (place, paragraph) in paragraphs.into_iter().enumerate() {
        match place {
            0 => roff.control("SH", [title]),
            _ => roff.control("PP", []),
        };
        one(roff, paragraph);
    }
}

//! Finds the blocks of commands in a text.

use crate::documents::{Document, Fault, fence};

/// A block of commands.
#[derive(Debug, PartialEq, Eq)]
pub struct ShellBlock {
    /// The document.
    pub file: String,
    /// Line of the first command.
    pub line: usize,
    /// The commands.
    pub script: String,
    /// Whether it is run.
    pub fate: Fate,
}

/// What a comment before the block says about it.
#[derive(Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is run, where these programs are installed.
    Run {
        /// `needs: …`
        needs: Vec<String>,
    },
    /// It isn't, for this reason.
    NotRun(String),
}

/// The language of commands: without a prompt, so that a reader can copy them.
const LANGUAGE: &str = "sh";

/// Languages in which commands would escape being run.
const OTHERS: [&str; 6] = [
    "bash",
    "console",
    "shell",
    "zsh",
    "shell-session",
    "terminal",
];

/// The blocks of commands in a document; what is wrong with one is noted as a fault.
pub fn blocks(document: &Document, faults: &mut Vec<Fault>) -> Vec<ShellBlock> {
    let mut blocks = Vec::new();
    let mut before = "";
    let mut lines = document.text.lines().enumerate();
    while let Some((index, line)) = lines.next() {
        let Some((ticks, language)) = fence(line) else {
            before = line;
            continue;
        };
        let content: Vec<&str> = lines
            .by_ref()
            .map(|(_, line)| line)
            .take_while(|line| {
                fence(line).is_none_or(|(end, rest)| end < ticks || !rest.is_empty())
            })
            .collect();
        let mut fault =
            |message: String| faults.push(Fault::new(&document.name, index + 1, message));
        if OTHERS.contains(&language) {
            fault(format!(
                "commands stand in a block of the language {LANGUAGE}, not {language}"
            ));
        }
        if language == LANGUAGE {
            match script(&content) {
                Ok(script) => blocks.push(ShellBlock {
                    file: document.name.clone(),
                    line: index + 2,
                    script,
                    fate: fate(before),
                }),
                Err(message) => fault(message),
            }
        }
        before = "";
    }
    blocks
}

fn fate(comment: &str) -> Fate {
    let words = comment
        .trim()
        .strip_prefix("<!-- ")
        .and_then(|comment| comment.strip_suffix(" -->"))
        .unwrap_or_default();
    if let Some(why) = words.strip_prefix("not run: ") {
        return Fate::NotRun(why.to_owned());
    }
    let needs = words.strip_prefix("needs: ").unwrap_or_default();
    Fate::Run {
        needs: needs.split_whitespace().map(str::to_owned).collect(),
    }
}

/// The commands as they stand.
fn script(lines: &[&str]) -> Result<String, String> {
    if let Some(line) = lines.iter().find(|line| line.starts_with("$ ")) {
        return Err(format!("no prompt, so that it can be copied: {line:?}"));
    }
    let script: String = lines.iter().map(|line| format!("{line}\n")).collect();
    if script.trim().is_empty() {
        return Err("the block of commands is empty".to_owned());
    }
    Ok(script)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> (Vec<ShellBlock>, Vec<String>) {
        let document = Document {
            name: "page.md".to_owned(),
            text: text.to_owned(),
        };
        let mut faults = Vec::new();
        let blocks = blocks(&document, &mut faults);
        (blocks, faults.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn commands_keep_their_lines() {
        let (blocks, faults) = found("text\n\n```sh\na \\\n    b\nc\n```\n\n```text\n$ d\n```\n");
        assert!(faults.is_empty(), "{faults:?}");
        assert_eq!(blocks.len(), 1);
        assert_eq!(
            (blocks[0].script.as_str(), blocks[0].line),
            ("a \\\n    b\nc\n", 4)
        );
    }

    #[test]
    fn a_comment_before_it_decides_a_blocks_fate() {
        let fate = |comment: &str| {
            let (mut blocks, _) = found(&format!("{comment}\n```sh\na\n```\n"));
            blocks.remove(0).fate
        };
        assert_eq!(
            fate("<!-- not run: too long -->"),
            Fate::NotRun("too long".to_owned())
        );
        let needs = vec!["gdb".to_owned(), "nginx".to_owned()];
        assert_eq!(fate("<!-- needs: gdb nginx -->"), Fate::Run { needs });
        assert_eq!(fate("A sentence."), Fate::Run { needs: Vec::new() });
    }

    #[test]
    fn prompts_and_other_languages_are_refused() {
        let (_, faults) = found("```sh\n$ a\n```\n```console\n$ b\n```\n```sh\n```\n");
        assert_eq!(
            faults,
            [
                "page.md:1: no prompt, so that it can be copied: \"$ a\"",
                "page.md:4: commands stand in a block of the language sh, not console",
                "page.md:7: the block of commands is empty",
            ]
        );
    }
}

//! What the machines said, counted.

use std::fmt;

/// A test program's run in a machine.
#[derive(Debug, Default)]
pub struct Run {
    title: String,
    /// The one that runs.
    test: String,
    passed: usize,
    failed: Vec<String>,
    /// It has said so.
    ended: bool,
    /// What it left out, and what it remarked.
    said: Vec<String>,
}

impl Run {
    /// Nothing was said yet.
    pub fn new(title: String) -> Self {
        Self { title, ..Self::default() }
    }

    /// A line of the console. What tests say stands within the line that names them.
    pub fn line(&mut self, line: &str) {
        let of_a_test = line.strip_prefix("test ").and_then(|rest| rest.split_once(" ... "));
        let (name, said) = of_a_test.unwrap_or((&self.test, line));
        for word in ["skipped: ", "remark: "] {
            if said.starts_with(word) && !self.said.iter().any(|known| known == said) {
                self.said.push(said.to_owned());
            }
        }
        match said {
            "ok" => self.passed += 1,
            "FAILED" => self.failed.push(name.to_owned()),
            _ if said.starts_with("test result: ") => self.ended = true,
            _ => {}
        }
        self.test = name.to_owned();
    }

    /// What it remarked.
    pub fn remarks(&self) -> impl Iterator<Item = &str> {
        self.said.iter().filter_map(|said| said.strip_prefix("remark: "))
    }

    /// All that it began passed.
    pub fn is_good(&self) -> bool {
        self.ended && self.failed.is_empty()
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<60} {:3} passed, {} failed", self.title, self.passed, self.failed.len())?;
        let unfinished = (!self.ended).then_some("it did not come to its end");
        for line in self.failed.iter().chain(&self.said).map(String::as_str).chain(unfinished) {
            write!(f, "\n    {line}")?;
        }
        Ok(())
    }
}

//! Prometheus's text format, as far as gauges need it.
//!
//! # References
//!
//! Prometheus, "Exposition formats", text format 0.0.4; OpenMetrics 1.0, "Text format".

use std::fmt::{Display, Write};

/// Metrics, one after the other.
#[derive(Default)]
pub(crate) struct Exposition {
    text: String,
}

/// One gauge, which samples are added to.
pub(crate) struct Gauge<'text> {
    text: &'text mut String,
    name: &'static str,
}

impl Exposition {
    /// Begins a gauge. Neither name nor help may hold what would have to be escaped.
    pub(crate) fn gauge(&mut self, name: &'static str, help: &str) -> Gauge<'_> {
        debug_assert!(!help.contains(['\\', '\n', '"']), "{help}");
        self.push(format_args!("# HELP {name} {help}\n# TYPE {name} gauge\n"));
        Gauge { text: &mut self.text, name }
    }

    pub(crate) fn end(mut self) -> String {
        self.push("# EOF\n");
        self.text
    }

    fn push(&mut self, what: impl Display) {
        write!(self.text, "{what}").expect("a String takes everything");
    }
}

impl Gauge<'_> {
    /// Adds a sample; a set of labels may be given once only.
    pub(crate) fn sample(&mut self, labels: &[(&str, &str)], value: impl Display) {
        self.text.push_str(self.name);
        for (number, (label, value)) in labels.iter().enumerate() {
            self.text.push(if number == 0 { '{' } else { ',' });
            self.text.push_str(label);
            self.text.push_str("=\"");
            value.chars().for_each(|character| self.escape(character));
            self.text.push('"');
        }
        let labelled = if labels.is_empty() { "" } else { "}" };
        writeln!(self.text, "{labelled} {value}").expect("a String takes everything");
    }

    /// As a label's value wants it; all other characters stand for themselves.
    fn escape(&mut self, character: char) {
        match character {
            '\\' => self.text.push_str("\\\\"),
            '"' => self.text.push_str("\\\""),
            '\n' => self.text.push_str("\\n"),
            other => self.text.push(other),
        }
    }
}

//! What others wrote before every line of a log: a journal the date and the program, `docker
//! compose` the container, `cat -n` a number, a mail `> `.
//!
//! It is recognised once, from a log's first lines, and taken off all of them.

use std::borrow::Cow;

use super::input::is_straces;
use super::{dates, prefix};

/// What is taken off every line of a log.
#[derive(Debug, Default)]
pub(super) struct Wrapping {
    byte_order_mark: bool,
    colours: bool,
    layers: Vec<Layer>,
    /// Lines that lack a layer: they are read as they stand.
    pub(super) lacking: u64,
    /// A line without its colours.
    plain: Vec<u8>,
}

/// One thing that was written before every line.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Layer {
    /// Numbers of lines, with the last of them: `cat -n`, `nl`, `grep -n`.
    Numbers(u64),
    /// Dates in forms that strace doesn't have.
    Dates,
    /// Names of files, perhaps with numbers of lines: `grep -H`, `grep -Hn`.
    FileNames,
    /// A program and its number, with what stands before: `host strace[123]: `.
    Program(Vec<u8>),
    /// The same text: `app_1  | `, `[pod/x/y] `, `> `.
    Same(Vec<u8>),
}

/// Layers that may lie on one another.
const DEEPEST: usize = 5;

/// What stands before a call is looked for within so many bytes.
const LONGEST_BYTES: usize = 200;

impl Wrapping {
    /// Recognises what the first lines of a log have before them. It counts only if more of them
    /// are strace's without it, or if it is nothing but numbers and colours.
    pub(super) fn of(lines: &[&[u8]]) -> Self {
        let mut wrapping =
            Self { colours: lines.iter().any(|line| has_colours(line)), ..Self::default() };
        let mut bare: Vec<Cow<'_, [u8]>> = Vec::with_capacity(lines.len());
        for line in lines {
            bare.push(match wrapping.colours {
                true => Cow::Owned(without_colours(line, Vec::new())),
                false => Cow::Borrowed(line),
            });
        }
        let read = |lines: &[Cow<'_, [u8]>]| lines.iter().filter(|line| is_straces(line)).count();
        let before = read(&bare);
        while wrapping.layers.len() < DEEPEST
            && let Some(layer) = next_layer(&bare)
        {
            let mut taking = layer.clone();
            for line in &mut bare {
                let rest = taking.off(line).map(|(rest, _)| rest.to_vec());
                if let Some(rest) = rest {
                    *line = Cow::Owned(rest);
                }
            }
            wrapping.layers.push(layer);
        }
        let numbered = matches!(wrapping.layers[..], [Layer::Numbers(_)]);
        if read(&bare) <= before && !(numbered && read(&bare) == before) {
            wrapping.layers.clear();
        }
        wrapping
    }

    /// A line without what stands before it. Sets the thread whose line it is, if that is said: by
    /// the name of a file of `strace -ff` that `grep` quotes.
    #[inline]
    pub(super) fn off<'a>(&'a mut self, line: &'a [u8], tid: &mut Option<i32>) -> &'a [u8] {
        match self.layers.is_empty() && !self.colours {
            true => line,
            false => self.taken_off(line, tid),
        }
    }

    fn taken_off<'a>(&'a mut self, line: &'a [u8], tid: &mut Option<i32>) -> &'a [u8] {
        let mut line = line;
        if self.colours {
            self.plain = without_colours(line, std::mem::take(&mut self.plain));
            line = &self.plain;
        }
        let mut lacks = false;
        for layer in &mut self.layers {
            match layer.off(line) {
                Some((rest, whose)) => {
                    line = rest;
                    *tid = whose.or(*tid);
                }
                None => lacks |= !line.trim_ascii().is_empty(),
            }
        }
        self.lacking += u64::from(lacks);
        line
    }

    /// The first lines were only looked at: they come again. They come after a byte order mark or
    /// not.
    pub(super) fn begin_anew(&mut self, byte_order_mark: bool) {
        self.byte_order_mark = byte_order_mark;
        self.lacking = 0;
        for layer in &mut self.layers {
            if let Layer::Numbers(last) = layer {
                *last = 0;
            }
        }
    }

    /// What is taken off, in words.
    pub(super) fn described(&self) -> impl Iterator<Item = String> {
        let mark = self.byte_order_mark.then(|| "a byte order mark".to_owned());
        let colours = self.colours.then(|| "colours".to_owned());
        let layers = self.layers.iter().map(Layer::described);
        mark.into_iter().chain(colours).chain(layers)
    }
}

impl Layer {
    /// The line without it, and whose line it is if that is said; `None` if the line lacks it.
    fn off<'a>(&mut self, line: &'a [u8]) -> Option<(&'a [u8], Option<i32>)> {
        let rest = match self {
            Self::Numbers(last) => {
                let numbered = dates::mark(line).filter(|mark| mark.number > *last)?;
                *last = numbered.number;
                numbered.rest
            }
            Self::Dates => &line[dates::length(line)?..],
            Self::FileNames => {
                let (name, rest) = line.split_at(memchr::memchr(b':', line)?);
                let rest = dates::mark(&rest[1..])
                    .filter(|mark| mark.separator == b':')
                    .map_or(&rest[1..], |mark| mark.rest);
                let (_, suffix) =
                    name.split_at(memchr::memrchr(b'.', name).map_or(0, |dot| dot + 1));
                return Some((rest, prefix::tid(suffix)));
            }
            Self::Program(before) => {
                let rest = line.strip_prefix(&before[..])?;
                let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
                let rest = rest[digits..].strip_prefix(b"]:")?;
                rest.strip_prefix(b" ").unwrap_or(rest)
            }
            Self::Same(text) => match line.strip_prefix(&text[..]) {
                Some(rest) => rest,
                // Blanks at the end of a line get lost.
                None if line == text.trim_ascii_end() => b"",
                None => return None,
            },
        };
        Some((rest, None))
    }

    fn described(&self) -> String {
        let quoted = |text: &[u8]| format!("\"{}\"", String::from_utf8_lossy(text).escape_debug());
        match self {
            Self::Numbers(_) => "numbers of lines".to_owned(),
            Self::Dates => "dates".to_owned(),
            Self::FileNames => "names of files".to_owned(),
            Self::Program(before) => quoted(&[before, &b"\xe2\x80\xa6]: "[..]].concat()),
            Self::Same(text) => quoted(text),
        }
    }

    /// What a text is that stands before a call.
    fn of(text: &[u8]) -> Self {
        let end = text.trim_ascii_end();
        if let Some(named) = end.strip_suffix(b"]:") {
            let digits = named.iter().rev().take_while(|byte| byte.is_ascii_digit());
            let before = &named[..named.len() - digits.count()];
            if before.len() < named.len() && before.ends_with(b"[") {
                return Self::Program(before.to_vec());
            }
        }
        // Of several blanks all but the first may belong to what follows.
        Self::Same(text[..text.len().min(end.len() + 1)].to_vec())
    }
}

/// What most of these lines have before them.
fn next_layer(lines: &[Cow<'_, [u8]>]) -> Option<Layer> {
    if dates::numbers_are_before(lines) {
        return Some(Layer::Numbers(0));
    }
    let many = |count: usize| count > 0 && 2 * count >= lines.len();
    if many(lines.iter().filter(|line| is_straces(line)).count()) {
        return None;
    }
    let is_dated = |line: &&Cow<'_, [u8]>| dates::length(line).is_some();
    if many(lines.iter().filter(is_dated).count()) {
        return Some(Layer::Dates);
    }
    let before: Vec<&[u8]> = lines.iter().filter_map(|line| before_call(line)).collect();
    // After `name: ` it is a program's; several blanks belong to what follows.
    let is_name = |text: &&[u8]| {
        let name = text.trim_ascii_end();
        text.len() != name.len() + 1
            && matches!(name, [first, .., b':'] if !first.is_ascii_digit())
            && !name.contains(&b' ')
            && !name.ends_with(b"]:")
    };
    if !before.is_empty() && before.iter().all(is_name) {
        return Some(Layer::FileNames);
    }
    let layers: Vec<Layer> = before.iter().map(|text| Layer::of(text)).collect();
    let like = |layer: &Layer| layers.iter().filter(|other| *other == layer).count();
    let most = layers.iter().max_by_key(|layer| like(layer))?;
    if 2 * like(most) >= layers.len() {
        return Some(most.clone());
    }
    let shared = shared_beginning(&before);
    (!shared.is_empty()).then(|| Layer::Same(shared.to_vec()))
}

/// What stands before the first place in a line from which on it is strace's; `None` if there is
/// no such place, or nothing before it.
fn before_call(line: &[u8]) -> Option<&[u8]> {
    if is_straces(line) {
        return None;
    }
    let ends = |at: &usize| {
        matches!(line[at - 1], b' ' | b'\t' | b':' | b'|' | b'>')
            && !matches!(line[*at], b' ' | b'\t')
            && is_straces(&line[*at..])
    };
    let end = (1..line.len().min(LONGEST_BYTES)).find(ends)?;
    Some(&line[..end])
}

/// Up to a blank, what all begin with.
fn shared_beginning<'a>(texts: &[&'a [u8]]) -> &'a [u8] {
    let Some((first, others)) = texts.split_first() else {
        return b"";
    };
    let same = |other: &&[u8]| first.iter().zip(*other).take_while(|(a, b)| a == b).count();
    let shared = &first[..others.iter().map(same).min().unwrap_or(0)];
    let end = shared.iter().rposition(|byte| matches!(byte, b' ' | b'\t'));
    &shared[..end.map_or(0, |blank| blank + 1)]
}

fn has_colours(line: &[u8]) -> bool {
    memchr::memmem::find(line, b"\x1b[").is_some()
}

/// Without the sequences `ESC [ … letter`. strace itself writes no such byte.
///
/// # References
/// ECMA-48, 5.4
fn without_colours(line: &[u8], mut plain: Vec<u8>) -> Vec<u8> {
    plain.clear();
    let mut rest = line;
    while let Some(at) = memchr::memmem::find(rest, b"\x1b[") {
        plain.extend_from_slice(&rest[..at]);
        let sequence = &rest[at + 2..];
        let end = sequence.iter().position(|byte| (0x40..=0x7e).contains(byte));
        rest = end.map_or(&[][..], |end| &sequence[end + 1..]);
    }
    plain.extend_from_slice(rest);
    plain
}

//! Numbers of lines: `cat -n`, `nl`, `grep -n`, `less -N`.

use std::borrow::Cow;

/// A number at the beginning of a line.
pub(super) struct LineMark<'a> {
    pub(super) number: u64,
    /// There are blanks before it.
    indented: bool,
    /// What follows it.
    pub(super) separator: u8,
    /// What follows that.
    pub(super) rest: &'a [u8],
}

/// So many lines that are numbered without a tab or colon can't be processes one after another.
const TELLING: usize = 3;

/// The number that a line begins with, if it may be its own.
pub(super) fn mark(line: &[u8]) -> Option<LineMark<'_>> {
    let text = line.trim_ascii_start();
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let number = str::from_utf8(&text[..digits]).ok()?.parse().ok()?;
    let (&separator, rest) = text[digits..].split_first()?;
    matches!(separator, b'\t' | b':' | b'-' | b' ').then_some(LineMark {
        number,
        indented: text.len() < line.len(),
        separator,
        rest,
    })
}

/// Whether nearly all lines begin with their numbers, and not with those of processes or a time of
/// day: numbers of lines rise with every line, and strace writes neither a tab nor a colon behind
/// the number of a process.
pub(super) fn are_before(lines: &[Cow<'_, [u8]>]) -> bool {
    let marks: Vec<LineMark<'_>> = lines.iter().filter_map(|line| mark(line)).collect();
    let Some(first) = marks.first() else {
        return false;
    };
    // `--` stands between what `grep -C` finds.
    if marks.len() * 10 < lines.len() * 9 {
        return false;
    }
    let mut pairs = marks.iter().zip(&marks[1..]);
    match first.separator {
        b'\t' => pairs.all(|(one, next)| next.number > one.number && next.separator == b'\t'),
        b':' | b'-' => {
            let is_time =
                |mark: &LineMark<'_>| matches!(mark.rest, [b'0'..=b'9', b'0'..=b'9', b':', ..]);
            let alike = |mark: &LineMark<'_>| matches!(mark.separator, b':' | b'-');
            pairs.all(|(one, next)| next.number > one.number && alike(next))
                && !(first.number < 24 && lines[0].get(2) == Some(&b':') && is_time(first))
        }
        _ => {
            marks.len() >= TELLING
                && (first.number == 1 || first.indented)
                && pairs.all(|(one, next)| {
                    one.number.checked_add(1) == Some(next.number) && next.separator == b' '
                })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn told_from_processes_and_times() {
        for (numbered, lines) in [
            (true, &["1\tbrk(0)"][..]),
            (true, &["     7\tbrk(0)", "     9\tbrk(0)"]),
            (true, &["7:brk(0)", "12-brk(0)", "13:brk(0)"]),
            (true, &["9:12 brk(0)", "10:12 brk(0)"]),
            (true, &["7:12:00:01 brk(0)", "8:12:00:01 brk(0)"]),
            (true, &["1 brk(0)", "2 brk(0)", "3 brk(0)"]),
            (
                true,
                &["      5 brk(0)", "      6 brk(0)", "      7 brk(0)"],
            ),
            (false, &["12:00:01 brk(0)", "13:00:01 brk(0)"]),
            (false, &["101 brk(0)", "102 brk(0)", "103 brk(0)"]),
            (false, &["1 brk(0)", "2 brk(0)"]),
            (false, &["1 brk(0)", "1 brk(0)", "1 brk(0)"]),
            (false, &["9\tbrk(0)", "8\tbrk(0)"]),
            (false, &["     0.000012 brk(0)", "     0.000013 brk(0)"]),
            (false, &["brk(0)"]),
            (false, &[]),
            (
                false,
                &[" 18446744073709551615 brk(0)", " 0 brk(0)", " 1 brk(0)"],
            ),
        ] {
            let lines: Vec<_> = lines
                .iter()
                .map(|line| Cow::Borrowed(line.as_bytes()))
                .collect();
            assert_eq!(are_before(&lines), numbered, "{lines:?}");
        }
    }
}

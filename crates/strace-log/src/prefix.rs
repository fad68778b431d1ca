//! What may stand before a call: who, when, where in the code.

/// The beginning of a line, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Prefix<'a> {
    /// The thread, if the line names it: `[pid 123] …` or `123 …`.
    pub(super) tid: Option<i32>,
    /// The time, as it is written.
    pub(super) time: Option<&'a [u8]>,
    /// What follows.
    pub(super) rest: &'a [u8],
}

impl<'a> Prefix<'a> {
    /// Takes a line apart. What doesn't look like a prefix stays in `rest`.
    ///
    /// # References
    /// strace(1), `-f`, `-i`, `-n`, `-r`, `-t`; strace 6.1 `src/strace.c`, `printleader`
    pub(super) fn parse(line: &'a [u8]) -> Self {
        let (tid, rest) = Self::who(line);
        Self::of(tid, rest)
    }

    /// The thread, and what follows its number.
    fn who(line: &'a [u8]) -> (Option<i32>, &'a [u8]) {
        let rest = line.trim_ascii_start();
        if let Some(after) = rest.strip_prefix(b"[pid ")
            && let Some((number, after)) = thread(after.trim_ascii_start())
            && let Some(after) = past_name(after).strip_prefix(b"]")
        {
            return (Some(number), after.trim_ascii_start());
        }
        if let Some((number, after)) = thread(rest)
            && matches!(after.first(), Some(b' ' | b'<' | b'\t'))
        {
            return (Some(number), past_name(after).trim_ascii_start());
        }
        (None, rest)
    }

    /// The rest of a line whose thread is known.
    fn of(tid: Option<i32>, mut rest: &'a [u8]) -> Self {
        let mut time = None;
        if rest.first().is_some_and(u8::is_ascii_digit) {
            let end = rest
                .iter()
                .position(|byte| !matches!(byte, b'0'..=b'9' | b':' | b'.'))
                .unwrap_or(rest.len());
            let (text, after) = rest.split_at(end);
            if after.first() == Some(&b' ') && is_time(text) {
                time = Some(text);
                rest = after.trim_ascii_start();
            }
            // Both kinds of time at once: `-r` with `-t`.
            if let Some(after) = rest.strip_prefix(b"(+")
                && let Some(end) = after.iter().position(|byte| *byte == b')')
            {
                rest = after[end + 1..].trim_ascii_start();
            }
        }
        // The number of the call (`-n`) and the instruction's address (`-i`).
        while let Some(after) = rest.strip_prefix(b"[")
            && let Some(end) = after
                .iter()
                .position(|byte| !matches!(byte, b'0'..=b'9' | b'a'..=b'f' | b'?' | b' ' | b'x'))
            && after[end] == b']'
        {
            rest = after[end + 1..].trim_ascii_start();
        }
        Self { tid, time, rest }
    }
}

/// Takes lines apart that begin alike, as most do: who speaks is read anew only if it isn't written
/// as in the line before.
#[derive(Debug, Default)]
pub(super) struct Prefixes {
    /// What the last line began with that named a thread, up to where its time or call begins.
    who: Vec<u8>,
    tid: Option<i32>,
}

impl Prefixes {
    /// As [`Prefix::parse`].
    #[inline]
    pub(super) fn parse<'a>(&mut self, line: &'a [u8]) -> Prefix<'a> {
        if let Some(rest) = line.strip_prefix(&self.who[..]) {
            match rest.first() {
                Some(b'a'..=b'z') => {
                    let (tid, time) = (self.tid, None);
                    return Prefix { tid, time, rest };
                }
                Some(b'0'..=b'9') if self.tid.is_some() => return Prefix::of(self.tid, rest),
                _ => {}
            }
        }
        let (tid, rest) = Prefix::who(line);
        let who = &line[..line.len() - rest.len()];
        let is_whole = tid.is_some() && who.ends_with(b" ");
        self.tid = tid.filter(|_| is_whole);
        self.who.clear();
        self.who.extend_from_slice(if is_whole { who } else { b"" });
        Prefix::of(tid, rest)
    }
}

/// The highest number that Linux gives a thread.
///
/// # References
/// Linux `include/linux/threads.h`, `PID_MAX_LIMIT`
const HIGHEST_TID: i32 = 4 * 1024 * 1024;

/// The number of a thread that is written alone, as in the name of a log of `strace -ff`.
pub(super) fn tid(text: &[u8]) -> Option<i32> {
    thread(text).filter(|(_, rest)| rest.is_empty()).map(|(tid, _)| tid)
}

/// The number of a thread and what follows.
#[inline]
fn thread(text: &[u8]) -> Option<(i32, &[u8])> {
    let (mut value, mut end) = (0, 0);
    while let Some(digit @ b'0'..=b'9') = text.get(end) {
        value = value * 10 + i32::from(digit - b'0');
        end += 1;
        if value > HIGHEST_TID {
            return None;
        }
    }
    (value > 0).then_some((value, &text[end..]))
}

/// Whether digits, dots and colons are a time as strace writes it: `12:00:01`, `12:00:01.123456`,
/// seconds with a fraction or since 1970. `12:34` is none: so `grep -n` writes a line's number and a
/// thread's.
fn is_time(text: &[u8]) -> bool {
    match memchr::memchr(b':', text) {
        Some(2) => text.len() >= 8 && text[5] == b':' && !text[6..].contains(&b':'),
        Some(_) => false,
        None => text.len() >= 9 || text.contains(&b'.'),
    }
}

/// Past the program's name of `--decode-pids=comm`: `123<nginx>`.
fn past_name(text: &[u8]) -> &[u8] {
    match text.strip_prefix(b"<") {
        Some(after) => match after.iter().position(|byte| *byte == b'>') {
            Some(end) => &after[end + 1..],
            None => text,
        },
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> (Option<i32>, Option<&str>, &str) {
        let prefix = Prefix::parse(line.as_bytes());
        let text = |bytes| str::from_utf8(bytes).unwrap();
        (prefix.tid, prefix.time.map(text), text(prefix.rest))
    }

    #[test]
    fn every_combination() {
        let rest = "brk(NULL) = 0x1";
        for (who, tid) in [
            ("", None),
            ("[pid 31774] ", Some(31774)),
            ("[pid   774] ", Some(774)),
            ("[pid 774<nginx>] ", Some(774)),
            ("774 ", Some(774)),
            ("774<a b> ", Some(774)),
            ("31774  ", Some(31774)),
        ] {
            for (when, time) in [
                ("", None),
                ("12:00:01 ", Some("12:00:01")),
                ("12:00:01.123456 ", Some("12:00:01.123456")),
                ("1795386975.532556 ", Some("1795386975.532556")),
                ("     0.000123 ", Some("0.000123")),
                ("12:00:01.123456 (+     0.000123) ", Some("12:00:01.123456")),
            ] {
                for place in ["", "[00007f9959a89c47] ", "[????????] ", "[  12] [00007f] "] {
                    let line = format!("{who}{when}{place}{rest}");
                    assert_eq!(parsed(&line), (tid, time, rest), "{line}");
                }
            }
        }
    }

    #[test]
    fn as_in_the_line_before_or_not() {
        let mut prefixes = Prefixes::default();
        for line in [
            "brk(0)",
            "[pid 12] brk(0)",
            "[pid 12] close(3)",
            "[pid 12] 12:00:01 brk(0)",
            "[pid 12]  7.123 brk(0)",
            "[pid 12] <... brk resumed>) = 0",
            "[pid 12] [00007f9959a89c47] brk(0)",
            "[pid 123] brk(0)",
            "brk(0)",
            "[pid 123",
            "12 brk(0)",
            "12 7 brk(0)",
            "12  7.123 brk(0)",
            "12<a>brk(0)",
            "12brk(0)",
            "12",
            "0.000123 brk(0)",
            "12 brk(0)",
            "123 brk(0)",
            " brk(0)",
            "",
        ] {
            for _ in 0..2 {
                let line = line.as_bytes();
                assert_eq!(prefixes.parse(line), Prefix::parse(line), "{line:?}");
            }
        }
    }

    #[test]
    fn what_is_no_prefix_stays() {
        assert_eq!(
            parsed("[ Process PID=12 runs in 32 bit mode. ]").2,
            "[ Process PID=12 runs in 32 bit mode. ]"
        );
        assert_eq!(parsed(" <unfinished ...>"), (None, None, "<unfinished ...>"));
        assert_eq!(parsed("99999999999 brk(0)").0, None);
        let rest = "brk(0)";
        assert_eq!(parsed("1488844800 brk(0)"), (None, Some("1488844800"), rest));
        assert_eq!(parsed("2:4242 brk(0)"), (None, None, "2:4242 brk(0)"));
        assert_eq!(parsed("12:42 brk(0)"), (None, None, "12:42 brk(0)"));
    }
}

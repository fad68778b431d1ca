//! Times in a log, however they are written, as time since its beginning.

use std::time::Duration;

const SECOND: u64 = 1_000_000_000;
const DAY: u64 = 86_400 * SECOND;
/// Seconds below this are not of a date (it would be in 1973) but since the line before.
const FIRST_DATE: u64 = 100_000_000;

/// How the times of a log are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum ClockKind {
    /// No time was seen so far.
    #[default]
    Unknown,
    /// `-t`, `-tt`: of the day.
    Day,
    /// `-ttt`: since 1970.
    Date,
    /// `-r`: since the line before.
    Relative,
    /// Since the beginning, as others than strace count: BuildKit, `ts -s`.
    Elapsed,
}

/// Times since the line before don't rise so often without falling once.
const RISES: usize = 7;

/// Reads the times of one input.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Clock {
    kind: ClockKind,
    /// The last time, in ns: of the first day's beginning, or since 1970, or the sum.
    now: u64,
}

impl Clock {
    /// Learns from the times of the first lines whether small ones count from the line before or
    /// from the beginning: the latter never fall. In strace's own form (microseconds) a few that
    /// rise may be chance.
    pub(super) fn learn<'a>(&mut self, times: impl Iterator<Item = &'a [u8]>) {
        let (mut rises, mut last, mut straces) = (0, None, true);
        for text in times {
            let Some((ClockKind::Relative, time)) = parse(text) else {
                return;
            };
            match last {
                Some(last) if time < last => return,
                Some(last) => rises += usize::from(time > last),
                None => {}
            }
            straces &= memchr::memchr(b'.', text).is_some_and(|dot| text.len() - dot == 7);
            last = Some(time);
        }
        let enough = if straces { RISES } else { 1 };
        if rises >= enough {
            self.kind = ClockKind::Elapsed;
        }
    }

    /// Whether every line has to be looked at, as each continues from the one before.
    pub(super) fn counts_every_line(&self) -> bool {
        matches!(self.kind, ClockKind::Unknown | ClockKind::Relative)
    }

    /// Whether times of other inputs can be compared.
    pub(super) fn is_absolute(&self) -> bool {
        matches!(self.kind, ClockKind::Day | ClockKind::Date)
    }

    /// The last time, in ns of this clock.
    pub(super) fn now(&self) -> u64 {
        self.now
    }

    /// Takes a line's time.
    pub(super) fn advance(&mut self, text: &[u8]) {
        let Some((kind, time)) = parse(text) else {
            return;
        };
        if self.kind == ClockKind::Unknown {
            self.kind = kind;
        }
        match (self.kind, kind) {
            (ClockKind::Relative, ClockKind::Relative) => self.now = self.now.saturating_add(time),
            (ClockKind::Elapsed, ClockKind::Relative) => self.now = self.now.max(time),
            (ClockKind::Day, ClockKind::Day) => {
                let day = self.now / DAY * DAY;
                // A step back by half a day is midnight; a small one is another thread's line.
                let next = time + DAY / 2 < self.now % DAY;
                self.now = day + time + if next { DAY } else { 0 };
            }
            (mine, other) if mine == other => self.now = time,
            _ => {}
        }
    }
}

/// Time since the log's beginning, which never goes back.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Since {
    first: Option<u64>,
    last: u64,
}

impl Since {
    pub(super) fn beginning(&mut self, now: u64) -> Duration {
        let first = *self.first.get_or_insert(now);
        self.last = self.last.max(now.saturating_sub(first));
        Duration::from_nanos(self.last)
    }
}

/// Kind and nanoseconds.
fn parse(text: &[u8]) -> Option<(ClockKind, u64)> {
    let mut fields = [0_u64; 3];
    let mut colons = 0;
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        match byte {
            b'0'..=b'9' => {
                let digit = u64::from(byte - b'0');
                fields[colons] = fields[colons].checked_mul(10)?.checked_add(digit)?;
            }
            b':' if colons < 2 => colons += 1,
            b'.' => break,
            _ => return None,
        }
        at += 1;
    }
    let fraction = text.get(at + 1..).unwrap_or_default();
    let nanoseconds = (0..9).try_fold(0, |sum, place| match fraction.get(place) {
        Some(byte) if byte.is_ascii_digit() => Some(sum * 10 + u64::from(byte - b'0')),
        Some(_) => None,
        None => Some(sum * 10),
    })?;
    let (kind, seconds) = match (colons, fields) {
        (2, [hours @ 0..24, minutes @ 0..60, seconds @ 0..62]) => {
            (ClockKind::Day, (hours * 60 + minutes) * 60 + seconds)
        }
        (0, [seconds, ..]) if seconds < FIRST_DATE => (ClockKind::Relative, seconds),
        (0, [seconds, ..]) => (ClockKind::Date, seconds),
        _ => return None,
    };
    let whole = seconds.checked_mul(SECOND)?;
    Some((kind, whole.checked_add(nanoseconds)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn microseconds(times: &[&str]) -> Vec<u128> {
        let (mut clock, mut since) = (Clock::default(), Since::default());
        let at = |text: &&str| {
            clock.advance(text.as_bytes());
            since.beginning(clock.now()).as_micros()
        };
        times.iter().map(at).collect()
    }

    #[test]
    fn of_the_day_over_midnight() {
        assert_eq!(
            microseconds(&["23:59:59.5", "23:59:59.250000", "00:00:00.5", "00:00:01"]),
            [0, 0, 1_000_000, 1_500_000]
        );
    }

    #[test]
    fn since_1970_and_since_the_line_before() {
        assert_eq!(microseconds(&["1795386975.532556", "1795386976.532557"]), [0, 1_000_001]);
        assert_eq!(microseconds(&["0.000000", "0.000100", "1.000000"]), [0, 100, 1_000_100]);
    }

    #[test]
    fn since_the_beginning() {
        let learned = |times: &[&str]| {
            let mut clock = Clock::default();
            clock.learn(times.iter().map(|text| text.as_bytes()));
            clock.kind == ClockKind::Elapsed
        };
        for (elapsed, times) in [
            (true, &["0.184", "11.85", "11.85", "11.90"][..]),
            (true, &["3.002", "3.010"]),
            (
                true,
                &[
                    "0.000001", "0.000002", "0.000005", "0.000011", "0.020000", "0.100000",
                    "1.000000", "1.000000", "1.000001",
                ],
            ),
            (false, &["0.184"]),
            (false, &["11.85", "0.184"]),
            (false, &["0.000000", "0.000100", "1.000000"]),
            (false, &["0.000010"; 20]),
            (false, &["0.184", "12:00:01"]),
            (false, &["1795386975.532556", "1795386975.532557"]),
            (false, &[]),
        ] {
            assert_eq!(learned(times), elapsed, "{times:?}");
        }
        let mut clock = Clock::default();
        let times = ["0.184", "11.85", "11.80", "11.90"];
        clock.learn(times[..2].iter().map(|text| text.as_bytes()));
        let mut since = Since::default();
        let at = times.map(|text| {
            clock.advance(text.as_bytes());
            since.beginning(clock.now()).as_millis()
        });
        assert_eq!(at, [0, 11_666, 11_666, 11_716]);
        assert!(!clock.is_absolute());
    }

    #[test]
    fn what_is_no_time() {
        for text in ["", "1:2", "25:00:00", "1.2.3", "12:00:00:00", "99999999999999999999"] {
            let (mut clock, before) = (Clock::default(), Clock::default().now());
            clock.advance(text.as_bytes());
            assert_eq!(clock.now(), before, "{text}");
        }
    }
}

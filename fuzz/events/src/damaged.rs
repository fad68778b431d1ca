//! Logs that something happened to.

/// xorshift64*: the same bytes in every run, so that a failure can be repeated.
#[derive(Debug)]
pub struct Random(pub u64);

impl Random {
    /// A number below this.
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % bound
    }
}

/// Bytes that mean something to the reader.
const MEANINGFUL: &[u8] = b"0123456789<>()[]{},=\"\\/*.:- +|?\n\r\tbpxaNUL\x1b\xef";

/// Numbers at the edges of what a call can hold.
const NUMBERS: [&str; 10] = [
    "0",
    "1",
    "-1",
    "4096",
    "4294967295",
    "0xfffffffff72ec000",
    "0x7fffffffffff",
    "18446744073709551615",
    "0xffffffffffffffff",
    "99999999999999999999",
];

/// Lines taken out, doubled, exchanged, or put in from another log; numbers at their edges; bytes.
pub fn mutated(logs: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let log = &logs[random.below(logs.len())];
    let mut lines: Vec<Vec<u8>> = log.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    for _ in 0..1 + random.below(6) {
        let at = random.below(lines.len());
        match random.below(7) {
            0 if lines.len() > 1 => drop(lines.remove(at)),
            1 => lines.insert(at, lines[random.below(lines.len())].clone()),
            2 => {
                let with = random.below(lines.len());
                lines.swap(at, with);
            }
            3 => {
                let other = &logs[random.below(logs.len())];
                let theirs: Vec<_> = other.split(|byte| *byte == b'\n').collect();
                lines.insert(at, theirs[random.below(theirs.len())].to_vec());
            }
            4 => {
                let text = String::from_utf8_lossy(&lines[at]).into_owned();
                let mut words: Vec<&str> = text.split([' ', '(', ')', ',']).collect();
                let word = words.remove(random.below(words.len()));
                if !word.is_empty() {
                    let number = NUMBERS[random.below(NUMBERS.len())];
                    lines[at] = text.replacen(word, number, 1).into_bytes();
                }
            }
            5 if !lines[at].is_empty() => {
                let end = random.below(lines[at].len());
                lines[at].truncate(end);
            }
            _ if !lines[at].is_empty() => {
                let byte = random.below(lines[at].len());
                lines[at][byte] = MEANINGFUL[random.below(MEANINGFUL.len())];
            }
            _ => {}
        }
    }
    lines.join(&b'\n')
}

/// A few lines of a log, as most of the time goes into those that are whole, with bytes exchanged, put
/// in and taken out.
pub fn pieces(log: &[u8], random: &mut Random) -> Vec<u8> {
    let mut log = log.to_vec();
    let start = random.below(log.len());
    log.drain(..start);
    log.truncate(1 + random.below(400));
    for _ in 0..1 + random.below(6) {
        let at = random.below(log.len());
        match random.below(4) {
            0 => log[at] = MEANINGFUL[random.below(MEANINGFUL.len())],
            1 => log.insert(at, MEANINGFUL[random.below(MEANINGFUL.len())]),
            2 => log[at] = random.below(256) as u8,
            _ if log.len() > 1 => drop(log.remove(at)),
            _ => {}
        }
    }
    log
}

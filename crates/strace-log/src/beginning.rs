//! What a log's first lines tell of all the others: whether it is text, and strace's; what was
//! written before every line; what its times count from.

use std::io::Read;

use super::error::{LogError, binary};
use super::foreign;
use super::input::Input;
use super::lines::Lines;
use super::prefix::Prefix;
use super::wrapping::Wrapping;

/// So much of the beginning is looked at.
const MOST_BYTES: usize = 64 * 1024;
const MOST_LINES: usize = 1000;

/// What some editors write before a text.
///
/// # References
/// The Unicode Standard, 23.8, “Byte Order Mark”
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Looks at the beginning of a log. What is none is refused by its name.
pub(super) fn look<R: Read>(log: &mut Input, lines: &mut Lines<R>) -> Result<Wrapping, LogError> {
    let beginning = lines.beginning().map_err(|source| log.failed(source))?;
    if let Some(what) = binary(beginning) {
        let name = log.name.clone();
        return Err(LogError::Binary { name, what });
    }
    let text = beginning.strip_prefix(BYTE_ORDER_MARK);
    let byte_order_mark = text.is_some();
    let text = text.unwrap_or(beginning);
    let text = &text[..text.len().min(MOST_BYTES)];
    let whole = match memchr::memrchr(b'\n', text) {
        Some(end) if text.len() == MOST_BYTES => &text[..end],
        _ => text,
    };
    let sample: Vec<&[u8]> = whole
        .split(|byte| *byte == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
        .filter(|line| !line.trim_ascii().is_empty())
        .take(MOST_LINES)
        .collect();
    let mut wrapping = Wrapping::of(&sample);
    let bare: Vec<Vec<u8>> = sample
        .iter()
        .map(|line| wrapping.off(line, &mut None).to_vec())
        .collect();
    wrapping.begin_anew(byte_order_mark);
    let bare: Vec<&[u8]> = bare.iter().map(Vec::as_slice).collect();
    if let Some(format) = foreign::named(&sample, &bare) {
        return Err(LogError::Foreign {
            name: log.name.clone(),
            what: format.what,
            advice: format.advice,
        });
    }
    log.clock
        .learn(bare.iter().filter_map(|line| Prefix::parse(line).time));
    if byte_order_mark {
        lines.pass(BYTE_ORDER_MARK.len());
    }
    Ok(wrapping)
}

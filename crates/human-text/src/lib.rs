//! Numbers with their units, and names that somebody else has chosen, as people read them on one
//! line of a terminal.

#![forbid(unsafe_code)]

#[cfg(test)]
use suite as _;

mod units;

pub use units::{Bytes, NotBytes, Seconds, thousands};

/// Whether a character is shown as itself and changes nothing else that is shown. Control characters
/// don't, nor do the marks that turn the direction of writing or have no width (Unicode's category
/// Cf), nor line separators and spaces other than the usual one.
pub fn is_printable(character: char) -> bool {
    if character.is_ascii() {
        return !character.is_control();
    }
    // Of a text's characters past the first, Debug escapes exactly what Unicode doesn't print.
    let mut bytes = [0; 5];
    bytes[0] = b'a';
    let length = 1 + character.encode_utf8(&mut bytes[1..]).len();
    let text = str::from_utf8(&bytes[..length]).unwrap_or_default();
    text.escape_debug().nth(1) == Some(character)
}

/// What somebody else has named, on one line: what isn't printable is escaped.
pub fn printable(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for character in name.chars() {
        match is_printable(character) {
            true => text.push(character),
            false => text.extend(character.escape_default()),
        }
    }
    text
}

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_on_its_line_and_as_it_is() {
        for (name, shown) in [
            ("/tmp/a\nb\u{1b}[31m é", "/tmp/a\\nb\\u{1b}[31m é"),
            ("e\u{301} \\ \"'", "e\u{301} \\ \"'"),
            ("नमस्ते 漢字 …×•", "नमस्ते 漢字 …×•"),
            ("\u{7f}\u{85}\u{9b}", "\\u{7f}\\u{85}\\u{9b}"),
            ("a\u{202e}b\u{2066}c", "a\\u{202e}b\\u{2066}c"),
            (
                "\u{200b}\u{200d}\u{feff}\u{ad}",
                "\\u{200b}\\u{200d}\\u{feff}\\u{ad}",
            ),
            ("\u{2028}\u{a0}\u{e0041}", "\\u{2028}\\u{a0}\\u{e0041}"),
        ] {
            assert_eq!(printable(name), shown, "{name:?}");
        }
    }

    #[test]
    fn all_of_the_category_cf_is_escaped() {
        // UnicodeData.txt 16.0: whoever is of that category.
        let ranges = [
            0xad..=0xad,
            0x600..=0x605,
            0x61c..=0x61c,
            0x6dd..=0x6dd,
            0x70f..=0x70f,
            0x890..=0x891,
            0x8e2..=0x8e2,
            0x180e..=0x180e,
            0x200b..=0x200f,
            0x202a..=0x202e,
            0x2060..=0x2064,
            0x2066..=0x206f,
            0xfeff..=0xfeff,
            0xfff9..=0xfffb,
            0x110bd..=0x110bd,
            0x110cd..=0x110cd,
            0x13430..=0x1343f,
            0x1bca0..=0x1bca3,
            0x1d173..=0x1d17a,
            0xe0001..=0xe0001,
            0xe0020..=0xe007f,
        ];
        for character in ranges.into_iter().flatten().filter_map(char::from_u32) {
            assert!(!is_printable(character), "{character:?}");
        }
    }
}

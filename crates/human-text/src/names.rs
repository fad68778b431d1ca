//! Names that somebody else has chosen: on one line, and as a shell takes them.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

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

/// What to type for these words, as bash, zsh and ksh take it: on one line, whatever bytes they hold.
///
/// ```
/// use human_text::shell_words;
///
/// assert_eq!(shell_words(["sh", "-c", "echo it's $PATH"]), r"sh -c 'echo it'\''s $PATH'");
/// assert_eq!(shell_words(["a\nb"]), r"$'a\012b'");
/// ```
pub fn shell_words(words: impl IntoIterator<Item = impl AsRef<OsStr>>) -> String {
    let words = words.into_iter();
    let words: Vec<String> = words.map(|word| shell_word(word.as_ref())).collect();
    words.join(" ")
}

fn shell_word(word: &OsStr) -> String {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"%+,-./:=@_".contains(byte);
    match word.to_str() {
        Some(word) if !word.is_empty() && word.bytes().all(|byte| is_plain(&byte)) => {
            word.to_owned()
        }
        Some(word) if word.chars().all(is_printable) => {
            format!("'{}'", word.replace('\'', r"'\''"))
        }
        _ => {
            let bytes = word.as_bytes().iter().map(|byte| match byte {
                b'\'' | b'\\' => format!("\\{}", char::from(*byte)),
                b' '..=b'~' => char::from(*byte).to_string(),
                // Three digits at most are taken for octal, so none that follows is.
                other => format!("\\{other:03o}"),
            });
            format!("$'{}'", bytes.collect::<String>())
        }
    }
}

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
            ("\u{200b}\u{200d}\u{feff}\u{ad}", "\\u{200b}\\u{200d}\\u{feff}\\u{ad}"),
            ("\u{2028}\u{a0}\u{e0041}", "\\u{2028}\\u{a0}\\u{e0041}"),
        ] {
            assert_eq!(printable(name), shown, "{name:?}");
        }
    }

    #[test]
    fn a_shell_takes_words_as_they_were() {
        let words: [&[u8]; 7] =
            [b"", b"it's", b"\xff'\\1", b"a\nb", b"$HOME `id` *", "é\u{202e}7".as_bytes(), b"~"];
        let typed = shell_words(words.map(OsStr::from_bytes));
        assert!(typed.chars().all(is_printable), "{typed}");
        let script = format!("printf '%s\\0' {typed}");
        let told = std::process::Command::new("bash").args(["-c", &script]).output();
        let told = told.expect("bash is there").stdout;
        let mut expected = words.join(&0);
        expected.push(0);
        assert_eq!(told, expected, "{typed}");
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

//! Dates and times that others than strace write.

/// Forms: a digit stands for a digit, `A` and `a` for a letter, anything else for itself.
const FORMS: [&[u8]; 5] = [
    b"0000-00-00T00:00:00",
    b"0000-00-00 00:00:00",
    b"Aaa 00 00:00:00",
    b"Aaa  0 00:00:00",
    b"00:00:00",
];

/// How long the date is that a text begins with, and the blank behind it: `2017-03-07T12:00:01.5Z `,
/// `Mar  7 12:00:01 `, `[2017-03-07 12:00:01,123] `, `[    1.234567] `.
pub(super) fn length(text: &[u8]) -> Option<usize> {
    let inner = text.strip_prefix(b"[");
    let rest = match inner {
        Some(inner) => past_date(inner)
            .or_else(|| past_seconds(inner))?
            .strip_prefix(b"]")?,
        None => past_date(text)?,
    };
    matches!(rest.first(), Some(b' ' | b'\t')).then(|| text.len() - rest.len() + 1)
}

fn past_date(text: &[u8]) -> Option<&[u8]> {
    let form = FORMS.iter().find(|form| fits(text, form))?;
    let mut rest = &text[form.len()..];
    if let Some(fraction) = rest.strip_prefix(b".").or_else(|| rest.strip_prefix(b",")) {
        rest = past_digits(fraction);
    }
    Some(match rest {
        [b'Z', rest @ ..] => rest,
        [b'+' | b'-', zone @ ..] if fits(zone, b"00:00") => &zone[5..],
        [b'+' | b'-', zone @ ..] if fits(zone, b"0000") => &zone[4..],
        rest => rest,
    })
}

/// Seconds since the machine began, as the kernel and `journalctl -o short-monotonic` have them.
fn past_seconds(text: &[u8]) -> Option<&[u8]> {
    let seconds = text.trim_ascii_start();
    let fraction = past_digits(seconds).strip_prefix(b".")?;
    let rest = past_digits(fraction);
    (rest.len() < fraction.len()).then_some(rest)
}

fn past_digits(text: &[u8]) -> &[u8] {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    &text[digits..]
}

fn fits(text: &[u8], form: &[u8]) -> bool {
    let alike = |(byte, form): (&u8, &u8)| match form {
        b'0' => byte.is_ascii_digit(),
        b'A' => byte.is_ascii_uppercase(),
        b'a' => byte.is_ascii_lowercase(),
        other => byte == other,
    };
    text.len() >= form.len() && text.iter().zip(form).all(alike)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_forms() {
        for date in [
            "2017-03-07T12:00:01.123456Z ",
            "2017-03-07T12:00:01+01:00 ",
            "2017-03-07T12:00:01+0100 ",
            "2017-03-07 12:00:01,123 ",
            "[2017-03-07T12:00:01.000Z] ",
            "Mar  7 12:00:01 ",
            "Mar 07 12:00:01.123456 ",
            "[   12.345678] ",
            "12:00:01\t",
        ] {
            let line = format!("{date}brk(NULL) = 0x1");
            assert_eq!(length(line.as_bytes()), Some(date.len()), "{line}");
        }
        for text in [
            "",
            "[",
            "brk(NULL)",
            "[pid 12] brk",
            "[00007f12] brk",
            "1795386975.53 brk",
        ] {
            assert_eq!(length(text.as_bytes()), None, "{text}");
        }
    }
}

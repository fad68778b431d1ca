//! Whether predictions hold.

/// A prediction may be off by so much of what was given back …
const PERCENT: i64 = 1;

/// … or by so much.
const BYTES: i64 = 256 << 10;

/// Less than this given back and nothing is shown by it: by the released programs more is. (Newer
/// nginx parses the bundle once.)
const LEAST_BYTES: i64 = 4 << 20;

/// What is wrong with a prediction; `None` if it holds. With a glibc that isn't released nothing has
/// to be known, but what is said has to be right.
pub fn of(predicted: Option<u64>, given_back: i64, is_released: bool) -> Option<String> {
    if is_released && given_back < LEAST_BYTES {
        return Some(format!(
            "only {given_back} bytes were given back: that shows nothing"
        ));
    }
    match predicted {
        None if is_released => Some("it isn't known what malloc_trim would give back".to_owned()),
        None => None,
        Some(predicted) if is_right(predicted.cast_signed(), given_back) => None,
        Some(predicted) => Some(format!(
            "{predicted} bytes predicted, {given_back} given back"
        )),
    }
}

fn is_right(predicted: i64, given_back: i64) -> bool {
    (predicted - given_back).abs() <= BYTES.max(given_back * PERCENT / 100)
}

/// In a word, for the table.
pub fn word(predicted: Option<u64>, given_back: i64, is_released: bool) -> &'static str {
    match of(predicted, given_back, is_released) {
        Some(_) => "WRONG",
        None if predicted.is_none() => "unknown",
        None => "right",
    }
}

#[cfg(test)]
mod tests {
    use super::{BYTES, LEAST_BYTES, of};

    const BACK: i64 = 200 << 20;

    #[test]
    fn a_percent_or_256_kib_is_near_enough() {
        let predicted = |off: i64, given_back: i64| {
            of(Some((given_back + off).cast_unsigned()), given_back, true).is_none()
        };
        assert!(predicted(BACK / 100, BACK));
        assert!(predicted(-BACK / 100, BACK));
        assert!(!predicted(BACK / 100 + 1, BACK));
        assert!(predicted(BYTES, LEAST_BYTES));
        assert!(!predicted(-BYTES - 1, LEAST_BYTES));
    }

    #[test]
    fn only_an_unreleased_glibc_may_be_unknown() {
        assert!(of(None, BACK, true).is_some());
        assert!(of(None, BACK, false).is_none());
        assert!(of(Some(0), BACK, false).is_some());
    }

    #[test]
    fn nothing_given_back_shows_nothing() {
        assert!(of(Some(0), 0, true).is_some());
        assert!(of(Some(0), 0, false).is_none());
    }
}

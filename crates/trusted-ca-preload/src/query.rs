//! Property queries (OpenSSL 3): which providers may serve an object.
//!
//! # References
//!
//! property(7); OpenSSL `crypto/property/property_parse.c` (`ossl_parse_query`), 3.0 to 4.0.

/// Whether OpenSSL reads a query without a word. A faulty one it complains of when it first meets
/// it, and not again, so there is no telling what a load with one leaves in the error queue.
///
/// Names with `=` or `!=` and a word are what is understood here, with commas between them; of
/// what more there is, strings in quotes and numbers, nothing is known to be in use.
pub(crate) fn is_plain(query: &[u8]) -> bool {
    query.split(|&byte| byte == b',').all(is_plain_clause)
}

fn is_plain_clause(clause: &[u8]) -> bool {
    let clause = clause.strip_prefix(b"?").unwrap_or(clause);
    let Some(sign) = clause.iter().position(|&byte| byte == b'=') else {
        return false;
    };
    let (name, value) = (&clause[..sign], &clause[sign + 1..]);
    is_word(name.strip_suffix(b"!").unwrap_or(name)) && is_word(value)
}

fn is_word(word: &[u8]) -> bool {
    word.first().is_some_and(u8::is_ascii_alphabetic)
        && word
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::is_plain;

    #[test]
    fn only_what_openssl_reads_without_a_word_is_plain() {
        let plain: [&[u8]; 4] = [
            b"fips=yes",
            b"fips!=yes",
            b"?provider=default",
            b"provider=default,?fips=no",
        ];
        for query in plain {
            assert!(is_plain(query), "{}", query.escape_ascii());
        }
        let doubtful: [&[u8]; 9] = [
            b"",
            b"no such thing",
            b"fips",
            b"fips=",
            b"=yes",
            b"fips = yes",
            b"fips=yes,",
            b"provider='default'",
            b"answer=42",
        ];
        for query in doubtful {
            assert!(!is_plain(query), "{}", query.escape_ascii());
        }
    }
}

//! The private way: a file is put into somebody's own store, out of the cache where it is there.
//!
//! Any doubt ends in [`None`], and the caller lets OpenSSL's own function do it.

use std::ffi::{CStr, c_char, c_void};

use bundle_cache::{Bundle, X509Store};

use crate::crypto::Crypto;
use crate::log;
use crate::settings::{self, SharingMode};

/// Loads a file into a store; `None` if that is left to OpenSSL.
///
/// # Safety
/// `store` is a live store of this libcrypto, `file` and `properties` are C strings or null.
#[allow(unsafe_code)]
pub(crate) unsafe fn load(
    crypto: &'static Crypto,
    store: *mut X509Store,
    file: *const c_char,
    libctx: *mut c_void,
    properties: *const c_char,
) -> Option<()> {
    if store.is_null() || file.is_null() || Crypto::is_running() {
        return None;
    }
    if settings::mode() == SharingMode::Off {
        log::passed_on();
        return None;
    }
    // SAFETY: a C string as the caller promises.
    let file = unsafe { CStr::from_ptr(file) };
    // SAFETY: a C string as the caller promises.
    let properties = (!properties.is_null()).then(|| unsafe { CStr::from_ptr(properties) });
    let plain = properties.is_none_or(|query| is_plain(query.to_bytes()));
    let bundle = (plain && crypto.is_default_context(libctx))
        .then(|| find(crypto, file, properties))
        .flatten();
    // SAFETY: a live store as the caller promises.
    let bundle = bundle.filter(|bundle| unsafe { bundle.add_to(store) }.is_ok());
    match bundle {
        Some(bundle) => {
            log::loaded(&bundle);
            Some(())
        }
        None => {
            log::passed_on();
            None
        }
    }
}

/// A bundle out of the cache, or parsed for it.
pub(crate) fn find(
    crypto: &'static Crypto,
    file: &CStr,
    properties: Option<&CStr>,
) -> Option<Bundle> {
    crypto.cache.as_ref()?.bundle_for(file, properties).ok()
}

/// Whether OpenSSL 3 reads a property query, which says which providers may serve an object, without a
/// word. A faulty one it complains of when it first meets
/// it, and not again, so there is no telling what a load with one leaves in the error queue.
///
/// Names with `=` or `!=` and a word are what is understood here, with commas between them; of
/// what more there is, strings in quotes and numbers, nothing is known to be in use.
///
/// # References
/// property(7); OpenSSL `crypto/property/property_parse.c` (`ossl_parse_query`), 3.0 to 4.0.
fn is_plain(query: &[u8]) -> bool {
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
        && word.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::is_plain;

    #[test]
    fn only_what_openssl_reads_without_a_word_is_plain() {
        let plain: [&[u8]; 4] =
            [b"fips=yes", b"fips!=yes", b"?provider=default", b"provider=default,?fips=no"];
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

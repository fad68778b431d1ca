//! Which of OpenSSL's own functions this thread is in.
//!
//! They call each other by the names that this library stands in front of, some of them by a jump,
//! so that a call seems to come from here. Such a call isn't a load of its own, and it is meant
//! for the library that is running.

use std::cell::Cell;

use crate::crypto::Crypto;
use crate::ssl::Ssl;

thread_local! {
    static CRYPTO: Cell<Option<&'static Crypto>> = const { Cell::new(None) };
    static SSL: Cell<Option<&'static Ssl>> = const { Cell::new(None) };
}

/// Runs one of a libcrypto's own functions.
pub(crate) fn in_crypto<T>(crypto: &'static Crypto, run: impl FnOnce() -> T) -> T {
    within(&CRYPTO, crypto, run)
}

/// Runs one of a libssl's own functions.
pub(crate) fn in_ssl<T>(ssl: &'static Ssl, run: impl FnOnce() -> T) -> T {
    within(&SSL, ssl, run)
}

/// The libcrypto one of whose own functions is running.
pub(crate) fn crypto() -> Option<&'static Crypto> {
    CRYPTO.get()
}

/// The libssl one of whose own functions is running.
pub(crate) fn ssl() -> Option<&'static Ssl> {
    SSL.get()
}

fn within<L, T>(
    running: &'static std::thread::LocalKey<Cell<Option<&'static L>>>,
    library: &'static L,
    run: impl FnOnce() -> T,
) -> T {
    let before = running.replace(Some(library));
    let result = run();
    running.set(before);
    result
}

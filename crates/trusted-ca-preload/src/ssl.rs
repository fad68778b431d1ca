//! A libssl: the functions that this library stands in front of.
//!
//! # Safety
//!
//! The table is made from symbols of one libssl, each called as OpenSSL declares it.
#![allow(unsafe_code)]

use std::cell::Cell;
use std::ffi::{CStr, c_char, c_int, c_void};

use bundle_cache::X509Store;

use crate::crypto::{Crypto, within_ssl};
use crate::library::{Library, LibraryList, functions, within};
use crate::loaded::{self, Definer};

/// `SSL_CTX`.
pub(crate) enum Context {}

functions! {
    /// A libssl's own functions.
    SslFunctions {
        new = c"SSL_CTX_new": fn(*const c_void) -> *mut Context;
        new_ex = c"SSL_CTX_new_ex": fn(*mut c_void, *const c_char, *const c_void) -> *mut Context;
        get_ssl_method = c"SSL_CTX_get_ssl_method": fn(*const Context) -> *const c_void;
        load_verify_locations = c"SSL_CTX_load_verify_locations":
            fn(*mut Context, *const c_char, *const c_char) -> c_int;
        load_verify_file = c"SSL_CTX_load_verify_file": fn(*mut Context, *const c_char) -> c_int;
        load_verify_dir = c"SSL_CTX_load_verify_dir": fn(*mut Context, *const c_char) -> c_int;
        load_verify_store = c"SSL_CTX_load_verify_store": fn(*mut Context, *const c_char) -> c_int;
        set_default_verify_paths = c"SSL_CTX_set_default_verify_paths": fn(*mut Context) -> c_int;
        set_default_verify_file = c"SSL_CTX_set_default_verify_file": fn(*mut Context) -> c_int;
        set_default_verify_dir = c"SSL_CTX_set_default_verify_dir": fn(*mut Context) -> c_int;
        set_default_verify_store = c"SSL_CTX_set_default_verify_store": fn(*mut Context) -> c_int;
        get_cert_store = c"SSL_CTX_get_cert_store": fn(*const Context) -> *mut X509Store;
        set_cert_store = c"SSL_CTX_set_cert_store": fn(*mut Context, *mut X509Store);
        set1_cert_store = c"SSL_CTX_set1_cert_store": fn(*mut Context, *mut X509Store);
    }
}

/// One libssl.
#[derive(Debug)]
pub(crate) struct Ssl {
    pub(crate) own: SslFunctions,
    /// The libcrypto that it works with.
    pub(crate) crypto: Option<&'static Crypto>,
}

impl Ssl {
    /// The libssl that a context belongs to, or that a call about it from `address` means.
    ///
    /// # Safety
    /// `ctx` is null or a live context.
    pub(crate) unsafe fn of_context(
        ctx: *const Context,
        address: *const c_void,
    ) -> Option<&'static Self> {
        let belongs = |ssl: &Self, base| {
            let Some(get) = ssl.own.get_ssl_method.filter(|_| !ctx.is_null()) else {
                return false;
            };
            // SAFETY: reads a word of the context. If this isn't its library it is a wrong one,
            // and no table of this library.
            loaded::base_of(unsafe { get(ctx) }) == Some(base)
        };
        RUNNING.get().or_else(|| Self::meant(address, belongs))
    }

    /// Whether one of a libssl's own functions is running.
    pub(crate) fn is_running() -> bool {
        RUNNING.get().is_some()
    }

    /// The libssl that a new context of this method, one of its tables, will belong to.
    pub(crate) fn of_method(
        method: *const c_void,
        address: *const c_void,
    ) -> Option<&'static Self> {
        let belongs = |_: &Self, base| loaded::base_of(method) == Some(base);
        RUNNING.get().or_else(|| Self::meant(address, belongs))
    }
}

static SSLS: LibraryList<Ssl> = LibraryList::new();

thread_local! {
    /// The libssl one of whose own functions is running.
    static RUNNING: Cell<Option<&'static Ssl>> = const { Cell::new(None) };
}

impl Library for Ssl {
    const MARK: &'static CStr = c"SSL_CTX_load_verify_locations";

    fn list() -> &'static LibraryList<Self> {
        &SSLS
    }

    fn run<T>(&'static self, run: impl FnOnce() -> T) -> T {
        within(&RUNNING, Some(self), || within_ssl(self.crypto, run))
    }

    fn open(Definer { handle, .. }: Definer) -> Self {
        let own = SslFunctions::of(handle);
        let crypto = own.get_cert_store.and_then(|function| {
            let address: *const c_void = function as *const c_void;
            Crypto::meant(address, |_, _| false)
        });
        Self { own, crypto }
    }

    fn major_version(&self) -> u64 {
        self.crypto.map_or(0, Library::major_version)
    }
}

//! A libssl: the functions that this library stands in front of.
//!
//! # Safety
//!
//! The table is made from symbols of one libssl, each called as OpenSSL declares it.
#![allow(unsafe_code)]

use std::cell::Cell;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::mem::transmute;

use bundle_cache::X509Store;

use crate::crypto::{Crypto, function, within_ssl};
use crate::library::{Library, LibraryList, within};
use crate::loaded::{self, Definer};

/// `SSL_CTX`.
pub(crate) enum Context {}

pub(crate) type New = unsafe extern "C" fn(*const c_void) -> *mut Context;
pub(crate) type NewEx =
    unsafe extern "C" fn(*mut c_void, *const c_char, *const c_void) -> *mut Context;
pub(crate) type GetMethod = unsafe extern "C" fn(*const Context) -> *const c_void;
pub(crate) type LoadLocations =
    unsafe extern "C" fn(*mut Context, *const c_char, *const c_char) -> c_int;
pub(crate) type Load = unsafe extern "C" fn(*mut Context, *const c_char) -> c_int;
pub(crate) type LoadDefault = unsafe extern "C" fn(*mut Context) -> c_int;
pub(crate) type GetStore = unsafe extern "C" fn(*const Context) -> *mut X509Store;
pub(crate) type SetStore = unsafe extern "C" fn(*mut Context, *mut X509Store);

/// One libssl. Functions that its version doesn't have are `None`.
#[derive(Debug)]
pub(crate) struct Ssl {
    pub(crate) new: Option<New>,
    pub(crate) new_ex: Option<NewEx>,
    pub(crate) get_ssl_method: Option<GetMethod>,
    pub(crate) load_verify_locations: Option<LoadLocations>,
    pub(crate) load_verify_file: Option<Load>,
    pub(crate) load_verify_dir: Option<Load>,
    pub(crate) load_verify_store: Option<Load>,
    pub(crate) set_default_verify_paths: Option<LoadDefault>,
    pub(crate) set_default_verify_file: Option<LoadDefault>,
    pub(crate) set_default_verify_dir: Option<LoadDefault>,
    pub(crate) set_default_verify_store: Option<LoadDefault>,
    pub(crate) get_cert_store: Option<GetStore>,
    pub(crate) set_cert_store: Option<SetStore>,
    pub(crate) set1_cert_store: Option<SetStore>,
    /// The libcrypto that it works with.
    pub(crate) crypto: Option<&'static Crypto>,
}

impl Ssl {
    /// The libssl that a context belongs to, or that a call about it from `address` means.
    ///
    /// # Safety
    ///
    /// `ctx` is null or a live context.
    pub(crate) unsafe fn of_context(
        ctx: *const Context,
        address: *const c_void,
    ) -> Option<&'static Self> {
        let belongs = |ssl: &Self, base| {
            let Some(get) = ssl.get_ssl_method.filter(|_| !ctx.is_null()) else {
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
        let get_cert_store: Option<GetStore> = function!(handle, c"SSL_CTX_get_cert_store");
        let crypto = get_cert_store.and_then(|function| {
            let address: *const c_void = function as *const c_void;
            Crypto::meant(address, |_, _| false)
        });
        Self {
            new: function!(handle, c"SSL_CTX_new"),
            new_ex: function!(handle, c"SSL_CTX_new_ex"),
            get_ssl_method: function!(handle, c"SSL_CTX_get_ssl_method"),
            load_verify_locations: function!(handle, c"SSL_CTX_load_verify_locations"),
            load_verify_file: function!(handle, c"SSL_CTX_load_verify_file"),
            load_verify_dir: function!(handle, c"SSL_CTX_load_verify_dir"),
            load_verify_store: function!(handle, c"SSL_CTX_load_verify_store"),
            set_default_verify_paths: function!(handle, c"SSL_CTX_set_default_verify_paths"),
            set_default_verify_file: function!(handle, c"SSL_CTX_set_default_verify_file"),
            set_default_verify_dir: function!(handle, c"SSL_CTX_set_default_verify_dir"),
            set_default_verify_store: function!(handle, c"SSL_CTX_set_default_verify_store"),
            get_cert_store,
            set_cert_store: function!(handle, c"SSL_CTX_set_cert_store"),
            set1_cert_store: function!(handle, c"SSL_CTX_set1_cert_store"),
            crypto,
        }
    }

    fn major_version(&self) -> u64 {
        self.crypto.map_or(0, Library::major_version)
    }
}

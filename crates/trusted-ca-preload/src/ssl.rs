//! A libssl: the functions that this library stands in front of.
//!
//! # Safety
//!
//! The table is made from symbols of one libssl, each called as OpenSSL declares it.
#![allow(unsafe_code)]

use std::ffi::{CStr, c_char, c_int, c_void};
use std::mem::transmute;

use bundle_cache::X509Store;

use crate::crypto::{Crypto, function};
use crate::library::{Library, List};
use crate::loaded::{self, Definer};

/// `SSL_CTX`.
pub(crate) enum Context {}

pub(crate) type NewContext =
    unsafe extern "C" fn(*mut c_void, *const c_char, *const c_void) -> *mut Context;
pub(crate) type LoadLocations =
    unsafe extern "C" fn(*mut Context, *const c_char, *const c_char) -> c_int;
pub(crate) type Load = unsafe extern "C" fn(*mut Context, *const c_char) -> c_int;
pub(crate) type LoadDefault = unsafe extern "C" fn(*mut Context) -> c_int;
pub(crate) type GetStore = unsafe extern "C" fn(*const Context) -> *mut X509Store;
pub(crate) type SetStore = unsafe extern "C" fn(*mut Context, *mut X509Store);

/// One libssl. Functions that its version doesn't have are `None`.
#[derive(Debug)]
pub(crate) struct Ssl {
    pub(crate) new_ex: Option<NewContext>,
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

static SSLS: List<Ssl> = List::new();

impl Library for Ssl {
    const MARK: &'static CStr = c"SSL_CTX_load_verify_locations";

    fn list() -> &'static List<Self> {
        &SSLS
    }

    fn open(Definer { handle, .. }: Definer) -> Self {
        let get_cert_store: Option<GetStore> = function!(handle, c"SSL_CTX_get_cert_store");
        let crypto = get_cert_store.and_then(|function| {
            let address: *const c_void = function as *const c_void;
            Crypto::called_from(address)
        });
        Self {
            new_ex: function!(handle, c"SSL_CTX_new_ex"),
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

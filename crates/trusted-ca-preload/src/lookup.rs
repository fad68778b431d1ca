//! The other way into a store: a lookup that is told to load a file. Ruby's `Store#add_file` takes
//! it, `openssl verify`, nginx for `ssl_crl`; and OpenSSL itself for the default places.
//!
//! # Safety
//!
//! Arguments are passed on as they come.
#![allow(unsafe_code)]

use std::ffi::{CStr, CString, c_char, c_int, c_long, c_void};
use std::ptr;

use bundle_cache::{X509Lookup, X509Store};

use crate::crypto::Crypto;
use crate::hooks::{library, own};
use crate::library::Library;
use crate::{settings, store};

/// `X509_L_FILE_LOAD`.
const LOAD_FILE: c_int = 1;
/// `X509_FILETYPE_PEM`.
const PEM: c_long = 1;
/// `X509_FILETYPE_DEFAULT`: the file that the environment or OpenSSL's makers name.
const DEFAULT: c_long = 3;

/// OpenSSL's function of this name.
///
/// # Safety
/// As OpenSSL's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn X509_LOOKUP_ctrl(
    lookup: *mut X509Lookup,
    command: c_int,
    text: *const c_char,
    number: c_long,
    answer: *mut *mut c_char,
) -> c_int {
    let crypto = library!(Crypto::of_lookup(lookup), 0);
    // SAFETY: the caller's arguments.
    if unsafe { load(crypto, lookup, (command, number), text, ptr::null_mut(), ptr::null()) }
        .is_some()
    {
        return 1;
    }
    own!(crypto.lookup_control(lookup, command, text, number, answer), 0)
}

/// OpenSSL's function of this name.
///
/// # Safety
/// As OpenSSL's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn X509_LOOKUP_ctrl_ex(
    lookup: *mut X509Lookup,
    command: c_int,
    text: *const c_char,
    number: c_long,
    answer: *mut *mut c_char,
    libctx: *mut c_void,
    properties: *const c_char,
) -> c_int {
    let crypto = library!(Crypto::of_lookup(lookup), 0);
    // SAFETY: the caller's arguments.
    if unsafe { load(crypto, lookup, (command, number), text, libctx, properties) }.is_some() {
        return 1;
    }
    own!(crypto.lookup_control_ex(lookup, command, text, number, answer, libctx, properties), 0)
}

/// Loads the file, if a command with this number asks for one; `None` if that is left to OpenSSL.
///
/// # Safety
/// A live lookup of this libcrypto, or null, and its arguments.
unsafe fn load(
    crypto: &'static Crypto,
    lookup: *mut X509Lookup,
    command: (c_int, c_long),
    text: *const c_char,
    libctx: *mut c_void,
    properties: *const c_char,
) -> Option<()> {
    if lookup.is_null() || Crypto::is_running() {
        return None;
    }
    let default = match command {
        (LOAD_FILE, PEM) => None,
        (LOAD_FILE, DEFAULT) => Some(default_file(crypto)?),
        _ => return None,
    };
    let file = default.as_ref().map_or(text, |file| file.as_ptr());
    // SAFETY: as the caller promises.
    let store = unsafe { store_of_files(crypto, lookup) }?;
    // SAFETY: the lookup's own store, and a C string or null.
    unsafe { store::load(crypto, store, file, libctx, properties) }
}

/// The store that this lookup is the one for files of. What another lookup means by the same
/// command is its own affair.
unsafe fn store_of_files(crypto: &Crypto, lookup: *mut X509Lookup) -> Option<*mut X509Store> {
    // SAFETY: a live lookup.
    let store = unsafe { crypto.own.store_of_lookup?(lookup) };
    if store.is_null() {
        return None;
    }
    // SAFETY: takes nothing and returns a static table.
    let method = unsafe { crypto.own.file_method?() };
    // SAFETY: a live store and a static method. A store has one lookup of each method.
    let of_files = unsafe { crypto.own.add_lookup?(store, method) };
    (of_files == lookup).then_some(store)
}

/// # References
/// OpenSSL `crypto/x509/by_file.c` (`by_file_ctrl_ex`), 1.1.1 to 4.0.
fn default_file(crypto: &Crypto) -> Option<CString> {
    // SAFETY: takes nothing and returns a static string.
    let variable = unsafe { crypto.own.default_file_variable?() };
    // SAFETY: a static string.
    let named = settings::variable(unsafe { CStr::from_ptr(variable) });
    named.or_else(|| {
        // SAFETY: takes nothing and returns a static string.
        let built_in = unsafe { crypto.own.default_file?() };
        // SAFETY: a static string.
        Some(unsafe { CStr::from_ptr(built_in) }.to_owned())
    })
}

//! The functions that programs call, in OpenSSL's names.
//!
//! Each finds the OpenSSL that its caller means by where the call came from, and ends in that
//! one's own function unless what it would do is done already. OpenSSL 1.1.1 lacks some of them;
//! whoever looks for such a name finds it here, so it does what 1.1.1 has an older name for.
//!
//! # Safety
//!
//! Arguments are passed on as they come. The entry points are a few instructions of assembly: they
//! hand the address that they return to over as one more argument, and jump.
#![allow(unsafe_code)]

use std::arch::naked_asm;
use std::ffi::{c_char, c_int, c_void};
use std::ptr;

use bundle_cache::X509Store;

use crate::crypto::Crypto;
use crate::library::Library;
use crate::ssl::{Context, Ssl};
use crate::{context, store};

type Caller = *const c_void;

/// An entry point of so many arguments, for a function that takes one more.
macro_rules! entry {
    ($name:ident, $arguments:tt => $to:path) => {
        /// OpenSSL's function of this name.
        ///
        /// # Safety
        /// As OpenSSL's.
        #[unsafe(naked)]
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name() {
            #[cfg(target_arch = "x86_64")]
            naked_asm!(entry!(x86_64 $arguments), "jmp {to}", to = sym $to);
            #[cfg(target_arch = "aarch64")]
            naked_asm!(entry!(aarch64 $arguments), "b {to}", to = sym $to);
        }
    };
    (x86_64 1) => { "mov rsi, [rsp]" };
    (x86_64 2) => { "mov rdx, [rsp]" };
    (x86_64 3) => { "mov rcx, [rsp]" };
    (x86_64 4) => { "mov r8, [rsp]" };
    (x86_64 5) => { "mov r9, [rsp]" };
    (aarch64 1) => { "mov x1, x30" };
    (aarch64 2) => { "mov x2, x30" };
    (aarch64 3) => { "mov x3, x30" };
    (aarch64 4) => { "mov x4, x30" };
    (aarch64 5) => { "mov x5, x30" };
}

entry!(X509_STORE_load_file, 2 => load_file);
entry!(X509_STORE_load_file_ex, 4 => load_file_ex);
entry!(X509_STORE_load_locations, 3 => load_locations);
entry!(X509_STORE_load_locations_ex, 5 => load_locations_ex);
entry!(SSL_CTX_new_ex, 3 => new_ex);
entry!(SSL_CTX_load_verify_locations, 3 => load_verify_locations);
entry!(SSL_CTX_load_verify_file, 2 => load_verify_file);
entry!(SSL_CTX_load_verify_dir, 2 => load_verify_dir);
entry!(SSL_CTX_load_verify_store, 2 => load_verify_store);
entry!(SSL_CTX_set_default_verify_paths, 1 => set_default_verify_paths);
entry!(SSL_CTX_set_default_verify_file, 1 => set_default_verify_file);
entry!(SSL_CTX_set_default_verify_dir, 1 => set_default_verify_dir);
entry!(SSL_CTX_set_default_verify_store, 1 => set_default_verify_store);
entry!(SSL_CTX_get_cert_store, 1 => get_cert_store);
entry!(SSL_CTX_set_cert_store, 2 => set_cert_store);
entry!(SSL_CTX_set1_cert_store, 2 => set1_cert_store);

/// The library that a call is about; where there is none, the call fails.
macro_rules! library {
    ($found:expr, $failed:expr) => {
        // SAFETY: the caller's store, context or lookup.
        match unsafe { $found } {
            Some(library) => library,
            None => return $failed,
        }
    };
}

/// The library's own function of this name, called; where it has none, the call fails.
macro_rules! own {
    ($library:ident.$name:ident($($argument:expr),*), $failed:expr) => {
        $library.run(|| {
            let own = $library.own.$name;
            // SAFETY: the caller's arguments, to the function that it called.
            own.map_or($failed, |own| unsafe { own($($argument),*) })
        })
    };
}

pub(crate) use {library, own};

unsafe extern "C" fn load_file(
    store: *mut X509Store,
    file: *const c_char,
    caller: Caller,
) -> c_int {
    let crypto = library!(Crypto::of_store(store, caller), 0);
    let none = ptr::null_mut();
    // SAFETY: the caller's arguments.
    if unsafe { store::load(crypto, store, file, none, ptr::null()) }.is_some() {
        return 1;
    }
    if crypto.own.load_file.is_none() {
        // SAFETY: the caller's arguments.
        return unsafe { load_locations(store, file, ptr::null(), caller) };
    }
    own!(crypto.load_file(store, file), 0)
}

unsafe extern "C" fn load_file_ex(
    store: *mut X509Store,
    file: *const c_char,
    libctx: *mut c_void,
    properties: *const c_char,
    caller: Caller,
) -> c_int {
    let crypto = library!(Crypto::of_store(store, caller), 0);
    // SAFETY: the caller's arguments.
    if unsafe { store::load(crypto, store, file, libctx, properties) }.is_some() {
        return 1;
    }
    if crypto.own.load_file_ex.is_none() {
        // SAFETY: the caller's arguments.
        return unsafe { load_file(store, file, caller) };
    }
    own!(crypto.load_file_ex(store, file, libctx, properties), 0)
}

unsafe extern "C" fn load_locations(
    store: *mut X509Store,
    file: *const c_char,
    directory: *const c_char,
    caller: Caller,
) -> c_int {
    let crypto = library!(Crypto::of_store(store, caller), 0);
    let none = ptr::null_mut();
    // SAFETY: the caller's arguments.
    let file = match unsafe { store::load(crypto, store, file, none, ptr::null()) } {
        Some(()) if directory.is_null() => return 1,
        Some(()) => ptr::null(),
        None => file,
    };
    own!(crypto.load_locations(store, file, directory), 0)
}

unsafe extern "C" fn load_locations_ex(
    store: *mut X509Store,
    file: *const c_char,
    directory: *const c_char,
    libctx: *mut c_void,
    properties: *const c_char,
    caller: Caller,
) -> c_int {
    let crypto = library!(Crypto::of_store(store, caller), 0);
    // SAFETY: the caller's arguments.
    let file = match unsafe { store::load(crypto, store, file, libctx, properties) } {
        Some(()) if directory.is_null() => return 1,
        Some(()) => ptr::null(),
        None => file,
    };
    if crypto.own.load_locations_ex.is_none() {
        // SAFETY: the caller's arguments.
        return unsafe { load_locations(store, file, directory, caller) };
    }
    own!(crypto.load_locations_ex(store, file, directory, libctx, properties), 0)
}

unsafe extern "C" fn new_ex(
    libctx: *mut c_void,
    properties: *const c_char,
    method: *const c_void,
    caller: Caller,
) -> *mut Context {
    let Some(ssl) = Ssl::of_method(method, caller) else {
        return ptr::null_mut();
    };
    if ssl.own.new_ex.is_none() {
        // SAFETY: the caller's method.
        return ssl.own.new.map_or(ptr::null_mut(), |new| unsafe { new(method) });
    }
    let ctx = own!(ssl.new_ex(libctx, properties, method), ptr::null_mut());
    if !libctx.is_null() || !properties.is_null() {
        // What it loads is to be parsed for that library context, and for nobody else.
        // SAFETY: a new context, or null.
        unsafe { context::unshare(ssl, ctx) };
    }
    ctx
}

unsafe extern "C" fn load_verify_locations(
    ctx: *mut Context,
    file: *const c_char,
    directory: *const c_char,
    caller: Caller,
) -> c_int {
    let ssl = library!(Ssl::of_context(ctx, caller), 0);
    // SAFETY: the caller's arguments.
    if directory.is_null() && unsafe { context::share(ssl, ctx, file) }.is_some() {
        return 1;
    }
    // SAFETY: the caller's context.
    unsafe { context::unshare(ssl, ctx) };
    own!(ssl.load_verify_locations(ctx, file, directory), 0)
}

unsafe extern "C" fn load_verify_file(
    ctx: *mut Context,
    file: *const c_char,
    caller: Caller,
) -> c_int {
    let ssl = library!(Ssl::of_context(ctx, caller), 0);
    // SAFETY: the caller's arguments.
    if unsafe { context::share(ssl, ctx, file) }.is_some() {
        return 1;
    }
    if ssl.own.load_verify_file.is_none() {
        // SAFETY: the caller's arguments.
        return unsafe { load_verify_locations(ctx, file, ptr::null(), caller) };
    }
    // SAFETY: the caller's context.
    unsafe { context::unshare(ssl, ctx) };
    own!(ssl.load_verify_file(ctx, file), 0)
}

unsafe extern "C" fn load_verify_dir(
    ctx: *mut Context,
    directory: *const c_char,
    caller: Caller,
) -> c_int {
    let ssl = library!(Ssl::of_context(ctx, caller), 0);
    if ssl.own.load_verify_dir.is_none() {
        // SAFETY: the caller's arguments.
        return unsafe { load_verify_locations(ctx, ptr::null(), directory, caller) };
    }
    // SAFETY: the caller's context.
    unsafe { context::unshare(ssl, ctx) };
    own!(ssl.load_verify_dir(ctx, directory), 0)
}

/// A function that changes a context's store, or hands it out: that becomes the context's own first.
macro_rules! unshared {
    ($name:ident($($argument:ident: $type:ty)?) -> $answer:ty, $failed:expr) => {
        unsafe extern "C" fn $name(
            ctx: *mut Context,
            $($argument: $type,)?
            caller: Caller,
        ) -> $answer {
            let ssl = library!(Ssl::of_context(ctx, caller), $failed);
            // SAFETY: the caller's context.
            unsafe { context::unshare(ssl, ctx) };
            own!(ssl.$name(ctx $(, $argument)?), $failed)
        }
    };
}
unshared!(load_verify_store(uri: *const c_char) -> c_int, 0);
unshared!(set_default_verify_paths() -> c_int, 0);
unshared!(set_default_verify_file() -> c_int, 0);
unshared!(set_default_verify_dir() -> c_int, 0);
unshared!(set_default_verify_store() -> c_int, 0);
unshared!(get_cert_store() -> *mut X509Store, ptr::null_mut());

/// A function that gives a context a store, which somebody holds a pointer to.
macro_rules! replaced {
    ($name:ident) => {
        unsafe extern "C" fn $name(ctx: *mut Context, store: *mut X509Store, caller: Caller) {
            let ssl = library!(Ssl::of_context(ctx, caller), ());
            if let Some(crypto) = ssl.crypto {
                // SAFETY: the caller's store.
                unsafe { context::touch(crypto, store) };
            }
            own!(ssl.$name(ctx, store), ());
        }
    };
}
replaced!(set_cert_store);
replaced!(set1_cert_store);

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
use crate::ssl::{Context, Ssl};
use crate::{context, running, ssl, store};

type Caller = *const c_void;

/// An entry point of so many arguments, for a function that takes one more.
macro_rules! entry {
    ($name:ident, $arguments:tt => $to:path) => {
        /// OpenSSL's function of this name.
        ///
        /// # Safety
        ///
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

unsafe extern "C" fn load_file(
    store: *mut X509Store,
    file: *const c_char,
    caller: Caller,
) -> c_int {
    // SAFETY: the caller's store.
    let Some(crypto) = (unsafe { Crypto::of_store(store, caller) }) else {
        return 0;
    };
    let none = ptr::null_mut();
    // SAFETY: the caller's arguments.
    if unsafe { store::load(crypto, store, file, none, ptr::null()) }.is_some() {
        return 1;
    }
    let Some(own) = crypto.load_file else {
        // SAFETY: the caller's arguments.
        return unsafe { load_locations(store, file, ptr::null(), caller) };
    };
    // SAFETY: the caller's arguments, to the function that it called.
    running::in_crypto(crypto, || unsafe { own(store, file) })
}

unsafe extern "C" fn load_file_ex(
    store: *mut X509Store,
    file: *const c_char,
    libctx: *mut c_void,
    properties: *const c_char,
    caller: Caller,
) -> c_int {
    // SAFETY: the caller's store.
    let Some(crypto) = (unsafe { Crypto::of_store(store, caller) }) else {
        return 0;
    };
    // SAFETY: the caller's arguments.
    if unsafe { store::load(crypto, store, file, libctx, properties) }.is_some() {
        return 1;
    }
    let Some(own) = crypto.load_file_ex else {
        // SAFETY: the caller's arguments.
        return unsafe { load_file(store, file, caller) };
    };
    // SAFETY: the caller's arguments, to the function that it called.
    running::in_crypto(crypto, || unsafe { own(store, file, libctx, properties) })
}

unsafe extern "C" fn load_locations(
    store: *mut X509Store,
    file: *const c_char,
    directory: *const c_char,
    caller: Caller,
) -> c_int {
    // SAFETY: the caller's store.
    let Some(crypto) = (unsafe { Crypto::of_store(store, caller) }) else {
        return 0;
    };
    let none = ptr::null_mut();
    // SAFETY: the caller's arguments.
    let loaded = unsafe { store::load(crypto, store, file, none, ptr::null()) };
    let file = match loaded {
        Some(()) if directory.is_null() => return 1,
        Some(()) => ptr::null(),
        None => file,
    };
    let Some(own) = crypto.load_locations else {
        return 0;
    };
    // SAFETY: the caller's arguments, to the function that it called.
    running::in_crypto(crypto, || unsafe { own(store, file, directory) })
}

unsafe extern "C" fn load_locations_ex(
    store: *mut X509Store,
    file: *const c_char,
    directory: *const c_char,
    libctx: *mut c_void,
    properties: *const c_char,
    caller: Caller,
) -> c_int {
    // SAFETY: the caller's store.
    let Some(crypto) = (unsafe { Crypto::of_store(store, caller) }) else {
        return 0;
    };
    // SAFETY: the caller's arguments.
    let loaded = unsafe { store::load(crypto, store, file, libctx, properties) };
    let file = match loaded {
        Some(()) if directory.is_null() => return 1,
        Some(()) => ptr::null(),
        None => file,
    };
    let Some(own) = crypto.load_locations_ex else {
        // SAFETY: the caller's arguments.
        return unsafe { load_locations(store, file, directory, caller) };
    };
    // SAFETY: the caller's arguments, to the function that it called.
    running::in_crypto(crypto, || unsafe {
        own(store, file, directory, libctx, properties)
    })
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
    let Some(own) = ssl.new_ex else {
        // SAFETY: the caller's method.
        return ssl
            .new
            .map_or(ptr::null_mut(), |new| unsafe { new(method) });
    };
    // SAFETY: the caller's arguments, to the function that it called.
    let ctx = running::in_ssl(ssl, || unsafe { own(libctx, properties, method) });
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
    // SAFETY: the caller's context.
    let Some(ssl) = (unsafe { Ssl::of_context(ctx, caller) }) else {
        return 0;
    };
    // SAFETY: the caller's arguments.
    if directory.is_null() && unsafe { context::share(ssl, ctx, file) }.is_some() {
        return 1;
    }
    // SAFETY: the caller's context.
    unsafe { context::unshare(ssl, ctx) };
    let Some(own) = ssl.load_verify_locations else {
        return 0;
    };
    // SAFETY: the caller's arguments, to the function that it called.
    running::in_ssl(ssl, || unsafe { own(ctx, file, directory) })
}

unsafe extern "C" fn load_verify_file(
    ctx: *mut Context,
    file: *const c_char,
    caller: Caller,
) -> c_int {
    // SAFETY: the caller's context.
    let Some(ssl) = (unsafe { Ssl::of_context(ctx, caller) }) else {
        return 0;
    };
    // SAFETY: the caller's arguments.
    if unsafe { context::share(ssl, ctx, file) }.is_some() {
        return 1;
    }
    if ssl.load_verify_file.is_none() {
        // SAFETY: the caller's arguments.
        return unsafe { load_verify_locations(ctx, file, ptr::null(), caller) };
    }
    // SAFETY: the caller's arguments.
    unsafe { changed(ssl, ctx, |ssl| ssl.load_verify_file, file) }
}

unsafe extern "C" fn load_verify_dir(
    ctx: *mut Context,
    directory: *const c_char,
    caller: Caller,
) -> c_int {
    // SAFETY: the caller's context.
    let Some(ssl) = (unsafe { Ssl::of_context(ctx, caller) }) else {
        return 0;
    };
    if ssl.load_verify_dir.is_none() {
        // SAFETY: the caller's arguments.
        return unsafe { load_verify_locations(ctx, ptr::null(), directory, caller) };
    }
    // SAFETY: the caller's arguments.
    unsafe { changed(ssl, ctx, |ssl| ssl.load_verify_dir, directory) }
}

unsafe extern "C" fn load_verify_store(
    ctx: *mut Context,
    uri: *const c_char,
    caller: Caller,
) -> c_int {
    // SAFETY: the caller's context.
    unsafe { Ssl::of_context(ctx, caller) }.map_or(0, |ssl| {
        // SAFETY: the caller's arguments.
        unsafe { changed(ssl, ctx, |ssl| ssl.load_verify_store, uri) }
    })
}

unsafe fn changed(
    ssl: &'static Ssl,
    ctx: *mut Context,
    own: fn(&Ssl) -> Option<ssl::Load>,
    what: *const c_char,
) -> c_int {
    // SAFETY: the caller's context.
    unsafe { context::unshare(ssl, ctx) };
    // SAFETY: the caller's arguments, to the function that it called.
    running::in_ssl(ssl, || own(ssl).map_or(0, |own| unsafe { own(ctx, what) }))
}

/// An entry that loads what is configured when OpenSSL is built.
macro_rules! default {
    ($name:ident) => {
        unsafe extern "C" fn $name(ctx: *mut Context, caller: Caller) -> c_int {
            // SAFETY: the caller's context.
            let Some(ssl) = (unsafe { Ssl::of_context(ctx, caller) }) else {
                return 0;
            };
            // SAFETY: the caller's context.
            unsafe { context::unshare(ssl, ctx) };
            // SAFETY: the caller's argument, to the function that it called.
            running::in_ssl(ssl, || ssl.$name.map_or(0, |own| unsafe { own(ctx) }))
        }
    };
}
default!(set_default_verify_paths);
default!(set_default_verify_file);
default!(set_default_verify_dir);
default!(set_default_verify_store);

unsafe extern "C" fn get_cert_store(ctx: *const Context, caller: Caller) -> *mut X509Store {
    // SAFETY: the caller's context.
    let ssl = unsafe { Ssl::of_context(ctx, caller) };
    let Some((ssl, own)) = ssl.and_then(|ssl| Some((ssl, ssl.get_cert_store?))) else {
        return ptr::null_mut();
    };
    // SAFETY: the caller's context.
    unsafe { context::unshare(ssl, ctx.cast_mut()) };
    // SAFETY: the caller's argument, to the function that it called.
    running::in_ssl(ssl, || unsafe { own(ctx) })
}

unsafe extern "C" fn set_cert_store(ctx: *mut Context, store: *mut X509Store, caller: Caller) {
    // SAFETY: the caller's arguments.
    unsafe { replaced(ctx, store, caller, |ssl| ssl.set_cert_store) };
}

unsafe extern "C" fn set1_cert_store(ctx: *mut Context, store: *mut X509Store, caller: Caller) {
    // SAFETY: the caller's arguments.
    unsafe { replaced(ctx, store, caller, |ssl| ssl.set1_cert_store) };
}

unsafe fn replaced(
    ctx: *mut Context,
    store: *mut X509Store,
    caller: Caller,
    own: fn(&Ssl) -> Option<ssl::SetStore>,
) {
    // SAFETY: the caller's context.
    let Some(ssl) = (unsafe { Ssl::of_context(ctx, caller) }) else {
        return;
    };
    if let Some(crypto) = ssl.crypto {
        // SAFETY: the caller's store, which somebody holds a pointer to.
        unsafe { context::touch(crypto, store) };
    }
    // SAFETY: the caller's arguments, to the function that it called.
    running::in_ssl(ssl, || own(ssl).map(|own| unsafe { own(ctx, store) }));
}

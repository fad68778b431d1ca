//! The shared-store way: contexts that load the same bundle get one store, until somebody could
//! change it or asks for it. Then that context gets a copy of its own.
//!
//! # Safety
//!
//! Contexts and stores are their callers' to vouch for; a store that is replaced stays alive for
//! as long as the one that took its place.
#![allow(unsafe_code)]

use std::ffi::{CStr, c_char};
use std::ptr;

use bundle_cache::{Bundle, X509Store};

use crate::crypto::Crypto;
use crate::mark::{self, StoreMark};
use crate::settings::{self, SharingMode};
use crate::ssl::{Context, Ssl};
use crate::{log, store};

/// Gives a context the store that all have who load this file; `None` if it has to load by itself.
///
/// # Safety
/// `ctx` is a live context of this libssl, `file` a C string or null.
pub(crate) unsafe fn share(ssl: &Ssl, ctx: *mut Context, file: *const c_char) -> Option<()> {
    if !acts() || ctx.is_null() || file.is_null() {
        return None;
    }
    let crypto = ssl.crypto?;
    let set = ssl.own.set_cert_store?;
    // SAFETY: a live context.
    let own = unsafe { ssl.own.get_cert_store?(ctx) };
    // SAFETY: a C string.
    let file = unsafe { CStr::from_ptr(file) };
    // SAFETY: a live store of a live context.
    if own.is_null() || !unsafe { mark::is_untouched(crypto, own) } {
        return None;
    }
    if !crypto.is_default_context(ptr::null_mut()) {
        return None;
    }
    let bundle = store::find(crypto, file, None)?;
    let shared = bundle
        .shared_store(|new| {
            // SAFETY: a new store of this libcrypto.
            unsafe { mark::set(crypto, new, StoreMark::Shared(bundle.clone())) }
        })
        .ok()?;
    // SAFETY: a live context, and a reference that passes to it. Its own store, which nobody else
    // knows, is freed.
    unsafe { set(ctx, shared) };
    log::loaded(&bundle);
    Some(())
}

/// Sees to it that a context has a store of its own, because it is about to be changed or somebody
/// asks for it.
///
/// # Safety
/// `ctx` is a live context of this libssl, or null.
pub(crate) unsafe fn unshare(ssl: &Ssl, ctx: *mut Context) {
    if !acts() || ctx.is_null() {
        return;
    }
    let Some(crypto) = ssl.crypto else { return };
    let Some(get) = ssl.own.get_cert_store else {
        return;
    };
    // SAFETY: a live context.
    let store = unsafe { get(ctx) };
    // SAFETY: a live store of a live context.
    if let Some(bundle) = unsafe { mark::shared(crypto, store) } {
        // SAFETY: a live context that has this store.
        unsafe { replace(ssl, crypto, ctx, store, &bundle) };
    } else {
        // SAFETY: as above.
        unsafe { touch(crypto, store) };
    }
}

/// Notes that somebody may hold a pointer to a store.
///
/// # Safety
/// `store` is a live store of this libcrypto, or null.
pub(crate) unsafe fn touch(crypto: &'static Crypto, store: *mut X509Store) {
    // SAFETY: as the caller promises.
    if acts() && !store.is_null() && unsafe { mark::is_untouched(crypto, store) } {
        let instead_of = ptr::null_mut();
        // SAFETY: as the caller promises. Without memory for the mark there is none for sharing.
        unsafe { mark::set(crypto, store, StoreMark::Touched { instead_of }) };
    }
}

unsafe fn replace(
    ssl: &Ssl,
    crypto: &'static Crypto,
    ctx: *mut Context,
    shared: *mut X509Store,
    bundle: &Bundle,
) {
    let Some((get, set)) = ssl.own.get_cert_store.zip(ssl.own.set_cert_store) else {
        return;
    };
    let Ok(copy) = bundle.private_store() else {
        return;
    };
    // SAFETY: the store that the context has, which is this bundle's.
    let instead_of = unsafe { bundle.another_reference(shared) };
    // SAFETY: a new store.
    if !unsafe { mark::set(crypto, copy, StoreMark::Touched { instead_of }) } {
        // SAFETY: the reference from above.
        unsafe { bundle.give_back(instead_of) };
        // SAFETY: made above; nobody else knows it.
        unsafe { bundle.give_back(copy) };
        return;
    }
    let guard = bundle_cache::lock();
    // SAFETY: a live context.
    let first = unsafe { get(ctx) } == shared;
    if first {
        // SAFETY: a live context, and a reference that passes to it. The shared store isn't freed:
        // the mark has a reference.
        unsafe { set(ctx, copy) };
    }
    drop(guard);
    if !first {
        // Another thread asked at the same moment.
        // SAFETY: made above; nobody else knows it.
        unsafe { bundle.give_back(copy) };
    }
}

fn acts() -> bool {
    settings::mode() == SharingMode::SharedStore && !Ssl::is_running()
}

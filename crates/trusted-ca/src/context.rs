//! An `SSL_CTX` made the way nginx makes one for a location.
//!
//! # Safety
//!
//! [`SslContext`] owns exactly one reference to its `SSL_CTX`, checked to be non-null when it
//! was made and given back on drop; every call below rests on that. A store that others have is
//! replaced before it would be changed.
#![allow(unsafe_code)]

use std::ffi::{c_int, c_long};
use std::ptr::{self, NonNull};

use openssl_sys::{SSL, SSL_CTX, X509_STORE, X509_STORE_CTX};

use bundle_cache::{Bundle, PassedOn};

use crate::library::{self, ExData};
use crate::{ContextError, ffi};

/// One location's SSL context, as lua-nginx-module has nginx make it.
///
/// [`SslContext::new`] does what `ngx_ssl_create` and then `ngx_http_lua_set_ssl` do: every
/// protocol from TLS 1.0 to 1.3, the same options and modes, the cipher list `DEFAULT`. What a
/// trusted certificate adds comes with [`load_trusted`](Self::load_trusted). Dropping it frees
/// the context together with its certificate store.
///
/// It is a context to be *weighed*, not one to connect with: like nginx's it verifies nothing by
/// itself (mode `SSL_VERIFY_NONE`, and a callback that accepts every chain, because nginx asks
/// for the verdict after the handshake).
///
/// # References
/// nginx `src/event/ngx_event_openssl.c` (`ngx_ssl_create`), lua-nginx-module
/// `src/ngx_http_lua_module.c` (`ngx_http_lua_set_ssl`).
#[derive(Debug)]
pub struct SslContext {
    ctx: NonNull<SSL_CTX>,
    pub(crate) verify_depth: c_int,
    pub(crate) store: StoreRef,
}

/// Whose the context's store is.
#[derive(Debug)]
pub(crate) enum StoreRef {
    /// The context's, as it was made with it.
    Untouched,
    /// The context's; it was filled or changed.
    Own,
    /// Several contexts': it came from this bundle, and mustn't be changed.
    Shared(Bundle),
}

// SAFETY: an SSL_CTX has no thread affinity; OpenSSL requires only that it isn't changed from
// two threads at once, and every change here needs `&mut self`. (Sync is withheld: reading the
// store's list takes no lock.)
unsafe impl Send for SslContext {}

impl SslContext {
    /// The depth that `lua_ssl_verify_depth` has unless it is configured.
    pub const DEFAULT_VERIFY_DEPTH: u16 = 1;

    /// Makes the context of one location.
    ///
    /// # Errors
    /// When OpenSSL cannot be set up or has no memory for a context.
    pub fn new() -> Result<Self, ContextError> {
        let ex_data = library::set_up()?;
        // SAFETY: OpenSSL is set up; TLS_method takes nothing and returns a static table.
        let method = unsafe { openssl_sys::TLS_method() };
        // SAFETY: the method is the static table from above.
        let ctx = NonNull::new(unsafe { openssl_sys::SSL_CTX_new(method) })
            .ok_or_else(|| ContextError::new("SSL_CTX_new"))?;
        let mut context = Self {
            ctx,
            verify_depth: Self::DEFAULT_VERIFY_DEPTH.into(),
            store: StoreRef::Untouched,
        };
        context.attach_ex_data(ex_data)?;
        context.set_protocols();
        context.set_options();
        context.set_modes();
        context.set_ciphers()?;
        Ok(context)
    }

    /// Sets `lua_ssl_verify_depth`: how many intermediate certificates a chain may have. It takes
    /// effect with the next load, as in nginx.
    pub fn set_verify_depth(&mut self, depth: u16) {
        self.verify_depth = depth.into();
    }

    /// The `SSL_CTX` itself, for OpenSSL calls that this crate doesn't wrap. It stays owned by
    /// this value: don't free it, and don't use it after the drop. With [`Sharing::Store`] its
    /// store is others' too: don't change that.
    ///
    /// [`Sharing::Store`]: crate::Sharing::Store
    pub fn as_ptr(&self) -> *mut SSL_CTX {
        self.ctx.as_ptr()
    }

    /// The store, to look at.
    pub(crate) fn store(&self) -> *mut X509_STORE {
        // SAFETY: the context is alive; the function only reads a pointer out of it.
        unsafe { openssl_sys::SSL_CTX_get_cert_store(self.as_ptr()) }
    }

    /// The store, to change: the context's own from now on, if it wasn't before.
    ///
    /// # Panics
    /// When there is no memory for a copy: changing what others have is no way out.
    pub(crate) fn own_store(&mut self) -> *mut X509_STORE {
        if let StoreRef::Shared(bundle) = &self.store {
            let copy = bundle.private_store().expect("memory for a store");
            self.give_store(copy.cast());
        }
        self.store = StoreRef::Own;
        self.store()
    }

    pub(crate) fn share(&mut self, bundle: &Bundle) -> Result<(), PassedOn> {
        let shared = bundle.shared_store(|_| true)?;
        self.give_store(shared.cast());
        self.store = StoreRef::Shared(bundle.clone());
        Ok(())
    }

    fn give_store(&mut self, store: *mut X509_STORE) {
        // SAFETY: the context is alive, and the reference to the store passes to it; it gives up
        // that to the store that it had.
        unsafe { openssl_sys::SSL_CTX_set_cert_store(self.as_ptr(), store) };
    }

    fn attach_ex_data(&mut self, slots: &ExData) -> Result<(), ContextError> {
        for slot in [slots.server_conf, slots.ssl] {
            // SAFETY: the slot was handed out by OpenSSL; a null value is never dereferenced.
            if unsafe { openssl_sys::SSL_CTX_set_ex_data(self.as_ptr(), slot, ptr::null_mut()) }
                == 0
            {
                return Err(ContextError::new("SSL_CTX_set_ex_data"));
            }
        }
        Ok(())
    }

    fn set_protocols(&mut self) {
        // TLS 1.0 to 1.3 are lua_ssl_protocols' default; nginx then lifts the lower bound, sets
        // the upper one for TLS 1.2, and both again for 1.3.
        let switched_on = openssl_sys::SSL_OP_NO_TLSv1
            | openssl_sys::SSL_OP_NO_TLSv1_1
            | openssl_sys::SSL_OP_NO_TLSv1_2
            | openssl_sys::SSL_OP_NO_TLSv1_3;
        // SAFETY: the context is alive; any set of option bits is allowed.
        unsafe { openssl_sys::SSL_CTX_clear_options(self.as_ptr(), switched_on) };
        // SAFETY: as above.
        unsafe { openssl_sys::SSL_CTX_set_options(self.as_ptr(), openssl_sys::SSL_OP_NO_SSLv3) };
        for newest in [openssl_sys::TLS1_2_VERSION, openssl_sys::TLS1_3_VERSION] {
            self.control(openssl_sys::SSL_CTRL_SET_MIN_PROTO_VERSION, 0);
            self.control(openssl_sys::SSL_CTRL_SET_MAX_PROTO_VERSION, newest);
        }
    }

    fn set_options(&mut self) {
        // Options that nginx also names but that are 0 in every OpenSSL since 1.1.0 (MICROSOFT_…,
        // SSLEAY_…, TLS_…_BUG, SINGLE_DH_USE) are left out.
        #[cfg_attr(not(ossl300), expect(unused_mut))]
        let mut options = openssl_sys::SSL_OP_DONT_INSERT_EMPTY_FRAGMENTS
            | openssl_sys::SSL_OP_NO_COMPRESSION
            | ffi::SSL_OP_NO_ANTI_REPLAY;
        #[cfg(ossl300)]
        {
            options |= openssl_sys::SSL_OP_IGNORE_UNEXPECTED_EOF;
        }
        // SAFETY: the context is alive; any set of option bits is allowed.
        unsafe { openssl_sys::SSL_CTX_set_options(self.as_ptr(), options) };
    }

    fn set_modes(&mut self) {
        for mode in [openssl_sys::SSL_MODE_RELEASE_BUFFERS, openssl_sys::SSL_MODE_NO_AUTO_CHAIN] {
            // SAFETY: the context is alive; any set of mode bits is allowed.
            unsafe { openssl_sys::SSL_CTX_set_mode(self.as_ptr(), mode) };
        }
        self.control(openssl_sys::SSL_CTRL_SET_READ_AHEAD, 1);
        // SAFETY: the context is alive and the callback is a function of the declared type.
        unsafe { ffi::SSL_CTX_set_info_callback(self.as_ptr(), Some(observe)) };
    }

    fn set_ciphers(&mut self) -> Result<(), ContextError> {
        // SAFETY: the context is alive and the list is a C string that OpenSSL copies.
        if unsafe { openssl_sys::SSL_CTX_set_cipher_list(self.as_ptr(), c"DEFAULT".as_ptr()) } == 0
        {
            return Err(ContextError::new("SSL_CTX_set_cipher_list"));
        }
        Ok(())
    }

    /// The first two steps of `ngx_ssl_trusted_certificate`, the same in every nginx version.
    pub(crate) fn set_verification(&mut self) {
        // SAFETY: the context is alive.
        let mode = unsafe { openssl_sys::SSL_CTX_get_verify_mode(self.as_ptr()) };
        // SAFETY: the context is alive and the callback is a function of the declared type.
        unsafe { openssl_sys::SSL_CTX_set_verify(self.as_ptr(), mode, Some(accept)) };
        // SAFETY: the context is alive; any depth is allowed.
        unsafe { openssl_sys::SSL_CTX_set_verify_depth(self.as_ptr(), self.verify_depth) };
    }

    fn control(&mut self, command: c_int, value: c_int) {
        // SAFETY: the context is alive, and the commands used here take a number and no pointer.
        unsafe {
            openssl_sys::SSL_CTX_ctrl(self.as_ptr(), command, c_long::from(value), ptr::null_mut())
        };
    }
}

impl Drop for SslContext {
    fn drop(&mut self) {
        // SAFETY: gives back the one reference that `new` got; nobody can use it afterwards.
        unsafe { openssl_sys::SSL_CTX_free(self.as_ptr()) }
    }
}

/// Stands where nginx's verify callback stands: it logs for debugging and always says 1.
extern "C" fn accept(_ok: c_int, _chain: *mut X509_STORE_CTX) -> c_int {
    1
}

/// Stands where nginx's info callback stands; it acts in handshakes only, of which there are none.
unsafe extern "C" fn observe(_ssl: *const SSL, _whence: c_int, _ret: c_int) {}

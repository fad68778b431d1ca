//! The directive `lua_ssl_trusted_certificate`, by version of nginx; and by way of a cache.
//!
//! # Safety
//!
//! Calls on a live context with C strings that OpenSSL only reads.
#![allow(unsafe_code)]

use std::ffi::c_long;
use std::path::Path;
use std::ptr;

use crate::cache::{BundleCache, Loaded, Nginx, Sharing};
use crate::context::{SslContext, StoreRef};
use crate::error::c_path;
use crate::parsed::{ParsedBundle, ParsedCrls};
use crate::stack::{Certificate, OpenSslStack};
use crate::{ErrorQueue, LoadError, LoadStage, error_queue, ffi};

impl SslContext {
    /// Loads a bundle as `lua_ssl_trusted_certificate PATH;` does.
    ///
    /// In order, as `ngx_ssl_trusted_certificate` has it: the verify callback is set and the mode
    /// kept, the verify depth is set, the file is loaded, and OpenSSL's error queue is emptied,
    /// since a load that succeeds may leave entries in it. Loading *appends*: what the context
    /// holds already stays.
    ///
    /// An empty path is an error here; in nginx it means that the directive isn't used.
    ///
    /// # Errors
    /// When nginx would refuse to start; the queue is then empty, its text is in the error.
    /// The context keeps what it held before, except that a store that ran out of memory may
    /// hold a part. The queue isn't emptied *before* the load, as it isn't in nginx: entries of
    /// earlier calls on this thread show up in the error and, if the newest of them is
    /// "no start line", make OpenSSL take a PEM block without content for the end of the file.
    ///
    /// # References
    /// nginx `src/event/ngx_event_openssl.c` of 1.22.1 and 1.27.2, SSL_CTX_load_verify_locations(3),
    /// X509_STORE_add_cert(3).
    pub fn load_trusted(
        &mut self,
        path: impl AsRef<Path>,
        nginx: Nginx<'_>,
    ) -> Result<(), LoadError> {
        let path = path.as_ref();
        self.set_verification();
        match nginx {
            Nginx::Before1_27_2 => self.load_verify_locations(path),
            Nginx::Since1_27_2(cycle) => self.add_parsed(&*cycle.bundle(path)?),
        }
    }

    /// Loads revocation lists as `lua_ssl_crl PATH;` does and turns CRL checks on.
    ///
    /// An empty path does nothing: nginx takes this step for every location, with or without the
    /// directive.
    ///
    /// # Errors
    /// When nginx would refuse to start.
    ///
    /// # References
    /// nginx `src/event/ngx_event_openssl.c` (`ngx_ssl_crl`), X509_LOOKUP_file(3).
    pub fn load_crl(&mut self, path: impl AsRef<Path>, nginx: Nginx<'_>) -> Result<(), LoadError> {
        let path = path.as_ref();
        if path.as_os_str().is_empty() {
            return Ok(());
        }
        match nginx {
            Nginx::Before1_27_2 => self.look_up_crls(path),
            Nginx::Since1_27_2(cycle) => self.add_parsed_crls(&*cycle.crls(path)?),
        }
    }

    /// Loads a bundle as [`load_trusted`](Self::load_trusted) before nginx 1.27.2, but parses it
    /// only if the cache doesn't have it.
    ///
    /// Same certificates and CRLs, in the same order, and the same verdict on every file: what
    /// can't be parsed, or isn't a regular file, is left to OpenSSL's own call.
    ///
    /// # Errors
    /// As [`load_trusted`](Self::load_trusted).
    pub fn load_trusted_cached(
        &mut self,
        path: impl AsRef<Path>,
        cache: &BundleCache,
        sharing: Sharing,
    ) -> Result<Loaded, LoadError> {
        let path = path.as_ref();
        let c_path = c_path(path)?;
        self.set_verification();
        let loaded = cache.engine().bundle(&c_path).and_then(|bundle| {
            match (sharing, &self.store) {
                (Sharing::Store, StoreRef::Untouched) => self.share(&bundle)?,
                // SAFETY: the store is alive, and the context's own.
                _ => unsafe { bundle.add_to(self.own_store().cast()) }?,
            }
            Ok(match bundle.parsed_now() {
                true => Loaded::Parsed,
                false => Loaded::Shared,
            })
        });
        match loaded {
            Ok(loaded) => {
                error_queue::clear();
                Ok(loaded)
            }
            Err(why) => {
                self.load_verify_locations(path)?;
                Ok(Loaded::ByOpenSsl(why))
            }
        }
    }

    /// Puts every certificate of a parsed bundle into this context's store.
    ///
    /// It takes nginx's detour as well: a copy of the list with a reference to each object,
    /// dropped when all are in.
    ///
    /// # Errors
    /// When memory is short.
    pub fn add_parsed(&mut self, bundle: &ParsedBundle) -> Result<(), LoadError> {
        let failed = || LoadError::now(&bundle.path, LoadStage::Store);
        // SAFETY: the stack is alive and holds X509 objects.
        let chain = unsafe { ffi::X509_chain_up_ref(bundle.certificates.as_ptr().cast()) };
        // SAFETY: a new list of X509 objects with a reference each, ours alone.
        let chain =
            unsafe { OpenSslStack::<Certificate>::from_raw(chain.cast()) }.ok_or_else(failed)?;
        for certificate in chain.iter() {
            // SAFETY: store and certificate are alive; the store takes its own reference.
            if unsafe { openssl_sys::X509_STORE_add_cert(self.own_store(), certificate) } != 1 {
                return Err(failed());
            }
        }
        Ok(())
    }

    /// Puts parsed CRLs into this context's store and turns CRL checks on for whole chains.
    ///
    /// # Errors
    /// When memory is short.
    pub fn add_parsed_crls(&mut self, parsed: &ParsedCrls) -> Result<(), LoadError> {
        for crl in parsed.crls.iter() {
            // SAFETY: store and CRL are alive; the store takes its own reference.
            if unsafe { ffi::X509_STORE_add_crl(self.own_store(), crl) } != 1 {
                return Err(LoadError::now(&parsed.path, LoadStage::Store));
            }
        }
        self.check_crls();
        Ok(())
    }

    /// The one call of nginx before 1.27.2, and its care for the error queue.
    pub(crate) fn load_verify_locations(&mut self, file: &Path) -> Result<(), LoadError> {
        let c_path = c_path(file)?;
        self.own_store();
        // SAFETY: the context is alive, the path a C string; a null directory means none.
        let loaded = unsafe {
            openssl_sys::SSL_CTX_load_verify_locations(self.as_ptr(), c_path.as_ptr(), ptr::null())
        };
        if loaded == 0 {
            return Err(LoadError::from_queue(file, ErrorQueue::drain()));
        }
        error_queue::clear();
        Ok(())
    }

    fn look_up_crls(&mut self, file: &Path) -> Result<(), LoadError> {
        let c_path = c_path(file)?;
        let failed = || LoadError::from_queue(file, ErrorQueue::drain());
        let lookup = self.add_file_lookup().ok_or_else(failed)?;
        // SAFETY: the lookup belongs to the live store; the command wants a path and a type.
        let loaded = unsafe {
            openssl_sys::X509_LOOKUP_ctrl(
                lookup.as_ptr(),
                ffi::X509_L_FILE_LOAD,
                c_path.as_ptr(),
                c_long::from(openssl_sys::X509_FILETYPE_PEM),
                ptr::null_mut(),
            )
        };
        if loaded == 0 {
            return Err(failed());
        }
        self.check_crls();
        Ok(())
    }

    /// Gives the store its "certificates from files" lookup, as any load through a file does.
    pub(crate) fn add_file_lookup(&mut self) -> Option<ptr::NonNull<openssl_sys::X509_LOOKUP>> {
        // SAFETY: returns a static table.
        let method = unsafe { openssl_sys::X509_LOOKUP_file() };
        // SAFETY: the store is alive; it owns the lookup that comes back.
        ptr::NonNull::new(unsafe { openssl_sys::X509_STORE_add_lookup(self.own_store(), method) })
    }

    pub(crate) fn check_crls(&mut self) {
        let flags = openssl_sys::X509_V_FLAG_CRL_CHECK | openssl_sys::X509_V_FLAG_CRL_CHECK_ALL;
        // SAFETY: the store is alive; any flags are allowed.
        unsafe { openssl_sys::X509_STORE_set_flags(self.own_store(), flags) };
    }
}

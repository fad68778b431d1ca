//! What a bundle holds, parsed: certificates and revocation lists in the order of the file.
//!
//! # Safety
//!
//! A [`Parsed`] owns one reference to each of its objects, which goes with it; a store that an
//! object is added to takes another. Objects are handed to no function but those of the OpenSSL
//! that made them.
#![allow(unsafe_code)]

use std::ffi::{CStr, c_int};
use std::ptr::{self, NonNull};

use crate::file::{FileIdentity, FileStream};
use crate::lock::Guarded;
use crate::openssl::{Bio, OpenSsl, X509, X509Crl, X509Info, X509InfoStack, X509Store};

/// `BIO_CLOSE`: freeing the BIO closes its stream too.
const BIO_CLOSE: c_int = 1;
/// Of a certificate's flags: its extensions can't be made sense of.
const EXFLAG_INVALID: u32 = 0x80;

/// A parsed bundle.
#[derive(Debug)]
pub(crate) struct Parsed {
    pub(crate) openssl: &'static OpenSsl,
    items: Vec<Item>,
    /// Length of the file in bytes.
    pub(crate) file_bytes: u64,
    pub(crate) shared: Guarded<SharedStore>,
}

/// The store that is shared by whoever asks for it.
#[derive(Debug)]
pub(crate) enum SharedStore {
    /// Nobody has asked yet.
    NotYet,
    /// Filled, with a reference that is the bundle's.
    Store(*mut X509Store),
    /// The cache doesn't keep this bundle any more, and nobody new asks for it.
    Retired,
}

// SAFETY: OpenSSL counts references atomically, and what X509 objects fill in later they fill in
// under their own lock; the shared store is only got at under this crate's lock.
unsafe impl Send for Parsed {}
// SAFETY: as above.
unsafe impl Sync for Parsed {}

#[derive(Debug, Clone, Copy)]
enum Item {
    Certificate(NonNull<X509>),
    Crl(NonNull<X509Crl>),
}

/// What came of reading a file.
#[derive(Debug)]
pub(crate) struct ParsedFile {
    /// The file's contents; `None` if it is for OpenSSL's own loader to say what is wrong with it.
    pub(crate) parsed: Option<Parsed>,
    /// What the file was when its end was reached.
    pub(crate) identity: Option<FileIdentity>,
}

impl Parsed {
    /// Reads a bundle as OpenSSL's file loader does: through stdio, up to its end, with the empty
    /// string for a password. What it leaves in the error queue is what the loader leaves there.
    ///
    /// `properties` is a property query that the objects are to keep (OpenSSL 3).
    ///
    /// # References
    /// OpenSSL `crypto/x509/by_file.c` (`X509_load_cert_crl_file`), 1.1.1 to 4.0.
    pub(crate) fn read(
        openssl: &'static OpenSsl,
        file: FileStream,
        properties: Option<&CStr>,
    ) -> ParsedFile {
        // SAFETY: an open stream, which passes to the BIO if there is one.
        let bio = unsafe { (openssl.bio_new_fp)(file.stream.as_ptr(), BIO_CLOSE) };
        if bio.is_null() {
            // SAFETY: nobody took the stream over.
            unsafe { libc::fclose(file.stream.as_ptr()) };
            return ParsedFile { parsed: None, identity: None };
        }
        let infos = read_infos(openssl, bio, properties);
        let identity = file.identity_now();
        // SAFETY: made above, and not used afterwards.
        unsafe { (openssl.bio_free)(bio) };
        let file_bytes = identity.map_or(0, |identity| identity.bytes());
        let parsed = (!infos.is_null()).then(|| {
            let items = items(openssl, infos);
            // SAFETY: made by OpenSSL above, freed once, by its own functions.
            unsafe { (openssl.stack_pop_free)(infos, openssl.info_free) };
            Self { openssl, items, file_bytes, shared: Guarded::new(SharedStore::NotYet) }
        });
        ParsedFile { parsed, identity }
    }

    /// Whether the file held neither a certificate nor a revocation list.
    pub(crate) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Whether each certificate can be compared with another without a word in the error queue.
    /// Adding one to a store that has it compares the two; a shared one is only compared with
    /// itself, and nothing is said of extensions that are wrong.
    ///
    /// # References
    /// OpenSSL `crypto/x509/x509_cmp.c` (`X509_cmp`), `crypto/x509/v3_purp.c`
    /// (`X509_get_extension_flags`: the same side effect), 1.1.1 to 4.0.
    pub(crate) fn compares_quietly(&self) -> bool {
        self.items.iter().all(|item| match item {
            Item::Certificate(x509) => {
                // SAFETY: the list's own certificate, which nobody else knows yet.
                let flags = unsafe { (self.openssl.x509_extension_flags)(x509.as_ptr()) };
                flags & EXFLAG_INVALID == 0 && !self.openssl.errors_queued()
            }
            Item::Crl(_) => true,
        })
    }

    /// Puts everything into a store as the file loader does: the same calls in the same order,
    /// so that order and duplicates come out the same. False when memory is short.
    ///
    /// # Safety
    /// `store` is alive.
    pub(crate) unsafe fn add_to(&self, store: *mut X509Store) -> bool {
        // SAFETY: takes nothing and returns a static table.
        let method = unsafe { (self.openssl.lookup_file)() };
        // SAFETY: the store is alive, the method static.
        if unsafe { (self.openssl.store_add_lookup)(store, method) }.is_null() {
            return false;
        }
        self.items.iter().all(|item| {
            let added = match item {
                // SAFETY: store and certificate are alive; the store takes its own reference.
                Item::Certificate(x509) => unsafe {
                    (self.openssl.store_add_cert)(store, x509.as_ptr())
                },
                // SAFETY: store and list are alive; the store takes its own reference.
                Item::Crl(crl) => unsafe { (self.openssl.store_add_crl)(store, crl.as_ptr()) },
            };
            added != 0
        })
    }

    /// A new store with everything in it; null when memory is short. The caller owns it.
    pub(crate) fn new_store(&self) -> *mut X509Store {
        // SAFETY: no precondition.
        let store = unsafe { (self.openssl.store_new)() };
        // SAFETY: a new store, if it isn't null.
        if !store.is_null() && !unsafe { self.add_to(store) } {
            // SAFETY: made above; nobody else knows it.
            unsafe { (self.openssl.store_free)(store) };
            return ptr::null_mut();
        }
        store
    }
}

/// Has OpenSSL read to the end of a file with nothing in it, so that the error queue is left as
/// reading a whole bundle leaves it: emptied up to 3.5, untouched later.
pub(crate) fn read_end(openssl: &OpenSsl) {
    // SAFETY: no bytes are read from a buffer of no length.
    let bio = unsafe { (openssl.bio_new_mem_buf)(c"".as_ptr().cast(), 0) };
    if bio.is_null() {
        return;
    }
    let infos = read_infos(openssl, bio, None);
    if !infos.is_null() {
        // SAFETY: made by OpenSSL above, freed once, by its own functions.
        unsafe { (openssl.stack_pop_free)(infos, openssl.info_free) };
    }
    // SAFETY: made above, and not used afterwards.
    unsafe { (openssl.bio_free)(bio) };
}

/// Reads a BIO to its end; null if something in it doesn't parse.
fn read_infos(openssl: &OpenSsl, bio: *mut Bio, properties: Option<&CStr>) -> *mut X509InfoStack {
    let (list, callback, context) = (ptr::null_mut(), ptr::null_mut(), ptr::null_mut());
    let password = c"".as_ptr();
    match (properties, openssl.pem_info_read_ex) {
        // SAFETY: an open BIO, no list to extend, no callback, the default library context, and C
        // strings for the password and the query.
        (Some(properties), Some(read)) => unsafe {
            read(bio, list, callback, password, context, properties.as_ptr())
        },
        // Before 3.0 there are no queries.
        (Some(_), None) => ptr::null_mut(),
        // SAFETY: an open BIO, no list to extend, no callback, and a C string for the password.
        (None, _) => unsafe { (openssl.pem_info_read)(bio, list, callback, password) },
    }
}

fn items(openssl: &OpenSsl, infos: *mut X509InfoStack) -> Vec<Item> {
    // SAFETY: a stack that OpenSSL just made.
    let count = unsafe { (openssl.stack_count)(infos) };
    let mut items = Vec::with_capacity(usize::try_from(count).unwrap_or(0));
    for index in 0..count {
        // SAFETY: the index is within the stack, whose elements are X509_INFOs.
        let info: *const X509Info = unsafe { (openssl.stack_value)(infos, index) };
        // SAFETY: a live element that nobody else knows.
        let x509 = unsafe { (*info).x509 };
        // SAFETY: as above.
        let crl = unsafe { (*info).crl };
        if let Some(x509) = NonNull::new(x509) {
            // SAFETY: alive; the new reference is this list's.
            unsafe { (openssl.x509_up_ref)(x509.as_ptr()) };
            items.push(Item::Certificate(x509));
        }
        if let Some(crl) = NonNull::new(crl) {
            // SAFETY: alive; the new reference is this list's.
            unsafe { (openssl.crl_up_ref)(crl.as_ptr()) };
            items.push(Item::Crl(crl));
        }
    }
    items
}

impl Drop for Parsed {
    fn drop(&mut self) {
        for item in &self.items {
            match item {
                // SAFETY: the list's own reference.
                Item::Certificate(x509) => unsafe { (self.openssl.x509_free)(x509.as_ptr()) },
                // SAFETY: the list's own reference.
                Item::Crl(crl) => unsafe { (self.openssl.crl_free)(crl.as_ptr()) },
            }
        }
        if let SharedStore::Store(store) = *self.shared.get_mut() {
            // SAFETY: the list's own reference; contexts that use the store have theirs.
            unsafe { (self.openssl.store_free)(store) };
        }
    }
}

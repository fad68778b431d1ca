//! A libcrypto: the functions that this library stands in front of, and the cache of what it
//! parsed.
//!
//! # Safety
//!
//! The table is made from symbols of one libcrypto, each called as OpenSSL declares it.
#![allow(unsafe_code)]

use std::cell::Cell;
use std::ffi::{CStr, c_char, c_int, c_long, c_ulong, c_void};
use std::ptr;
use std::sync::atomic::{AtomicI32, Ordering::Relaxed};

use bundle_cache::{BundleCache, OpenSsl, X509Lookup, X509LookupMethod, X509Store, lock};

use crate::library::{self, Library, LibraryList, functions, within};
use crate::loaded::{self, Definer};

/// How many bundles are kept at most. A program that knows more at once is rare; then it parses.
const BUNDLES: usize = 16;

/// OpenSSL 1.1.1, as `OPENSSL_VERSION_NUMBER`: the first that is known here.
const OLDEST: c_ulong = 0x1010_1000;
/// What every LibreSSL says that it is.
const LIBRESSL: c_ulong = 0x2000_0000;

pub(crate) type FreeMark =
    unsafe extern "C" fn(*mut c_void, *mut c_void, *mut c_void, c_int, c_long, *mut c_void);

functions! {
    /// A libcrypto's own functions.
    CryptoFunctions {
        load_file = c"X509_STORE_load_file": fn(*mut X509Store, *const c_char) -> c_int;
        load_file_ex = c"X509_STORE_load_file_ex":
            fn(*mut X509Store, *const c_char, *mut c_void, *const c_char) -> c_int;
        load_locations = c"X509_STORE_load_locations":
            fn(*mut X509Store, *const c_char, *const c_char) -> c_int;
        load_locations_ex = c"X509_STORE_load_locations_ex":
            fn(*mut X509Store, *const c_char, *const c_char, *mut c_void, *const c_char) -> c_int;
        lookup_control = c"X509_LOOKUP_ctrl":
            fn(*mut X509Lookup, c_int, *const c_char, c_long, *mut *mut c_char) -> c_int;
        lookup_control_ex = c"X509_LOOKUP_ctrl_ex":
            fn(*mut X509Lookup, c_int, *const c_char, c_long, *mut *mut c_char, *mut c_void,
               *const c_char) -> c_int;
        store_of_lookup = c"X509_LOOKUP_get_store": fn(*const X509Lookup) -> *mut X509Store;
        add_lookup = c"X509_STORE_add_lookup":
            fn(*mut X509Store, *mut X509LookupMethod) -> *mut X509Lookup;
        file_method = c"X509_LOOKUP_file": fn() -> *mut X509LookupMethod;
        default_file = c"X509_get_default_cert_file": fn() -> *const c_char;
        default_file_variable = c"X509_get_default_cert_file_env": fn() -> *const c_char;
        new_index = c"CRYPTO_get_ex_new_index":
            fn(c_int, c_long, *mut c_void, *mut c_void, *mut c_void, Option<FreeMark>) -> c_int;
        set_ex_data = c"X509_STORE_set_ex_data": fn(*mut X509Store, c_int, *mut c_void) -> c_int;
        get_ex_data = c"X509_STORE_get_ex_data": fn(*mut X509Store, c_int) -> *mut c_void;
        store_free = c"X509_STORE_free": fn(*mut X509Store);
        global_context = c"OSSL_LIB_CTX_get0_global_default": fn() -> *mut c_void;
        set_context = c"OSSL_LIB_CTX_set0_default": fn(*mut c_void) -> *mut c_void;
        version_number = c"OpenSSL_version_num": fn() -> c_ulong;
    }
}

/// One libcrypto.
#[derive(Debug)]
pub(crate) struct Crypto {
    pub(crate) own: CryptoFunctions,
    version: c_ulong,
    /// Of the slot in which its stores have their marks.
    mark_index: AtomicI32,
    /// `None` for a library that only looks like OpenSSL: BoringSSL, LibreSSL, 1.1.0.
    pub(crate) cache: Option<BundleCache>,
}

static CRYPTOS: LibraryList<Crypto> = LibraryList::new();

thread_local! {
    /// The libcrypto one of whose own functions is running.
    static RUNNING: Cell<Option<&'static Crypto>> = const { Cell::new(None) };
    /// The libcrypto of the libssl one of whose own functions is running.
    static OF_RUNNING_SSL: Cell<Option<&'static Crypto>> = const { Cell::new(None) };
}

/// `CRYPTO_EX_INDEX_X509_STORE`, the same from 1.1.1 to 4.0.
const STORES: c_int = 4;
/// Slots are counted from 0; what isn't asked for yet, or was refused, is below.
const NOT_YET: c_int = -1;

impl Library for Crypto {
    const MARK: &'static CStr = c"X509_STORE_load_locations";

    fn list() -> &'static LibraryList<Self> {
        &CRYPTOS
    }

    fn run<T>(&'static self, run: impl FnOnce() -> T) -> T {
        within(&RUNNING, Some(self), run)
    }

    fn open(Definer { handle, .. }: Definer) -> Self {
        let own = CryptoFunctions::of(handle);
        // SAFETY: no precondition.
        let version = own.version_number.map_or(0, |number| unsafe { number() });
        // SAFETY: symbols of one object that stays loaded, and an OpenSSL that has them.
        let openssl = is_openssl(handle, version)
            .then(|| unsafe { OpenSsl::resolve(|name| loaded::symbol(handle, name)) })
            .flatten();
        let cache = openssl.map(|openssl| BundleCache::new(Box::leak(Box::new(openssl)), BUNDLES));
        Self { own, version, mark_index: AtomicI32::new(NOT_YET), cache }
    }

    fn major_version(&self) -> u64 {
        major(self.version)
    }
}

impl Crypto {
    /// The libcrypto that a store belongs to, or that a call about it from `address` means.
    ///
    /// # Safety
    /// `store` is null or a live store.
    pub(crate) unsafe fn of_store(
        store: *const X509Store,
        address: *const c_void,
    ) -> Option<&'static Self> {
        // SAFETY: as the caller promises.
        let owner = || unsafe { library::owner_of_store(store) };
        running().or_else(|| Self::meant(address, |_, base| owner() == Some(base)))
    }

    /// The libcrypto that a lookup belongs to.
    ///
    /// # Safety
    /// `lookup` is null or a live lookup.
    pub(crate) unsafe fn of_lookup(lookup: *const X509Lookup) -> Option<&'static Self> {
        // SAFETY: as the caller promises.
        let owner = || unsafe { library::owner_of_lookup(lookup) };
        running().or_else(|| Self::meant(ptr::null(), |_, base| owner() == Some(base)))
    }

    /// Whether one of a libcrypto's own functions is running.
    pub(crate) fn is_running() -> bool {
        RUNNING.get().is_some()
    }

    /// The slot in which its stores have their marks, which `free` frees; the number that OpenSSL
    /// gave it.
    pub(crate) fn mark_index(&'static self, free: FreeMark) -> Option<c_int> {
        let _guard = lock()?;
        let known = self.mark_index.load(Relaxed);
        if known != NOT_YET {
            return Some(known);
        }
        let this = ptr::from_ref(self).cast_mut().cast();
        let none = ptr::null_mut();
        // SAFETY: the callback has the declared type, and its argument lives for ever.
        let index = unsafe { self.own.new_index?(STORES, 0, this, none, none, Some(free)) };
        if index < 0 {
            return None;
        }
        self.mark_index.swap(index, Relaxed);
        Some(index)
    }

    /// Whether objects that are parsed now belong to the library context that everybody uses who
    /// doesn't ask for another: `libctx` isn't given, and this thread's default is the global one.
    pub(crate) fn is_default_context(&self, libctx: *mut c_void) -> bool {
        let (Some(global), Some(set)) = (self.own.global_context, self.own.set_context) else {
            // Before 3.0 there are no contexts.
            return libctx.is_null();
        };
        // SAFETY: no precondition.
        let global = unsafe { global() };
        // SAFETY: null changes nothing, and the answer is this thread's default.
        libctx.is_null() && unsafe { set(ptr::null_mut()) } == global
    }
}

fn running() -> Option<&'static Crypto> {
    RUNNING.get().or_else(|| OF_RUNNING_SSL.get())
}

/// Runs something in a libssl that works with this libcrypto.
pub(crate) fn within_ssl<T>(crypto: Option<&'static Crypto>, run: impl FnOnce() -> T) -> T {
    within(&OF_RUNNING_SSL, crypto, run)
}

/// 1.0 and 1.1 mark their symbols differently, 3 and later by what stands first.
fn major(version: c_ulong) -> u64 {
    let first = version >> 28;
    if first < 3 { version >> 20 } else { first }
}

fn is_openssl(handle: *mut c_void, version: c_ulong) -> bool {
    version >= OLDEST
        && version != LIBRESSL
        && loaded::symbol(handle, c"BORINGSSL_self_test").is_null()
}

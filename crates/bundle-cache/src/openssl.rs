//! The functions of OpenSSL that are needed, as a table: linked by one caller, looked up in a
//! foreign process by another.
//!
//! # Safety
//!
//! [`OpenSsl::resolve`] turns addresses into functions; its caller vouches for them.
#![allow(unsafe_code)]

use std::ffi::{CStr, c_char, c_int, c_ulong, c_void};

/// `X509_STORE`.
pub enum X509Store {}
/// `X509`.
pub enum X509 {}
/// `X509_CRL`.
pub enum X509Crl {}
/// `BIO`.
pub enum Bio {}
/// `STACK_OF(X509_INFO)`, an `OPENSSL_STACK`.
pub enum X509InfoStack {}
/// `X509_LOOKUP`.
pub enum X509Lookup {}
/// `X509_LOOKUP_METHOD`.
pub enum X509LookupMethod {}
/// `pem_password_cb`, only ever null here.
pub enum PasswordCallback {}

/// The head of `X509_INFO`: what one entry of a PEM file held. Private keys follow; they are none
/// of this crate's business, and `X509_INFO_free` frees them.
#[repr(C)]
pub struct X509Info {
    /// A certificate, or null.
    pub x509: *mut X509,
    /// A revocation list, or null.
    pub crl: *mut X509Crl,
    _rest: [u8; 0],
}

macro_rules! table {
    (
        always { $( $field:ident = $name:literal: $type:ty; )* }
        since_3 { $( $newer:ident = $its:literal: $its_type:ty; )* }
    ) => {
        /// One OpenSSL's functions. All of them but one are exported by 1.1.1, 3.x and 4.x alike,
        /// with the same meaning.
        #[derive(Debug, Clone, Copy)]
        pub struct OpenSsl {
            $( pub(crate) $field: $type, )*
            $( pub(crate) $newer: Option<$its_type>, )*
        }

        impl OpenSsl {
            /// Makes the table from a function that knows where each symbol lies; `None` if one
            /// is null that every OpenSSL has, because this isn't one then that is known here.
            ///
            /// # Safety
            /// For each name `address` returns null or the address of that function of one and
            /// the same OpenSSL, 1.1.1 or later, which stays loaded until the process ends. A
            /// wrong address is called with arguments that it doesn't expect.
            pub unsafe fn resolve(
                mut address: impl FnMut(&'static CStr) -> *const c_void,
            ) -> Option<Self> {
                Some(Self {
                    $( $field: {
                        let function = address($name);
                        if function.is_null() {
                            return None;
                        }
                        // SAFETY: not null, and the function of this name as the caller promises;
                        // a function's address fits a function pointer.
                        unsafe { std::mem::transmute::<*const c_void, $type>(function) }
                    }, )*
                    // SAFETY: null becomes None; else as above.
                    $( $newer: unsafe {
                        std::mem::transmute::<*const c_void, Option<$its_type>>(address($its))
                    }, )*
                })
            }
        }
    };
}

table! {
    always {
        bio_new_fp = c"BIO_new_fp": unsafe extern "C" fn(*mut libc::FILE, c_int) -> *mut Bio;
        bio_new_mem_buf = c"BIO_new_mem_buf": unsafe extern "C" fn(*const c_void, c_int) -> *mut Bio;
        bio_free = c"BIO_free": unsafe extern "C" fn(*mut Bio) -> c_int;
        err_peek_error = c"ERR_peek_error": unsafe extern "C" fn() -> c_ulong;
        err_clear_error = c"ERR_clear_error": unsafe extern "C" fn();
        pem_info_read = c"PEM_X509_INFO_read_bio": unsafe extern "C" fn(
            *mut Bio, *mut X509InfoStack, *mut PasswordCallback, *const c_char) -> *mut X509InfoStack;
        info_free = c"X509_INFO_free": unsafe extern "C" fn(*mut c_void);
        stack_count = c"OPENSSL_sk_num": unsafe extern "C" fn(*const X509InfoStack) -> c_int;
        stack_value = c"OPENSSL_sk_value": unsafe extern "C" fn(*const X509InfoStack, c_int) -> *mut X509Info;
        stack_pop_free = c"OPENSSL_sk_pop_free":
            unsafe extern "C" fn(*mut X509InfoStack, unsafe extern "C" fn(*mut c_void));
        x509_up_ref = c"X509_up_ref": unsafe extern "C" fn(*mut X509) -> c_int;
        x509_free = c"X509_free": unsafe extern "C" fn(*mut X509);
        x509_extension_flags = c"X509_get_extension_flags": unsafe extern "C" fn(*mut X509) -> u32;
        crl_up_ref = c"X509_CRL_up_ref": unsafe extern "C" fn(*mut X509Crl) -> c_int;
        crl_free = c"X509_CRL_free": unsafe extern "C" fn(*mut X509Crl);
        store_new = c"X509_STORE_new": unsafe extern "C" fn() -> *mut X509Store;
        store_up_ref = c"X509_STORE_up_ref": unsafe extern "C" fn(*mut X509Store) -> c_int;
        store_free = c"X509_STORE_free": unsafe extern "C" fn(*mut X509Store);
        store_add_cert = c"X509_STORE_add_cert":
            unsafe extern "C" fn(*mut X509Store, *mut X509) -> c_int;
        store_add_crl = c"X509_STORE_add_crl":
            unsafe extern "C" fn(*mut X509Store, *mut X509Crl) -> c_int;
        store_add_lookup = c"X509_STORE_add_lookup":
            unsafe extern "C" fn(*mut X509Store, *mut X509LookupMethod) -> *mut X509Lookup;
        lookup_file = c"X509_LOOKUP_file": unsafe extern "C" fn() -> *mut X509LookupMethod;
    }
    since_3 {
        pem_info_read_ex = c"PEM_X509_INFO_read_bio_ex": unsafe extern "C" fn(
            *mut Bio, *mut X509InfoStack, *mut PasswordCallback, *const c_char,
            *mut c_void, *const c_char) -> *mut X509InfoStack;
    }
}

impl OpenSsl {
    /// Whether this thread's error queue holds anything.
    pub(crate) fn errors_queued(&self) -> bool {
        // SAFETY: looks at OpenSSL's own queue of this thread; no precondition.
        unsafe { (self.err_peek_error)() != 0 }
    }

    /// Empties this thread's error queue.
    pub(crate) fn clear_errors(&self) {
        // SAFETY: acts on OpenSSL's own queue of this thread; no precondition.
        unsafe { (self.err_clear_error)() }
    }
}

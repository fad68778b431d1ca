//! An OpenSSL `BIO` that reads through stdio, from a file or from memory.
//!
//! Both kinds go through `fgets(3)` and so see the same lines: text up to a newline or 254
//! bytes, and for a C reader only up to the first NUL. OpenSSL's *memory* BIO would not do: it
//! hands a line over whole, NULs included, so that a file with NUL bytes could get another
//! verdict from it.
//!
//! # Safety
//!
//! [`FileBio`] owns its BIO, and the BIO its `FILE`; one drop frees both. A BIO over memory
//! carries the lifetime of that memory.
#![allow(unsafe_code)]

use std::ffi::{CStr, c_void};
use std::marker::PhantomData;
use std::os::fd::{AsRawFd, RawFd};
use std::ptr::{self, NonNull};

use openssl_sys::BIO;

use crate::ffi;

/// A BIO over a `FILE`; `'a` is the life of the bytes behind it.
pub(crate) struct FileBio<'a> {
    bio: NonNull<BIO>,
    _bytes: PhantomData<&'a [u8]>,
}

impl FileBio<'static> {
    /// Opens a file as OpenSSL's own loader does; `None` means that the queue says why.
    pub(crate) fn open(path: &CStr) -> Option<Self> {
        // SAFETY: both arguments are C strings that OpenSSL only reads.
        let bio = unsafe { ffi::BIO_new_file(path.as_ptr(), c"r".as_ptr()) };
        Some(Self { bio: NonNull::new(bio)?, _bytes: PhantomData })
    }
}

impl<'a> FileBio<'a> {
    /// A stream over bytes in memory, of any length above zero; `None` when memory is short.
    pub(crate) fn over(bytes: &'a [u8]) -> Option<Self> {
        // SAFETY: with mode "r" fmemopen reads at most `len` bytes from the slice and writes
        // nowhere in it, so casting the const away is sound; `'a` keeps the slice alive for as
        // long as this value, which owns the stream, exists.
        let stream = NonNull::new(unsafe {
            libc::fmemopen(bytes.as_ptr().cast_mut().cast::<c_void>(), bytes.len(), c"r".as_ptr())
        })?;
        // SAFETY: the stream is open, and the BIO becomes its only owner.
        match NonNull::new(unsafe { openssl_sys::BIO_new_fp(stream.as_ptr(), ffi::BIO_CLOSE) }) {
            Some(bio) => Some(Self { bio, _bytes: PhantomData }),
            None => {
                // SAFETY: no BIO was made, so the stream is still ours, and is closed once.
                unsafe { libc::fclose(stream.as_ptr()) };
                None
            }
        }
    }

    pub(crate) fn as_ptr(&self) -> *mut BIO {
        self.bio.as_ptr()
    }
}

impl AsRawFd for FileBio<'static> {
    /// The descriptor behind an opened file, -1 if there is none.
    fn as_raw_fd(&self) -> RawFd {
        let mut stream: *mut libc::FILE = ptr::null_mut();
        // SAFETY: this command stores the BIO's `FILE*` through the pointer, which is live.
        unsafe {
            openssl_sys::BIO_ctrl(
                self.as_ptr(),
                ffi::BIO_C_GET_FILE_PTR,
                0,
                ptr::from_mut(&mut stream).cast(),
            )
        };
        if stream.is_null() {
            return -1;
        }
        // SAFETY: the stream belongs to the BIO and is open.
        unsafe { libc::fileno(stream) }
    }
}

impl Drop for FileBio<'_> {
    fn drop(&mut self) {
        // SAFETY: the BIO is ours and in no chain; freeing it closes its stream too.
        unsafe { openssl_sys::BIO_free_all(self.as_ptr()) }
    }
}

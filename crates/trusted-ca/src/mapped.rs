//! The second reader: the file is mapped, not read in 4 KiB pieces.
//!
//! # Safety
//!
//! The mapping is private to one call: parsing copies what it keeps, and the mapping goes before
//! the call returns. That the file holds still meanwhile is the caller's promise.
#![allow(unsafe_code)]

use std::fs::File;
use std::mem::ManuallyDrop;
use std::os::fd::{AsRawFd, FromRawFd};
use std::path::Path;
use std::ptr;

use memmap2::{Advice, Mmap};

use crate::bio::FileBio;
use crate::error::c_path;
use crate::ffi::X509_INFO;
use crate::stack::{Info, OpenSslStack};
use crate::{ErrorQueue, LoadError, LoadStage, SslContext, error_queue, ffi};

/// How [`SslContext::load_trusted_mapped`] got at the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReadMethod {
    /// From a mapping of the whole file.
    Mapped {
        /// Length of the file in bytes.
        bytes: u64,
    },
    /// Through read(2), because there was nothing to map: a pipe, a terminal, a directory, or a
    /// file whose length the kernel gives as 0 (an empty one, or one under `/proc`).
    Streamed,
    /// Through read(2), because mmap(2) refused with this errno.
    MapRefused {
        /// As in errno(3); for instance `ENODEV` from a file system that cannot map.
        errno: i32,
    },
}

impl SslContext {
    /// Loads a bundle like [`load_trusted`](Self::load_trusted) before nginx 1.27.2, but maps the
    /// file instead of reading it through a 4 KiB buffer.
    ///
    /// Same certificates and CRLs, in the same order, and the same verdict on every file:
    /// OpenSSL's own parser reads lines of the mapping through fmemopen(3), hence exactly as
    /// `SSL_CTX_load_verify_locations` reads lines of the file. OpenSSL's own call opens it, too.
    /// What cannot be mapped is streamed; the result says which it was.
    ///
    /// It spares one copy and a read(2) for every 4 KiB; parsing costs what it costs. With a
    /// bundle of 200 KiB expect no visible difference in time.
    ///
    /// # Errors
    /// As [`load_trusted`](Self::load_trusted); OpenSSL's text is the same, too.
    ///
    /// # Safety
    /// From the call until its return, nobody (no thread, no other process) may make the file
    /// shorter: touching a page past the new end raises SIGBUS, which ends the process. Nobody
    /// may write to it either, or the context gets a mixture of old and new bytes. Replacing the
    /// file by rename(2), as package managers do, is fine: the mapping keeps the old one.
    ///
    /// # References
    /// mmap(2) (SIGBUS), fmemopen(3), OpenSSL `crypto/x509/by_file.c`
    /// (`X509_load_cert_crl_file`) and `crypto/pem/pem_info.c`.
    pub unsafe fn load_trusted_mapped(
        &mut self,
        path: impl AsRef<Path>,
    ) -> Result<ReadMethod, LoadError> {
        let path = path.as_ref();
        let c_path = c_path(path)?;
        self.set_verification();
        self.add_file_lookup().ok_or_else(|| LoadError::now(path, LoadStage::Store))?;
        let Some(opened) = error_queue::forgetting_failure(|| FileBio::open(&c_path)) else {
            // Let OpenSSL's loader fail by itself: its last word differs between versions.
            return self.load_verify_locations(path).map(|()| ReadMethod::Streamed);
        };
        // SAFETY: the caller promises that the file holds still until this function returns.
        let (mapping, reading) = unsafe { map(&opened) };
        match mapping {
            Some(mapping) => {
                let bytes = FileBio::over(&mapping)
                    .ok_or_else(|| LoadError::now(path, LoadStage::Store))?;
                self.add_pem(path, &bytes)?;
            }
            None => self.add_pem(path, &opened)?,
        }
        error_queue::clear();
        Ok(reading)
    }

    /// Parses PEM from the stream to its end, then adds every certificate and CRL in order.
    fn add_pem(&mut self, path: &Path, bio: &FileBio<'_>) -> Result<(), LoadError> {
        // OpenSSL's file loader gives the empty string as password, which also keeps its default
        // callback from asking on the terminal.
        let password = c"".as_ptr().cast_mut().cast();
        // SAFETY: the BIO is open, no list to extend, no callback, and the password is a C
        // string that is only read.
        let found =
            unsafe { ffi::PEM_X509_INFO_read_bio(bio.as_ptr(), ptr::null_mut(), None, password) };
        // SAFETY: a new stack of X509_INFO, or null.
        let Some(found) = (unsafe { OpenSslStack::<Info>::from_raw(found.cast()) }) else {
            let mut queue = ErrorQueue::drain();
            queue.push_as_file_loader(ffi::ERR_R_PEM_LIB);
            return Err(LoadError::at(path, LoadStage::Parse, queue));
        };
        let stored = |result| match result {
            0 => Err(LoadError::now(path, LoadStage::Store)),
            _ => Ok(()),
        };
        let mut is_empty = true;
        for info in found.iter() {
            // SAFETY: a live element of the stack; nobody changes it while it is borrowed here.
            let X509_INFO { x509: certificate, crl, .. } = *unsafe { &*info };
            if !certificate.is_null() {
                // SAFETY: store and certificate are alive; the store takes its own reference.
                stored(unsafe { openssl_sys::X509_STORE_add_cert(self.own_store(), certificate) })?;
                is_empty = false;
            }
            if !crl.is_null() {
                // SAFETY: store and CRL are alive; the store takes its own reference.
                stored(unsafe { ffi::X509_STORE_add_crl(self.own_store(), crl) })?;
                is_empty = false;
            }
        }
        if is_empty {
            let mut queue = ErrorQueue::drain();
            queue.push_as_file_loader(ffi::X509_R_NO_CERTIFICATE_OR_CRL_FOUND);
            return Err(LoadError::at(path, LoadStage::NothingFound, queue));
        }
        Ok(())
    }
}

/// Maps the file that is open in the BIO, if there is something to map.
///
/// # Safety
/// The file is neither shortened nor written to while the mapping is in use.
unsafe fn map(opened: &FileBio<'static>) -> (Option<Mmap>, ReadMethod) {
    let fd = opened.as_raw_fd();
    if fd < 0 {
        return (None, ReadMethod::Streamed);
    }
    // SAFETY: the descriptor is open for as long as the BIO; ManuallyDrop leaves closing to it.
    let file = ManuallyDrop::new(unsafe { File::from_raw_fd(fd) });
    match file.metadata() {
        Ok(meta) if meta.is_file() && meta.len() > 0 => {}
        _ => return (None, ReadMethod::Streamed),
    }
    // SAFETY: the caller's promise.
    match unsafe { Mmap::map(&*file) } {
        Ok(mapping) => {
            // Only a hint: a kernel that ignores it maps all the same.
            let _ = mapping.advise(Advice::Sequential);
            let bytes = mapping.len() as u64;
            (Some(mapping), ReadMethod::Mapped { bytes })
        }
        Err(error) => {
            let errno = error.raw_os_error().unwrap_or(0);
            (None, ReadMethod::MapRefused { errno })
        }
    }
}

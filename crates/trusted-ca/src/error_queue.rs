//! OpenSSL's error queue of this thread, taken out as values.
//!
//! # Safety
//!
//! The queue lives in thread-local storage inside OpenSSL; the strings that it lends are copied
//! before the next call can free them.
#![allow(unsafe_code)]

use std::ffi::{CStr, c_char, c_int, c_ulong};
use std::{fmt, iter, ptr};

use crate::ffi;

/// One entry of OpenSSL's error queue.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueEntry {
    /// OpenSSL's packed code of library and reason; the packing differs between versions.
    pub code: c_ulong,
    /// The text as nginx logs it: `error:CODE:library:function:reason`, then `:` and the data
    /// that the library attached, if any.
    pub text: String,
}

/// Everything that OpenSSL had to say about a failure, oldest entry first.
///
/// May be empty: some refusals are silent (a PEM block without content, for one).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ErrorQueue {
    entries: Vec<QueueEntry>,
}

impl ErrorQueue {
    /// Takes every entry out of this thread's queue and leaves it empty.
    ///
    /// Entries that an earlier, unrelated call left behind come out too, as they do in nginx's
    /// log.
    pub fn drain() -> Self {
        let entries = iter::from_fn(next_entry).collect();
        Self { entries }
    }

    /// The entries, oldest first.
    pub fn entries(&self) -> &[QueueEntry] {
        &self.entries
    }

    /// Whether OpenSSL said nothing.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Appends the entry that OpenSSL's file loader (`X509_load_cert_crl_file`) would have raised
    /// at this point.
    pub(crate) fn push_as_file_loader(&mut self, reason: c_int) {
        let function = ffi::X509_F_X509_LOAD_CERT_CRL_FILE;
        let code = openssl_sys::ERR_PACK(ffi::ERR_LIB_X509, function, reason);
        self.entries.push(QueueEntry { code, text: code_text(code) });
    }

    /// Library and plain reason of the newest entry, without OpenSSL 3's flag bits.
    pub(crate) fn last_reason(&self) -> Option<(c_int, c_int)> {
        let code = self.entries.last()?.code;
        Some((openssl_sys::ERR_GET_LIB(code), plain_reason(code)))
    }

    /// Whether an allocation failed. The entry that says so is an old one: whoever called the one
    /// whose allocation failed adds another, and so on.
    pub(crate) fn tells_of_memory(&self) -> bool {
        let mut entries = self.entries.iter();
        entries.any(|entry| plain_reason(entry.code) == ffi::REASON_MALLOC)
    }
}

/// Without OpenSSL 3's flag bits.
fn plain_reason(code: c_ulong) -> c_int {
    openssl_sys::ERR_GET_REASON(code) & ffi::REASON_MASK
}

impl fmt::Display for ErrorQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.entries.is_empty() {
            return f.write_str("no reason given");
        }
        for (index, entry) in self.entries.iter().enumerate() {
            if index > 0 {
                f.write_str("; ")?;
            }
            f.write_str(&entry.text)?;
        }
        Ok(())
    }
}

/// Empties this thread's queue, as nginx does after a load that succeeded.
pub(crate) fn clear() {
    // SAFETY: acts on OpenSSL's thread-local queue only; no precondition.
    unsafe { openssl_sys::ERR_clear_error() }
}

/// Runs something that may fail, and if it does, forgets what it raised; older entries stay.
pub(crate) fn forgetting_failure<T>(attempt: impl FnOnce() -> Option<T>) -> Option<T> {
    // SAFETY: acts on OpenSSL's thread-local queue only; no precondition.
    unsafe { ffi::ERR_set_mark() };
    let result = attempt();
    if result.is_none() {
        // SAFETY: as above. Without a mark (the queue was empty) it removes everything, rightly.
        unsafe { ffi::ERR_pop_to_mark() };
    }
    result
}

/// The newest code in the queue, 0 if there is none; the queue stays as it is.
pub(crate) fn last_code() -> c_ulong {
    // SAFETY: reads OpenSSL's thread-local queue only; no precondition.
    unsafe { openssl_sys::ERR_peek_last_error() }
}

fn next_entry() -> Option<QueueEntry> {
    let mut data: *const c_char = ptr::null();
    let mut flags: c_int = 0;
    let code = take_code(&mut data, &mut flags);
    if code == 0 {
        return None;
    }
    let mut text = code_text(code);
    if flags & openssl_sys::ERR_TXT_STRING != 0 && !data.is_null() {
        // SAFETY: with ERR_TXT_STRING set, `data` is a NUL-terminated string that OpenSSL keeps
        // until this slot of the ring is used again, and nothing is raised before it is copied.
        let data = unsafe { CStr::from_ptr(data) }.to_string_lossy();
        if !data.is_empty() {
            text.push(':');
            text.push_str(&data);
        }
    }
    Some(QueueEntry { code, text })
}

#[cfg(ossl300)]
fn take_code(data: &mut *const c_char, flags: &mut c_int) -> c_ulong {
    // SAFETY: null is allowed for what is not wanted; the other two point at live variables.
    unsafe {
        openssl_sys::ERR_get_error_all(
            ptr::null_mut(),
            ptr::null_mut(),
            ptr::null_mut(),
            data,
            flags,
        )
    }
}

#[cfg(not(ossl300))]
fn take_code(data: &mut *const c_char, flags: &mut c_int) -> c_ulong {
    // SAFETY: null is allowed for what is not wanted; the other two point at live variables.
    unsafe { openssl_sys::ERR_get_error_line_data(ptr::null_mut(), ptr::null_mut(), data, flags) }
}

fn code_text(code: c_ulong) -> String {
    let mut text = [0_u8; 256];
    // SAFETY: the buffer is writable for the length given and OpenSSL always terminates it.
    unsafe { ffi::ERR_error_string_n(code, text.as_mut_ptr().cast(), text.len()) };
    CStr::from_bytes_until_nul(&text)
        .map(|text| text.to_string_lossy().into_owned())
        .unwrap_or_default()
}

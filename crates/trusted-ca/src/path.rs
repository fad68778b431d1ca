//! A path as C wants it.

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::LoadError;

/// Copies a path into a C string.
///
/// # Errors
///
/// When it holds a NUL byte: C would silently open the file that the part before it names.
pub(crate) fn to_c(path: &Path) -> Result<CString, LoadError> {
    CString::new(path.as_os_str().as_bytes()).map_err(|_| LoadError::nul_in_path(path))
}

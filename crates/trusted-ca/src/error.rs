//! What can go wrong, said so that the reader can act.

use std::ffi::CString;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::{ErrorQueue, ffi};

/// A file of certificates (or CRLs) was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path:?} {stage}. {}{}", stage.next_step(), self.words())]
#[non_exhaustive]
pub struct LoadError {
    /// The file as it was named by the caller.
    pub path: PathBuf,
    /// How far loading got.
    pub stage: LoadStage,
    /// OpenSSL's own words, oldest first.
    pub queue: ErrorQueue,
}

/// Copies a path into a C string.
///
/// # Errors
/// When it holds a NUL byte: C would silently open the file that the part before it names.
pub(crate) fn c_path(path: &Path) -> Result<CString, LoadError> {
    CString::new(path.as_os_str().as_bytes()).map_err(|_| LoadError::nul_in_path(path))
}

/// How far loading got before the file was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LoadStage {
    /// The path holds a NUL byte, which no file name can; OpenSSL was not asked.
    NulInPath,
    /// The file could not be opened.
    Open,
    /// The path names a directory. OpenSSL opens it, reads nothing and reports that.
    Directory,
    /// The file has no bytes at all.
    Empty,
    /// The file was read to its end and held nothing that was looked for.
    NothingFound,
    /// A PEM block could not be decoded; one bad block refuses the whole file.
    Parse,
    /// What was parsed could not be put into the context.
    Store,
    /// An allocation failed; the file may be as good as any.
    Memory,
}

impl LoadStage {
    fn next_step(self) -> &'static str {
        match self {
            Self::NulInPath => "Give a path without NUL bytes",
            Self::Open => "Check that it exists and that this user may read it",
            Self::Directory => "Name one PEM file, such as the ca-certificates.crt inside it",
            Self::Empty | Self::NothingFound => {
                "Expected at least one block from -----BEGIN CERTIFICATE----- to \
                 -----END CERTIFICATE-----"
            }
            Self::Parse => {
                "Every PEM block must decode; find the bad one with \
                 `openssl storeutl -noout FILE`"
            }
            Self::Store => "Look at OpenSSL's own words",
            Self::Memory => {
                "Raise the limit of this process (ulimit -d, ulimit -v, its cgroup's), or load it \
                 into fewer contexts"
            }
        }
    }
}

impl fmt::Display for LoadStage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NulInPath => "contains a NUL byte, which no file name can",
            Self::Open => "cannot be opened",
            Self::Directory => "is a directory",
            Self::Empty => "is empty",
            Self::NothingFound => "holds no certificate or CRL in PEM form",
            Self::Parse => "holds a damaged PEM block",
            Self::Store => "cannot be added to the context",
            Self::Memory => "could not be loaded, because memory ran out",
        })
    }
}

impl LoadError {
    fn words(&self) -> String {
        match self.stage {
            LoadStage::NulInPath => String::new(),
            _ => format!(" (OpenSSL: {})", self.queue),
        }
    }

    /// For a path that cannot even be handed to C.
    pub(crate) fn nul_in_path(path: &Path) -> Self {
        Self { path: path.to_owned(), stage: LoadStage::NulInPath, queue: ErrorQueue::default() }
    }

    /// For a refusal whose stage has to be read from what OpenSSL left in its queue.
    pub(crate) fn from_queue(path: &Path, queue: ErrorQueue) -> Self {
        // The newest entry is the file loader's own; what lies below may be older than this load.
        let stage = match queue.last_reason() {
            Some((ffi::ERR_LIB_X509, ffi::REASON_SYS | ffi::REASON_BIO)) => LoadStage::Open,
            Some((ffi::ERR_LIB_X509, ffi::X509_R_NO_CERTIFICATE_OR_CRL_FOUND)) => {
                LoadStage::NothingFound
            }
            Some((ffi::ERR_LIB_X509, ffi::REASON_X509)) => LoadStage::Store,
            _ => LoadStage::Parse,
        };
        Self::at(path, stage, queue)
    }

    /// For a refusal at a known stage, with what OpenSSL says now.
    pub(crate) fn now(path: &Path, stage: LoadStage) -> Self {
        Self::at(path, stage, ErrorQueue::drain())
    }

    /// For a refusal at a known stage; looks at the file once more to say *why* nothing was found.
    pub(crate) fn at(path: &Path, stage: LoadStage, queue: ErrorQueue) -> Self {
        let stage = match (stage, path.metadata()) {
            (LoadStage::Parse | LoadStage::Store, _) if queue.tells_of_memory() => {
                LoadStage::Memory
            }
            (LoadStage::NothingFound, Ok(meta)) if meta.is_dir() => LoadStage::Directory,
            (LoadStage::NothingFound, Ok(meta)) if meta.is_file() && meta.len() == 0 => {
                LoadStage::Empty
            }
            _ => stage,
        };
        Self { path: path.to_owned(), stage, queue }
    }
}

/// An SSL context could not be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{call} failed while making an SSL context; is memory short, or openssl.cnf broken? (OpenSSL: {queue})"
)]
#[non_exhaustive]
pub struct ContextError {
    /// The OpenSSL function that failed.
    pub call: &'static str,
    /// OpenSSL's own words, oldest first.
    pub queue: ErrorQueue,
}

impl ContextError {
    pub(crate) fn new(call: &'static str) -> Self {
        Self { call, queue: ErrorQueue::drain() }
    }
}

//! Surroundings that are the same whoever starts the tests.
//!
//! # Safety
//! All of it runs before `main`, while the process has one thread: nothing else reads the environment,
//! opens descriptors or waits for signals.

use std::os::fd::IntoRawFd;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{SigSet, SigmaskHow, sigprocmask};
use nix::sys::stat::{Mode, umask};

/// Descriptors that a program may expect to get: what Linux gives by default.
const DESCRIPTORS: u64 = 1024;

/// What would change what programs say, or how malloc works.
const UNWANTED: [&str; 9] = [
    "LANG",
    "LANGUAGE",
    "POSIXLY_CORRECT",
    "GLIBC_TUNABLES",
    "MALLOC_ARENA_MAX",
    "MALLOC_MMAP_THRESHOLD_",
    "MALLOC_PERTURB_",
    "MALLOC_TOP_PAD_",
    "MALLOC_TRIM_THRESHOLD_",
];

/// Makes them so, for this process and all that it starts.
pub fn ordinary() {
    default_signals();
    standard_descriptors();
    umask(Mode::from_bits_truncate(0o022));
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap_or((DESCRIPTORS, DESCRIPTORS));
    if soft < DESCRIPTORS.min(hard) {
        // Where it is refused, tests say themselves what they lack.
        let _ = setrlimit(Resource::RLIMIT_NOFILE, DESCRIPTORS.min(hard), hard);
    }
    for name in UNWANTED {
        // SAFETY: as above.
        unsafe { std::env::remove_var(name) };
    }
    // SAFETY: as above.
    unsafe { std::env::set_var("LC_ALL", "C") };
    if std::env::var_os("RUST_TEST_THREADS").is_none() {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        // Most tests wait for a program most of their time.
        // SAFETY: as above.
        unsafe { std::env::set_var("RUST_TEST_THREADS", (3 * processors).to_string()) };
    }
}

/// A program inherits which signals are ignored and which are blocked. nohup ignores SIGHUP; a shell
/// ignores SIGINT and SIGQUIT for what a script starts in the background.
fn default_signals() {
    for signal in 1..=libc::SIGRTMAX() {
        // SAFETY: no handler is set by this. It fails for SIGKILL, SIGSTOP and glibc's own two.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
    // It can't fail with these arguments.
    let _ = sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None);
}

/// 0, 1 and 2 are open, nothing else is.
fn standard_descriptors() {
    let null = || std::fs::File::options().read(true).write(true).open("/dev/null");
    // Each takes the lowest number that is free.
    while let Ok(file) = null() {
        if file.into_raw_fd() > 2 {
            break;
        }
    }
    // SAFETY: whoever opened them isn't this program, which has opened nothing yet that it keeps.
    unsafe { libc::close_range(3, libc::c_uint::MAX, 0) };
}

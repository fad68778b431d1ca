//! What a report says of the machine that it was made on.
//!
//! Figures from two machines, kernels or C libraries are not comparable without this. Whatever
//! cannot be read is `None`; nothing is guessed.
//!
//! ```
//! use heap_meter::environment::Environment;
//!
//! let here = Environment::here().with("openssl", "OpenSSL 3.0.19");
//! println!("{}", serde_json::to_string_pretty(&here)?);
//! # Ok::<(), serde_json::Error>(())
//! ```

mod machine;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The machine, its kernel and its C library, and the settings that change how memory behaves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Environment {
    /// Kernel release, as `uname -r` says it.
    pub kernel: Option<String>,
    /// The C library that this process runs with, such as `glibc 2.36` or `musl` (which does not
    /// tell its version).
    pub libc: Option<String>,
    /// Model of the first processor, where the kernel tells it (aarch64's does not).
    pub cpu: Option<String>,
    /// Processors that are online, hyper-threads counted singly.
    pub logical_cpus: Option<u64>,
    /// Memory that the kernel manages (`MemTotal`). A cgroup may allow this process less.
    pub memory_bytes: Option<u64>,
    /// Size of a page.
    pub page_size_bytes: u64,
    /// Whether addresses are randomised for this process.
    pub aslr: Option<Aslr>,
    /// Transparent huge pages: `always`, `madvise` or `never`; `None` for a kernel without them.
    pub thp: Option<String>,
    /// What the kernel does when more is asked for than there is.
    pub overcommit: Option<Overcommit>,
    /// What the caller added with [`with`](Self::with); in JSON these stand beside the others.
    #[serde(flatten)]
    pub extra: BTreeMap<String, Value>,
}

impl Environment {
    /// Reads what can be read here and now.
    #[must_use]
    pub fn here() -> Self {
        Self {
            kernel: machine::trimmed("/proc/sys/kernel/osrelease"),
            libc: machine::libc_name(),
            cpu: machine::text("/proc/cpuinfo")
                .and_then(|text| machine::field(&text, "model name")),
            logical_cpus: machine::online_cpus(),
            memory_bytes: meminfo_bytes("MemTotal"),
            page_size_bytes: proc_memory::page_size_bytes(),
            aslr: machine::trimmed("/proc/sys/kernel/randomize_va_space")
                .and_then(|value| Aslr::new(&value, machine::aslr_is_off_for_this_process())),
            thp: machine::text("/sys/kernel/mm/transparent_hugepage/enabled")
                .and_then(|text| machine::chosen(&text)),
            overcommit: machine::trimmed("/proc/sys/vm/overcommit_memory")
                .and_then(|value| Overcommit::new(&value)),
            extra: BTreeMap::new(),
        }
    }

    /// Adds something that only the caller knows, such as the version of a library it measured.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.extra.insert(name.into(), value.into());
        self
    }
}

/// Bytes of memory that the machine could give to programs now without swapping; `None` if it
/// doesn't tell. Limits of cgroups aren't in it.
///
/// # References
/// proc_meminfo(5), `MemAvailable`
#[must_use]
pub fn available_memory_bytes() -> Option<u64> {
    meminfo_bytes("MemAvailable")
}

fn meminfo_bytes(name: &str) -> Option<u64> {
    machine::meminfo_bytes(&machine::text("/proc/meminfo")?, name)
}

/// Address space layout randomisation, as it holds for this process and the children that it
/// starts without further ado.
///
/// References: `proc_sys_kernel(5)` (`randomize_va_space`), `personality(2)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Aslr {
    /// `randomize_va_space` is 0.
    Off,
    /// 1: mappings and stack are randomised; the heap starts right after the program.
    Partial,
    /// 2: the start of the heap too.
    Full,
    /// The machine randomises, but this process's personality (`ADDR_NO_RANDOMIZE`, as `setarch -R`
    /// sets it) asks not to.
    OffByPersonality,
}

impl Aslr {
    fn new(setting: &str, off_for_this_process: bool) -> Option<Self> {
        match setting {
            "0" => Some(Self::Off),
            "1" | "2" if off_for_this_process => Some(Self::OffByPersonality),
            "1" => Some(Self::Partial),
            "2" => Some(Self::Full),
            _ => None,
        }
    }
}

/// `vm.overcommit_memory`.
///
/// Reference: `proc_sys_vm(5)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Overcommit {
    /// 0: only requests that are obviously too great are refused.
    Heuristic,
    /// 1: nothing is refused.
    Always,
    /// 2: no more is promised than the commit limit.
    Never,
}

impl Overcommit {
    fn new(setting: &str) -> Option<Self> {
        match setting {
            "0" => Some(Self::Heuristic),
            "1" => Some(Self::Always),
            "2" => Some(Self::Never),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn here_says_what_this_machine_says() {
        let here = Environment::here();
        let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
        assert_eq!(here.kernel.as_deref(), Some(kernel.trim()));
        assert!(here.page_size_bytes.is_power_of_two());
        assert!(here.memory_bytes.unwrap() > 1 << 20);
        assert!(here.logical_cpus.unwrap() >= 1);
        if cfg!(target_env = "gnu") {
            assert!(here.libc.unwrap().starts_with("glibc 2."));
        }
    }

    #[test]
    fn json_has_the_agreed_names_and_reads_back() {
        let bundle = serde_json::json!({ "path": "/x.pem", "bytes": 219_597, "certificates": 144 });
        let here = Environment::here().with("openssl", "3.0.19").with("bundle", bundle.clone());
        let json = serde_json::to_value(&here).unwrap();
        for name in ["kernel", "libc", "cpu", "page_size_bytes", "aslr", "thp", "openssl"] {
            assert!(json.get(name).is_some(), "{name}");
        }
        assert_eq!(json["bundle"], bundle);
        assert!(json.get("extra").is_none());
        assert_eq!(serde_json::from_value::<Environment>(json).unwrap(), here);
    }

    #[test]
    fn settings_are_named() {
        assert_eq!(Aslr::new("2", false), Some(Aslr::Full));
        assert_eq!(Aslr::new("1", false), Some(Aslr::Partial));
        assert_eq!(Aslr::new("2", true), Some(Aslr::OffByPersonality));
        assert_eq!(Aslr::new("0", true), Some(Aslr::Off));
        assert_eq!(Aslr::new("3", false), None);
        assert_eq!(Overcommit::new("2"), Some(Overcommit::Never));
        assert_eq!(Overcommit::new(""), None);
        let aslr = serde_json::to_value(Aslr::OffByPersonality).unwrap();
        assert_eq!(aslr, "off-by-personality");
    }
}

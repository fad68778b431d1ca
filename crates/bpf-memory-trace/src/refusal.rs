//! Why it can't be done here, in a sentence for whoever runs the machine.

use std::fmt;
use std::io;

use nix::errno::Errno;
use proc_memory::Status;

/// Why the kernel can't be watched from inside, or not this way.
#[derive(Debug)]
#[non_exhaustive]
pub enum Refusal {
    /// The programs read x86-64's registers.
    Architecture,
    /// The kernel doesn't describe its types (`CONFIG_DEBUG_INFO_BTF`).
    NoBtf,
    /// That description can't be read.
    BtfUnreadable(io::Error),
    /// The kernel has no such function, tracepoint or member.
    NotInBtf(String),
    /// The kernel was built without bpf(2).
    NoBpf,
    /// These capabilities are missing.
    Capabilities(Vec<&'static str>),
    /// The kernel refuses it.
    Kernel {
        /// What it refuses, as a plural.
        what: &'static str,
        /// Its answer.
        source: io::Error,
        /// What the verifier said, if it came so far.
        log: String,
        /// `lockdown=confidentiality`, which forbids programs to read memory.
        locked_down: bool,
    },
    /// It would work, and miss returns.
    Misses(String),
    /// `kernel.ftrace_enabled` is 0: programs attach to functions, and are never called.
    FtraceDisabled,
    /// What this process did on purpose did not arrive.
    Silent {
        /// It is in a pid namespace of its own, where it has another number than the kernel's.
        pid_namespace: bool,
    },
}

impl Refusal {
    pub(crate) fn of(what: &'static str, source: io::Error, log: String) -> Self {
        match source.raw_os_error() {
            Some(libc::ENOSYS) => Self::NoBpf,
            Some(libc::EPERM | libc::EACCES) if !missing_capabilities().is_empty() => {
                Self::Capabilities(missing_capabilities())
            }
            _ => Self::Kernel {
                what,
                source,
                log,
                locked_down: contains("/sys/kernel/security/lockdown", "[confidentiality]"),
            },
        }
    }

    pub(crate) fn silent() -> Self {
        // PROC_PID_INIT_INO, the same in every kernel.
        let own = std::fs::read_link("/proc/self/ns/pid");
        let first = own.is_ok_and(|own| own.as_os_str() == "pid:[4026531836]");
        match ftrace_is_disabled() {
            true => Self::FtraceDisabled,
            false => Self::Silent { pid_namespace: !first },
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Architecture => f.write_str("BPF programs are there for x86-64 only"),
            Self::NoBtf => f.write_str(
                "the kernel doesn't describe its types: there is no /sys/kernel/btf/vmlinux \
                 (CONFIG_DEBUG_INFO_BTF)",
            ),
            Self::BtfUnreadable(error) => {
                write!(f, "/sys/kernel/btf/vmlinux can't be read: {error}")
            }
            Self::NotInBtf(name) => write!(f, "the kernel has no {name}"),
            Self::NoBpf => f.write_str("the kernel has no bpf(2) (CONFIG_BPF_SYSCALL)"),
            Self::Capabilities(missing) => {
                let verb = if missing.len() == 1 { "is" } else { "are" };
                write!(f, "{} {verb} missing: run as root", missing.join(" and "))
            }
            Self::Kernel { what, source, log, locked_down } => {
                write!(f, "the kernel refuses {what} (")?;
                match source.raw_os_error() {
                    Some(number) => write!(f, "{:?})", Errno::from_raw(number))?,
                    None => write!(f, "{source})")?,
                }
                if *locked_down {
                    f.write_str("; it is locked down (lockdown=confidentiality)")?;
                }
                // The verifier ends with the reason, then tells how much it has looked at.
                let said = log.lines().rfind(|line| !line.starts_with("processed "));
                said.map_or(Ok(()), |said| write!(f, ": {said}"))
            }
            Self::Misses(why) => f.write_str(why),
            Self::FtraceDisabled => f.write_str(
                "kernel.ftrace_enabled is 0, so programs at functions are never called: \
                 `sysctl kernel.ftrace_enabled=1`",
            ),
            Self::Silent { pid_namespace } => {
                f.write_str("a call of this process's own did not arrive")?;
                match pid_namespace {
                    true => f.write_str(
                        ": it is in a pid namespace (a container), where programs don't know it \
                         by its number; run it outside",
                    ),
                    false => Ok(()),
                }
            }
        }
    }
}

impl std::error::Error for Refusal {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Kernel { source, .. } | Self::BtfUnreadable(source) => Some(source),
            _ => None,
        }
    }
}

/// Of those that programs need, which this thread lacks.
///
/// # References
/// capabilities(7); `include/linux/capability.h`, `bpf_capable`, `perfmon_capable`
fn missing_capabilities() -> Vec<&'static str> {
    const SYS_ADMIN: u64 = 1 << 21;
    let effective = Status::of_this_thread().ok().and_then(|status| status.capabilities("CapEff"));
    // Unknown: nothing can be said to be missing.
    let effective = effective.unwrap_or(u64::MAX);
    [(39, "CAP_BPF"), (38, "CAP_PERFMON")]
        .into_iter()
        .filter(|(bit, _)| effective & (1 << bit | SYS_ADMIN) == 0)
        .map(|(_, name)| name)
        .collect()
}

pub fn ftrace_is_disabled() -> bool {
    let setting = std::fs::read_to_string("/proc/sys/kernel/ftrace_enabled");
    setting.is_ok_and(|setting| setting.trim() == "0")
}

fn contains(path: &str, text: &str) -> bool {
    std::fs::read_to_string(path).is_ok_and(|whole| whole.contains(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_is_a_sentence_that_says_what_is_in_the_way() {
        let kernel = |log: &str, locked_down| Refusal::Kernel {
            what: "fexit programs",
            source: io::Error::from_raw_os_error(libc::EPERM),
            log: log.to_owned(),
            locked_down,
        };
        for (refusal, sentence) in [
            (kernel("", false), "the kernel refuses fexit programs (EPERM)"),
            (
                kernel("0: r6 = r1\nR1 !read_ok\nprocessed 1 insns (limit 1000000)", false),
                "the kernel refuses fexit programs (EPERM): R1 !read_ok",
            ),
            (
                kernel("", true),
                "the kernel refuses fexit programs (EPERM); it is locked down \
                 (lockdown=confidentiality)",
            ),
            (
                Refusal::Capabilities(vec!["CAP_BPF", "CAP_PERFMON"]),
                "CAP_BPF and CAP_PERFMON are missing: run as root",
            ),
            (Refusal::Capabilities(vec!["CAP_BPF"]), "CAP_BPF is missing: run as root"),
            (Refusal::NotInBtf("__x64_sys_brk".into()), "the kernel has no __x64_sys_brk"),
            (
                Refusal::FtraceDisabled,
                "kernel.ftrace_enabled is 0, so programs at functions are never called: `sysctl \
                 kernel.ftrace_enabled=1`",
            ),
            (
                Refusal::Silent { pid_namespace: false },
                "a call of this process's own did not arrive",
            ),
        ] {
            assert_eq!(refusal.to_string(), sentence);
        }
    }
}

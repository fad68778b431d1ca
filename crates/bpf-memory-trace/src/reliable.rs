//! Whether a hook misses returns on the running kernel, as far as that is known beforehand.

use std::fs;

use crate::refusal::Refusal;
use crate::tracer::{Hook, accepts_fexit};

/// Since Linux 6.14 a function's return is remembered with the task, not in one of a few places that
/// all tasks share.
const RETURNS_WITH_THE_TASK: (u32, u32) = (6, 14);
/// Programs at tracepoints were not preempted before (6.12 was tried; 7.2 does it).
const PREEMPTS_TRACEPOINTS: (u32, u32) = (7, 0);
const PREEMPT: &str = "/sys/kernel/debug/sched/preempt";

impl Hook {
    /// Whether every return is told here, whatever other processes do, provided that a
    /// [`Tracer`](crate::Tracer) can be had. Where returns may be missed, [`Missed`] counts them, of
    /// all processes; and births and ends that a kernel skipped that preempts itself (since Linux
    /// 7.0), which is rare.
    ///
    /// # Errors
    /// [`Refusal::Misses`] says why returns may be missed, or that it isn't known. Any other refusal:
    /// the kernel doesn't accept fexit programs in the first place.
    ///
    /// [`Missed`]: crate::Missed
    ///
    /// # References
    /// `kernel/trace/fprobe.c`, `kernel/bpf/trampoline.c` (`__bpf_prog_enter_recur`);
    /// `Documentation/admin-guide/kernel-parameters.txt`, `preempt=`
    pub fn is_reliable_here(self) -> Result<(), Refusal> {
        match self {
            Self::KprobeMulti => returns_are_remembered(&release()),
            Self::Fexit => {
                accepts_fexit()?;
                isnt_preempted("fexit")
            }
            Self::SysExit if !is_since(&release(), PREEMPTS_TRACEPOINTS) => Ok(()),
            Self::SysExit => isnt_preempted("sys_exit"),
        }
    }
}

fn release() -> String {
    fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned()
}

fn is_since(release: &str, version: (u32, u32)) -> bool {
    let mut numbers = release.split(['.', '-']).map(str::parse);
    matches!((numbers.next(), numbers.next()), (Some(Ok(major)), Some(Ok(minor))) if (major, minor) >= version)
}

fn returns_are_remembered(release: &str) -> Result<(), Refusal> {
    match is_since(release, RETURNS_WITH_THE_TASK) {
        true => Ok(()),
        false => Err(Refusal::Misses(format!(
            "kretprobe.multi misses returns while many threads wait in calls, before Linux 6.14 \
             (this is {release})"
        ))),
    }
}

fn isnt_preempted(hook: &str) -> Result<(), Refusal> {
    let setting = fs::read_to_string(PREEMPT).ok();
    let version = fs::read_to_string("/proc/sys/kernel/version").unwrap_or_default();
    doesnt_preempt(setting.as_deref(), &version).map_err(|why| {
        Refusal::Misses(format!("{hook} misses returns where the kernel preempts itself{why}"))
    })
}

/// `setting` is as debugfs has it: the one that holds stands in brackets. `version` is as
/// `uname -v` gives it. If it does, or may, how that is known.
fn doesnt_preempt(setting: Option<&str>, version: &str) -> Result<(), String> {
    let holds = setting.and_then(|setting| setting.split(['(', ')']).nth(1));
    let mode = match holds {
        Some(mode) => mode,
        None if version.contains("PREEMPT_DYNAMIC") => {
            return Err(format!(", and whether it does can't be read from {PREEMPT}"));
        }
        None if version.contains("PREEMPT") => "full",
        None => "none",
    };
    match mode {
        "none" | "voluntary" => Ok(()),
        mode => Err(format!(" (preempt={mode})")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn returns_are_remembered_since_6_14() {
        for (release, right) in [
            ("6.1.0-28-amd64", false),
            ("6.12.9", false),
            ("6.14.0-rc1", true),
            ("6.18.44-fc", true),
            ("7.2.1", true),
            ("", false),
        ] {
            assert_eq!(returns_are_remembered(release).is_ok(), right, "{release}");
        }
    }

    #[test]
    fn preemption_as_the_kernel_says_it() {
        let dynamic = "#1 SMP PREEMPT_DYNAMIC Debian 6.12";
        for (setting, version, right) in [
            (Some("none (voluntary) full lazy\n"), dynamic, true),
            (Some("(none) voluntary full\n"), dynamic, true),
            (Some("none voluntary (full) lazy\n"), dynamic, false),
            (Some("none voluntary full (lazy)\n"), dynamic, false),
            (None, dynamic, false),
            (None, "#1 SMP PREEMPT Debian", false),
            (None, "#1 SMP PREEMPT_RT Debian", false),
            (None, "#1 SMP Debian 5.15", true),
        ] {
            let said = doesnt_preempt(setting, version);
            assert_eq!(said.is_ok(), right, "{setting:?} {version}");
        }
    }
}

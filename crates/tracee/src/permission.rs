//! Why the kernel refuses a tracer, and what to type.
//!
//! # References
//! ptrace(2), “Ptrace access mode checking”; `Documentation/admin-guide/LSM/Yama.rst`

use std::fmt;
use std::os::unix::fs::MetadataExt;

use proc_memory::{ROOT_IS_REFUSED, Status, as_root};

const SCOPE: &str = "/proc/sys/kernel/yama/ptrace_scope";

/// What in the machine's present settings stands in the way of tracing, and what helps: in a
/// sentence, to be put behind the kernel's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permission {
    subject: Subject,
    /// Present value of Yama's setting; `None` if there is no such file.
    yama: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Subject {
    OwnChild {
        /// Who traces this very process, if anybody does.
        traced_by: Option<i32>,
    },
    Process {
        /// Who owns it (root for one that isn't dumpable).
        owner_uid: u32,
        our_uid: u32,
    },
}

impl Permission {
    /// Of tracing a child of this process, as it is now.
    pub fn of_own_child() -> Self {
        let status = Status::of_this_thread().ok();
        Self::now(Subject::OwnChild { traced_by: status.and_then(|status| status.tracer()) })
    }

    /// Of tracing a process that runs already, as it is now.
    pub fn of_process(pid: i32) -> Self {
        let owner = std::fs::metadata(format!("/proc/{pid}"));
        Self::now(Subject::Process {
            owner_uid: owner.map_or(0, |owner| owner.uid()),
            our_uid: nix::unistd::geteuid().as_raw(),
        })
    }

    fn now(subject: Subject) -> Self {
        let yama = std::fs::read_to_string(SCOPE).ok();
        let yama = yama.map(|text| text.trim().to_owned());
        Self { subject, yama }
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const CHILD_IN_CONTAINER: &str = "in a container, allow ptrace and seccomp (docker run \
            --cap-add=SYS_PTRACE --security-opt seccomp=unconfined); under systemd, look at the \
            unit's SystemCallFilter=";
        const ELSEWHERE: &str = "so the refusal comes from elsewhere (a process that isn't \
            dumpable, missing CAP_SYS_PTRACE): run as root; in a container, allow it: docker run \
            --cap-add=SYS_PTRACE";
        let yama = self.yama.as_deref();
        if let (Subject::Process { our_uid: 0, .. }, None | Some("0" | "1" | "2")) =
            (&self.subject, yama)
        {
            return f.write_str(ROOT_IS_REFUSED);
        }
        if let Subject::Process { owner_uid, our_uid } = self.subject {
            if owner_uid != our_uid {
                write!(f, "it belongs to uid {owner_uid}, this is uid {our_uid}; ")?;
            }
            if owner_uid != our_uid && our_uid != 0 {
                return write!(
                    f,
                    "run as root (`sudo`), with CAP_SYS_PTRACE, or as uid {owner_uid}"
                );
            }
        }
        match (&self.subject, yama) {
            (Subject::OwnChild { traced_by: Some(pid) }, _) => write!(
                f,
                "this process is itself traced (by process {pid}), and so are its children, which \
                 can have one tracer only: run it outside of strace, gdb or the like"
            ),
            (_, Some("3")) => write!(
                f,
                "{SCOPE} is 3, which forbids all tracing until the next boot: boot with another \
                 value"
            ),
            (Subject::OwnChild { .. }, Some("2")) => write!(
                f,
                "{SCOPE} is 2, which reserves tracing for CAP_SYS_PTRACE, which root has (in a \
                 container: docker run --cap-add=SYS_PTRACE); or `{}`",
                as_root("sysctl kernel.yama.ptrace_scope=1")
            ),
            (Subject::OwnChild { .. }, Some(scope)) => write!(
                f,
                "{SCOPE} is {scope}, which permits it, so the refusal comes from elsewhere: \
                 {CHILD_IN_CONTAINER}"
            ),
            (Subject::OwnChild { .. }, None) => {
                write!(f, "there is no {SCOPE} here: {CHILD_IN_CONTAINER}")
            }
            (Subject::Process { our_uid: 1.., .. }, Some(scope @ ("1" | "2"))) => write!(
                f,
                "{SCOPE} is {scope}, which forbids it to ordinary users: `sudo sysctl \
                 kernel.yama.ptrace_scope=0`, or run as root or with CAP_SYS_PTRACE"
            ),
            (Subject::Process { .. }, Some(scope)) => write!(f, "{SCOPE} is {scope}, {ELSEWHERE}"),
            (Subject::Process { .. }, None) => write!(f, "there is no {SCOPE} here, {ELSEWHERE}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(subject: Subject, yama: Option<&str>) -> String {
        let yama = yama.map(str::to_owned);
        Permission { subject, yama }.to_string()
    }

    #[test]
    fn a_refusal_of_a_process_names_the_setting_and_the_way_out() {
        for (owner_uid, our_uid, yama, wanted) in [
            (0, 1000, Some("0"), "or as uid 0"),
            (
                1000,
                1000,
                Some("1"),
                "ptrace_scope is 1, which forbids it to ordinary users: `sudo sysctl kernel.yama.ptrace_scope=0`",
            ),
            (1000, 1000, Some("2"), "run as root or with CAP_SYS_PTRACE"),
            (1000, 1000, Some("3"), "next boot"),
            (1000, 1000, Some("0"), "isn't dumpable"),
            (0, 0, None, "--cap-add=SYS_PTRACE"),
        ] {
            let message = said(Subject::Process { owner_uid, our_uid }, yama);
            assert!(message.contains(wanted), "{message}");
            // Only another's uid explains something.
            let is_another = owner_uid != our_uid;
            assert_eq!(message.contains("belongs to uid"), is_another, "{message}");
        }
    }

    /// Who is root can't become more.
    #[test]
    fn root_is_not_told_to_be_root() {
        for yama in [None, Some("0"), Some("1"), Some("2"), Some("3")] {
            for owner_uid in [0, 1000] {
                let told = said(Subject::Process { owner_uid, our_uid: 0 }, yama);
                assert!(!told.contains("sudo") && !told.contains("as root"), "{told}");
                assert_eq!(told.contains("CAP_SYS_PTRACE"), yama != Some("3"), "{told}");
            }
        }
    }

    #[test]
    fn a_refusal_of_a_child_names_the_setting_and_the_way_out() {
        for (yama, wanted) in [
            (Some("1"), "ptrace_scope is 1, which permits it"),
            (Some("2"), "sysctl kernel.yama.ptrace_scope=1"),
            (Some("3"), "next boot"),
            (None, "--cap-add=SYS_PTRACE"),
        ] {
            let message = said(Subject::OwnChild { traced_by: None }, yama);
            assert!(message.contains(wanted), "{message}");
        }
    }
}

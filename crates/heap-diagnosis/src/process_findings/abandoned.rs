//! A break that glibc gave up on though nothing blocks it now.

use super::case::Case;
use crate::finding::{Finding, Severity};
use crate::remedies;

pub(super) fn find(case: &Case) -> Option<Finding> {
    let state = case.state;
    if state.blocked || case.has_given_up() != Some(true) {
        return None;
    }
    let so_far = case.so_far();
    let (severity, cause, why, remedy) = if let Some(tunable) = &state.tunable {
        (
            Severity::Info,
            Some("tunable"),
            format!(
                "the tunable {tunable} was set when it started, with which malloc takes all of its \
                 memory by mmap"
            ),
            format!(
                "If huge pages aren't wanted, start it without {tunable} in GLIBC_TUNABLES. {}",
                remedies::trim(state.pid)
            ),
        )
    } else if let Some((name, _)) = state.refusing_limit() {
        (
            Severity::Warning,
            Some("limit"),
            format!("{name} refuses it"),
            remedies::trim(state.pid),
        )
    } else {
        (
            Severity::Warning,
            None,
            "whatever refused it is not to be seen any more (a mapping that has gone, a limit that \
             was raised, memory that was short)"
                .to_owned(),
            format!(
                "What malloc has by mmap stays the program's until it calls malloc_trim(0). {} To \
                 learn what refuses the break, start it under `brkhole trace`.",
                remedies::trim(state.pid)
            ),
        )
    };
    let message = format!(
        "glibc's malloc gave up on the break and took memory by mmap{so_far}, from where free \
         gives none back by itself: {why}."
    );
    let finding = Finding::new("break-abandoned", severity, message)
        .evidence("cause", cause)
        .evidence("tunable", state.tunable.clone());
    Some(case.with_break(finding).remedy(remedy))
}

//! A mapping that leaves the break no room.

use super::case::{Case, LARGE_BYTES};
use crate::finding::{Finding, Severity};
use crate::remedies;
use human_text::Bytes;
use procmem::Mapping;

pub(super) fn find(case: &Case) -> Option<Finding> {
    let state = case.state;
    let blocker = state.blocker.as_ref().filter(|_| state.blocked)?;
    let distance = match state.room_bytes {
        Some(room) if room > 0 => format!("{} above", Bytes(room)),
        _ => "directly above".to_owned(),
    };
    let gave_up = case.has_given_up();
    let consequence = match gave_up {
        Some(true) => format!(
            "malloc takes its memory by mmap instead{}, and from there free gives none back by \
             itself.",
            case.so_far(),
        ),
        Some(false) => "The next time the heap has to grow, malloc will take memory by mmap \
             instead, and from there free gives none back by itself."
            .to_owned(),
        None if case.break_matters() => "A malloc that grows its heap by the break, as glibc's \
             does, takes memory by mmap instead, and from there free gives none back by itself."
            .to_owned(),
        None => "Nothing in this process has used the break so far.".to_owned(),
    };
    let message = format!(
        "The break is blocked: {} lies {distance} it (break {:#x}){}. {consequence}",
        blocker.described(),
        state.end,
        match state.is_merged() {
            true => ", merged into [heap] by the kernel, so that /proc/PID/maps shows a free break",
            false => "",
        }
    );
    // What free can't give back costs memory; how much, malloc's own figures tell.
    let is_large = case
        .elsewhere_bytes()
        .is_some_and(|bytes| bytes >= LARGE_BYTES);
    let severity = match gave_up {
        Some(true) if is_large => Severity::Critical,
        _ if case.break_matters() => Severity::Warning,
        _ => Severity::Info,
    };
    let on_purpose = remedies::is_lone_page_at(blocker, state.end);
    let finding = Finding::new("break-blocked", severity, message)
        .evidence("blocker", blocker.told())
        .evidence("lone_page_at_the_break", on_purpose)
        .evidence("merged_into_heap", state.is_merged());
    Some(case.with_break(finding).remedy(remedy(case, blocker)))
}

fn remedy(case: &Case, blocker: &Mapping) -> String {
    let find = remedies::against(blocker, case.state.end);
    match case.has_given_up() {
        Some(true) => format!(
            "{find} A greater M_TOP_PAD (mallopt, or MALLOC_TOP_PAD_ in the environment) makes \
             those mmaps fewer. {}",
            remedies::trim(case.state.pid)
        ),
        _ => find,
    }
}

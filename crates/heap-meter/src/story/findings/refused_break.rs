//! A break that would not grow, and why.

use crate::address_space::Mapping;
use crate::diagnosis::remedies;
use crate::finding::{Finding, Severity};
use crate::story::growth::Kind;
use crate::story::refusals::{Cause, Refused};
use crate::story::whole::Story;
use crate::units::{Bytes, thousands};

/// One finding for each cause that was seen.
pub(super) fn find(story: &Story) -> Vec<Finding> {
    if story.fallback.refused_brks() == 0 {
        return Vec::new();
    }
    let seen = story.refusals.seen();
    if seen.is_empty() {
        return untold(story).into_iter().collect();
    }
    let kinds: [fn(&Cause) -> bool; 4] = [
        |cause| matches!(cause, Cause::Blocked(_)),
        |cause| *cause == Cause::DataLimit,
        |cause| *cause == Cause::AddressSpaceLimit,
        |cause| *cause == Cause::Unexplained,
    ];
    kinds
        .into_iter()
        .filter_map(|is_kind| {
            let mut of_kind = seen.iter().filter(|refused| is_kind(&refused.cause));
            let first = of_kind.next()?;
            Some(told(story, first, 1 + of_kind.count()))
        })
        .collect()
}

fn told(story: &Story, first: &Refused, programs: usize) -> Finding {
    let finding = match &first.cause {
        Cause::Blocked(by) => blocked(first, by, story.growth.kind_of_blocker(first.pid, by.start)),
        Cause::DataLimit => limited(
            first,
            "RLIMIT_DATA",
            first.surroundings.data_bytes,
            first.surroundings.data_limit_bytes,
            remedies::DATA_SETTING,
        ),
        Cause::AddressSpaceLimit => limited(
            first,
            "RLIMIT_AS",
            first.surroundings.address_space_bytes,
            first.surroundings.address_space_limit_bytes,
            remedies::ADDRESS_SPACE_SETTING,
        ),
        Cause::Unexplained => unexplained(first),
    };
    finding
        .evidence("pid", first.pid)
        .evidence("break", format!("{:#x}", first.program_break))
        .evidence("asked_bytes", first.asked_bytes)
        .evidence("programs", programs)
        .evidence("refused_brks", story.fallback.refused_brks())
        .evidence("fallbacks", story.fallback.count())
}

fn blocked(first: &Refused, by: &Mapping, kind: Option<Kind>) -> Finding {
    let room = by.start.saturating_sub(first.program_break);
    let distance = match room {
        0 => "directly above".to_owned(),
        room => format!("{} above", Bytes(room)),
    };
    let message = format!(
        "The break is blocked: {}{} lies {} it (break {:#x}), and a growth by {} was refused. \
         malloc takes its memory by mmap instead, and from there free gives none back by itself.",
        by.described(),
        match kind {
            Some(Kind::LowMemory) =>
                ", which the program asked for below 2 GiB (as a LuaJIT with 32-bit GC pointers \
                 does for its objects),",
            _ => "",
        },
        distance,
        first.program_break,
        Bytes(first.asked_bytes),
    );
    let mut blocker = by.told();
    if let Some(kind) = kind {
        blocker["kind"] = kind.name().into();
    }
    Finding::new("break-blocked", Severity::Warning, message)
        .evidence("blocker", blocker)
        .evidence("room_bytes", room)
        .remedy(match kind {
            Some(Kind::LowMemory) => remedies::GC64,
            _ => remedies::MOVE_THE_MAPPING,
        })
}

fn limited(
    first: &Refused,
    name: &str,
    used_bytes: u64,
    limit_bytes: Option<u64>,
    setting: &str,
) -> Finding {
    let limit_bytes = limit_bytes.unwrap_or(u64::MAX);
    let message = format!(
        "The break is refused by {name}: {} of {} were in use, and {} more were asked for.",
        Bytes(used_bytes),
        Bytes(limit_bytes),
        Bytes(first.asked_bytes),
    );
    Finding::new("break-limited", Severity::Critical, message)
        .evidence("limit", name)
        .evidence("limit_bytes", limit_bytes)
        .evidence("used_bytes", used_bytes)
        .remedy(remedies::raise(setting))
}

fn unexplained(first: &Refused) -> Finding {
    let room = first
        .surroundings
        .program_break
        .as_ref()
        .and_then(|heap| heap.growable_bytes);
    let had = room.map_or_else(
        || "nothing in its way".to_owned(),
        |bytes| format!("room for {}", Bytes(bytes)),
    );
    let message = format!(
        "The break was refused with {had} and below every limit that can be seen from outside \
         (growth by {} asked for): the reason is not known.",
        Bytes(first.asked_bytes),
    );
    Finding::new("break-refused", Severity::Warning, message)
        .evidence("growable_bytes", room)
        .remedy(
            "Look at vm.overcommit_memory and CommitLimit in /proc/meminfo; with glibc's \
             hugetlb=2 tunable malloc does not use the break at all.",
        )
}

/// Refusals of which nothing but the calls is known, as from a log.
fn untold(story: &Story) -> Option<Finding> {
    let refused = story.fallback.refused_brks();
    let fallbacks = story.fallback.count();
    if fallbacks == 0 {
        // No mmap stood in: a limit that refuses both, or a program that only tried.
        return None;
    }
    let message = format!(
        "The break is blocked: {} refused, and malloc took {} by mmap instead, from where free \
         gives none back by itself. What lies in the way can't be told from the calls.",
        match refused {
            1 => "a brk was".to_owned(),
            refused => format!("{} brks were", thousands(refused)),
        },
        Bytes(story.fallback.bytes()),
    );
    let finding = Finding::new("break-blocked", Severity::Warning, message)
        .evidence("blocker", serde_json::Value::Null)
        .evidence("refused_brks", refused)
        .evidence("fallbacks", fallbacks)
        .evidence("fallback_bytes", story.fallback.bytes())
        .remedy("Watch the program itself (brkhole trace) to see what lies above its break.");
    Some(finding)
}

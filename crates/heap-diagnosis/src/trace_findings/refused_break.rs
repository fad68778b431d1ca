//! A break that would not grow, and why.

use crate::finding::{Finding, Severity};
use crate::remedies;
use heap_growth::{Blocker, BrkFailure, GrowthKind, Limited, Refused, Story};
use human_text::{Bytes, Seconds, thousands};

/// One finding for each cause that was seen.
pub(super) fn find(story: &Story) -> Vec<Finding> {
    let seen = story.growth.refused();
    let mut told: Vec<(&Refused, u64)> = Vec::new();
    for refused in &seen {
        let same = |(told, _): &&mut (&Refused, u64)| told.cause.is_like(&refused.cause);
        match told.iter_mut().find(same) {
            Some((_, programs)) => *programs += 1,
            None => told.push((refused, 1)),
        }
    }
    let each = told.into_iter();
    each.filter_map(|(first, programs)| of(story, first, programs)).collect()
}

fn of(story: &Story, first: &Refused, programs: u64) -> Option<Finding> {
    let fallbacks = story.fallback.count();
    let finding = match &first.cause {
        BrkFailure::Blocked(by) => blocked(first, by, fallbacks),
        BrkFailure::Limited(limited) => self::limited(first, limited),
        // What was refused besides the break is told as refused memory.
        BrkFailure::TooMuch | BrkFailure::Overcommit if fallbacks == 0 => return None,
        BrkFailure::Unknown if fallbacks == 0 => return None,
        cause => refused(story, first, cause),
    };
    let program_break = first.program_break.map(|address| format!("{address:#x}"));
    Some(
        finding
            .evidence("pid", first.pid)
            .evidence("break", program_break)
            .evidence("asked_bytes", first.asked_bytes)
            .evidence("programs", programs)
            .evidence("refused_brks", story.fallback.refused_brks())
            .evidence("fallbacks", fallbacks)
            .evidence("fallback_bytes", story.fallback.bytes()),
    )
}

fn blocked(first: &Refused, by: &Blocker, fallbacks: u64) -> Finding {
    let program_break = first.program_break.unwrap_or(by.range.start);
    let room = by.range.start.saturating_sub(program_break);
    let distance = match room {
        0 => "directly above it".to_owned(),
        room => format!("{} above it", Bytes(room)),
    };
    let message = format!(
        "The break is blocked: {} lies {distance} (break {program_break:#x}){}, and a growth by {} \
         was refused.{}",
        described(by),
        match by.merged {
            true => ", merged into [heap] by the kernel, so that /proc/PID/maps shows a free break",
            false => "",
        },
        Bytes(first.asked_bytes),
        match fallbacks {
            0 => "",
            _ =>
                " malloc takes its memory by mmap instead, and from there free gives none back by \
                  itself.",
        }
    );
    Finding::new("break-blocked", Severity::Warning, message)
        .evidence("blocker", told(by))
        .evidence("room_bytes", room)
        .evidence("merged_into_heap", by.merged)
        .remedy(moved(by))
}

/// What to do about it.
pub(super) fn moved(by: &Blocker) -> &'static str {
    match by.kind {
        Some(GrowthKind::LowMemory) => remedies::GC64,
        _ => remedies::MOVE_THE_MAPPING,
    }
}

/// What lies in the way, who mapped it, and what for, as far as that is known.
pub(super) fn described(by: &Blocker) -> String {
    let range = &by.range;
    let mut text = match &by.mapping {
        Some(mapping) => mapping.described(),
        None => format!(
            "a mapping of {} ({:#x}-{:#x})",
            Bytes(range.end - range.start),
            range.start,
            range.end
        ),
    };
    if by.kind == Some(GrowthKind::LowMemory) {
        text.push_str(
            ", which the program asked for below 2 GiB (as a LuaJIT with 32-bit GC pointers does \
             for its objects)",
        );
    }
    if let Some(call) = &by.mapped_by {
        let place = match (call.line, call.at) {
            (Some(line), _) => format!(", line {}", thousands(line)),
            (None, at) if at.is_zero() => String::new(),
            (None, at) => format!(", {} after the start", Seconds::from(at)),
        };
        text.push_str(&format!(", made by {call}{place}"));
    }
    if by.kind == Some(GrowthKind::LowMemory) || by.mapped_by.is_some() {
        text.push(',');
    }
    text
}

/// The blocker as it stands in a report.
pub(super) fn told(by: &Blocker) -> serde_json::Value {
    let address = |address: u64| format!("{address:#x}");
    let mapping = by.mapping.as_ref();
    serde_json::json!({
        "start": address(by.range.start),
        "end": address(by.range.end),
        "perms": mapping.map(|mapping| mapping.permissions.to_string()),
        "name": mapping.map(|mapping| String::from_utf8_lossy(&mapping.name).into_owned()),
        "kind": by.kind.map(GrowthKind::name),
        "mapped_by": by.mapped_by.map(|call| call.to_string()),
        "line": by.mapped_by.and_then(|call| call.line),
        "lone_page": by.mapped_by.is_some_and(|call| call.is_lone_page()),
    })
}

fn limited(first: &Refused, limited: &Limited) -> Finding {
    let message = format!(
        "The break is refused by a limit. {}",
        passed(limited.name, limited, first.asked_bytes),
    );
    let finding = Finding::new("break-limited", Severity::Critical, message)
        .evidence("limit", limited.name)
        .remedy(raised(limited.name));
    figures(finding, limited)
}

/// A limit and what counted towards it, in a sentence.
pub(super) fn passed(name: &str, limited: &Limited, asked_bytes: u64) -> String {
    let Limited { limit, used, exact, .. } = limited;
    if name == "vm.max_map_count" {
        return format!(
            "{name} refused it: the process has {} mappings, and {} are allowed.",
            thousands(*used),
            thousands(*limit)
        );
    }
    format!(
        "{name} refused it: {}{} of {} were in use, and {} more were asked for{}.",
        match exact {
            true => "",
            false => "at least ",
        },
        Bytes(*used),
        Bytes(*limit),
        Bytes(asked_bytes),
        match name {
            "RLIMIT_DATA" => " (it counts the break and all private writable mappings)",
            _ => "",
        }
    )
}

/// The figures of a limit, as evidence.
pub(super) fn figures(finding: Finding, limited: &Limited) -> Finding {
    let names = match limited.name {
        "vm.max_map_count" => ["limit_mappings", "used_mappings"],
        _ => ["limit_bytes", "used_bytes"],
    };
    finding.evidence(names[0], limited.limit).evidence(names[1], limited.used)
}

/// What to do about a limit.
pub(super) fn raised(name: &str) -> String {
    remedies::raise(match name {
        "RLIMIT_AS" => remedies::ADDRESS_SPACE_SETTING,
        "RLIMIT_MEMLOCK" => "ulimit -l (LimitMEMLOCK= in a systemd unit)",
        "vm.max_map_count" => "sysctl vm.max_map_count=NUMBER",
        _ => remedies::DATA_SETTING,
    })
}

/// Refused, and not by anything that is known to lie in its way.
fn refused(story: &Story, first: &Refused, cause: &BrkFailure) -> Finding {
    let brks = match story.fallback.refused_brks() {
        1 => "A brk was refused".to_owned(),
        many => format!("{} brks were refused", thousands(many)),
    };
    let asked = Bytes(first.asked_bytes);
    let (why, remedy) = match cause {
        BrkFailure::Filter(errno) => (
            format!(
                "{:?} is no answer of the kernel's own to brk: a seccomp filter forbids the call",
                nix::errno::Errno::from_raw(*errno)
            ),
            remedies::FILTER,
        ),
        BrkFailure::TooMuch => (
            format!("{asked} were asked for in one go, which no machine has"),
            "Look at where the size comes from (--stacks).",
        ),
        BrkFailure::Overcommit => (
            format!("{asked} more are not promised by the machine (vm.overcommit_memory)"),
            "Look at CommitLimit and Committed_AS in /proc/meminfo.",
        ),
        BrkFailure::Unexplained => (
            format!(
                "growth by {asked} was asked for, below every limit that can be seen from outside \
                 and with {}: the reason is not known",
                room(first)
            ),
            "Look at vm.overcommit_memory and CommitLimit in /proc/meminfo; with glibc's hugetlb=2 \
             tunable malloc does not use the break at all.",
        ),
        _ => (
            "by a mapping above it, by RLIMIT_DATA or RLIMIT_AS, or by a filter: the calls don't \
             tell which. That the mmap right after it was granted speaks for a mapping, as both \
             limits hold for either call since Linux 4.7"
                .to_owned(),
            "Watch the program itself (brkhole trace), which reads at the moment of the refusal what \
             lies above the break and what the limits are.",
        ),
    };
    let fallback = match story.fallback.count() {
        0 => String::new(),
        _ => format!(
            " malloc took {} by mmap instead, from where free gives none back by itself.",
            Bytes(story.fallback.bytes())
        ),
    };
    let finding =
        Finding::new("break-refused", Severity::Warning, format!("{brks}: {why}.{fallback}"));
    let by = match cause {
        BrkFailure::Filter(_) => "filter",
        BrkFailure::TooMuch => "address-space",
        BrkFailure::Overcommit => "overcommit",
        _ => "unknown",
    };
    let heap = first.surroundings.as_ref();
    let heap = heap.and_then(|around| around.program_break.as_ref());
    finding
        .evidence("by", by)
        .evidence("growable_bytes", heap.and_then(|heap| heap.growable_bytes))
        .remedy(remedy)
}

fn room(first: &Refused) -> String {
    let around = first.surroundings.as_ref();
    let heap = around.and_then(|around| around.program_break.as_ref());
    heap.and_then(|heap| heap.growable_bytes).map_or_else(
        || "nothing in its way".to_owned(),
        |bytes| format!("room for {}", Bytes(bytes)),
    )
}

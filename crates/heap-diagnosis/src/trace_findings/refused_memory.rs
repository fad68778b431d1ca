//! Memory that was refused, and what became of the program.

use serde_json::{Value, json};

use crate::finding::{Finding, Severity};
use crate::remedies;
use heap_growth::{Limited, RefusedBy, RefusedProgram, RefusedRequest, Story};
use human_text::{Bytes, thousands};
use memory_event::{ABSURD_BYTES, Ending, HugePages, Promises};

/// One finding for each who refused.
pub(super) fn find(story: &Story) -> Vec<Finding> {
    let programs = story.refused_memory.programs();
    let mut told: Vec<(&'static str, Finding, u64)> = Vec::new();
    for program in &programs {
        let Some(request) = decisive(program) else {
            continue;
        };
        let name = request.by.name();
        match told.iter_mut().find(|(by, ..)| *by == name) {
            Some((.., count)) => *count += 1,
            None => told.push((name, of(program, request), 1)),
        }
    }
    let with_count = |(_, finding, count): (_, Finding, u64)| finding.evidence("programs", count);
    told.into_iter().map(with_count).collect()
}

/// The first request of which it is known who refused it; a blocked break alone ends nobody who has
/// another way, so that the others are looked at before.
fn decisive(program: &RefusedProgram) -> Option<&RefusedRequest> {
    program.first.iter().min_by_key(|request| match request.by {
        RefusedBy::Unknown => 2,
        RefusedBy::Blocked(_) => 1,
        _ => 0,
    })
}

fn of(program: &RefusedProgram, request: &RefusedRequest) -> Finding {
    let refused = format!(
        "memory was refused to it {} ({}; {}), when it had grown by {}",
        times(program.count()),
        calls(program),
        sizes(program),
        Bytes(u64::try_from(request.grown_bytes).unwrap_or(0)),
    );
    // A log without ids has nobody's.
    let who = match program.pid {
        0 => "The program".to_owned(),
        pid => format!("Process {pid}"),
    };
    let (severity, message) = match program.ended {
        Some(ending) => (
            Severity::Critical,
            format!("{who} ended with {} right after {refused}. {}", how(ending), why(request)),
        ),
        None => (Severity::Warning, format!("{who} went on after {refused}. {}", why(request))),
    };
    let first: Vec<u64> = program.first.iter().map(|request| request.bytes).collect();
    let finding = Finding::new("refused-memory", severity, message)
        .evidence("pid", program.pid)
        .evidence("calls", json!(program.calls))
        .evidence("first_bytes", json!(first))
        .evidence("grown_bytes", request.grown_bytes)
        .evidence("errno", errno(request))
        .evidence("by", request.by.name())
        .evidence("ended", json!(program.ended));
    figures(finding, request).remedy(remedy(request))
}

fn times(count: u64) -> String {
    match count {
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        count => format!("{} times", thousands(count)),
    }
}

/// `brk 1, mmap 2`.
fn calls(program: &RefusedProgram) -> String {
    let each = program.calls.iter();
    let each: Vec<_> = each.map(|(name, count)| format!("{name} {}", thousands(*count))).collect();
    each.join(", ")
}

/// `first 132 KiB, 1.00 MiB, 128 MiB`.
fn sizes(program: &RefusedProgram) -> String {
    let sizes: Vec<_> = program.first.iter().map(size).collect();
    match sizes.len() as u64 == program.count() {
        true => sizes.join(", "),
        false => format!("first {}", sizes.join(", ")),
    }
}

fn size(request: &RefusedRequest) -> String {
    match request.bytes {
        0 => "not told how much".to_owned(),
        bytes => Bytes(bytes).to_string(),
    }
}

fn how(ending: Ending) -> String {
    match ending {
        Ending::Code(code) => format!("exit status {code}"),
        Ending::Signal { signal, .. } => format!("signal {signal}"),
    }
}

fn why(request: &RefusedRequest) -> String {
    let asked = Bytes(request.bytes);
    match &request.by {
        RefusedBy::Limit { name, figures: Some(figures) } => {
            super::refused_break::passed(name, figures, request.bytes)
        }
        RefusedBy::Limit { name, .. } => format!("{name} refuses it."),
        RefusedBy::Blocked(blocker) => format!(
            "The break is blocked: {} lies in its way.",
            super::refused_break::described(blocker),
        ),
        RefusedBy::LowMemory { used_bytes, mapped_bytes } => format!(
            "Low memory (MAP_32BIT, or an address below 2 GiB) was refused with {} of it in \
             use{}: what is asked for there comes from the second GiB alone.",
            Bytes(u64::try_from(*used_bytes).unwrap_or(0)),
            match mapped_bytes {
                Some(bytes) => format!(", {} mapped below 2 GiB in all", Bytes(*bytes)),
                None => String::new(),
            },
        ),
        RefusedBy::AddressSpace => match gap(request) {
            Some(bytes) => format!(
                "{asked} were asked for in one go, and the greatest gap in its address space is {}.",
                Bytes(bytes),
            ),
            None => absurd(request.bytes),
        },
        RefusedBy::Filter => format!(
            "{} is no answer of the kernel's own to this: a seccomp filter forbids the call.",
            errno(request).as_str().unwrap_or("The error"),
        ),
        RefusedBy::Overcommit(promises) => overcommit(promises, request.bytes),
        RefusedBy::HugePages(pool) => huge_pages(pool.as_ref(), request.bytes),
        _ => match &request.surroundings {
            Some(_) => format!(
                "No limit was near that can be seen from outside, and {asked} had room: the reason \
                 is not known."
            ),
            None => "The calls don't tell why: a limit (RLIMIT_AS, RLIMIT_DATA), the number of \
                     mappings, or what the machine promises (vm.overcommit_memory)."
                .to_owned(),
        },
    }
}

/// The greatest gap between mappings, if a request was too much for this address space alone.
fn gap(request: &RefusedRequest) -> Option<u64> {
    let crowd = request.surroundings.as_ref()?.crowd?;
    (request.bytes < ABSURD_BYTES).then_some(crowd.greatest_gap_bytes)
}

/// A request that can't be met anywhere.
pub(super) fn absurd(bytes: u64) -> String {
    format!("{} were asked for in one go: more than any address space has to give.", Bytes(bytes))
}

fn overcommit(promises: &Promises, bytes: u64) -> String {
    let told = |bytes: Option<u64>| bytes.map_or_else(|| "?".to_owned(), |b| Bytes(b).to_string());
    match promises.mode {
        Some(2) => format!(
            "The machine promises no more: vm.overcommit_memory is 2, {} of {} are promised, and {} \
             more were asked for.",
            told(promises.promised_bytes),
            told(promises.limit_bytes),
            Bytes(bytes),
        ),
        _ => format!(
            "{} were asked for in one go, and the machine has {} of memory and swap \
             (vm.overcommit_memory is 0).",
            Bytes(bytes),
            told(promises.machine_bytes),
        ),
    }
}

fn huge_pages(pool: Option<&HugePages>, bytes: u64) -> String {
    let asked = format!("{} were asked for in huge pages (MAP_HUGETLB)", Bytes(bytes));
    match pool {
        Some(HugePages { page_bytes, total, free, .. }) => format!(
            "{asked}, and of the machine's {} pages of {} there were {} free.",
            thousands(*total),
            Bytes(*page_bytes),
            thousands(*free),
        ),
        None => format!(
            "{asked}. Their pool has none unless somebody reserves them; how many it has isn't known."
        ),
    }
}

/// `ENOMEM`; `null` of a break that stayed where it was.
fn errno(request: &RefusedRequest) -> Value {
    let Some(errno) = request.errno else {
        return Value::Null;
    };
    let name = nix::errno::Errno::from_raw(errno);
    format!("{name:?}").into()
}

fn figures(finding: Finding, request: &RefusedRequest) -> Finding {
    let finding = match &request.surroundings {
        Some(around) => finding
            .evidence("data_bytes", around.data_bytes)
            .evidence("address_space_bytes", around.address_space_bytes)
            .evidence("mappings", around.crowd.map(|crowd| crowd.mappings)),
        None => finding,
    };
    match &request.by {
        RefusedBy::Limit { name, figures } => limit(finding, name, figures.as_ref()),
        RefusedBy::Blocked(blocker) => {
            finding.evidence("blocker", super::refused_break::told(blocker))
        }
        RefusedBy::LowMemory { used_bytes, mapped_bytes } => finding
            .evidence("low_bytes", *used_bytes)
            .evidence("mapped_below_2_gib_bytes", *mapped_bytes),
        RefusedBy::AddressSpace => finding.evidence("greatest_gap_bytes", gap(request)),
        RefusedBy::Overcommit(promises) => finding
            .evidence("overcommit_memory", promises.mode)
            .evidence("machine_bytes", promises.machine_bytes)
            .evidence("commit_limit_bytes", promises.limit_bytes)
            .evidence("committed_bytes", promises.promised_bytes),
        RefusedBy::HugePages(Some(pool)) => finding
            .evidence("huge_page_bytes", pool.page_bytes)
            .evidence("huge_pages_total", pool.total)
            .evidence("huge_pages_free", pool.free),
        _ => finding,
    }
}

fn limit(finding: Finding, name: &str, figures: Option<&Limited>) -> Finding {
    let finding = finding.evidence("limit", name);
    match figures {
        Some(figures) => super::refused_break::figures(finding, figures),
        None => finding,
    }
}

fn remedy(request: &RefusedRequest) -> String {
    match &request.by {
        RefusedBy::Limit { name, .. } => super::refused_break::raised(name),
        RefusedBy::Blocked(blocker) => super::refused_break::moved(blocker).to_owned(),
        RefusedBy::LowMemory { .. } => {
            "Have less of it asked for below 2 GiB: a LuaJIT with 64-bit GC \
             pointers (GC64, today's default) needs none. `brkhole trace --map F.svg` draws what \
             lies there."
                .to_owned()
        }
        RefusedBy::AddressSpace if gap(request).is_some() => {
            "`brkhole trace --map F.svg` draws what lies there, and `--stacks` names who asks. A 32-bit \
             program has at most 4 GiB of addresses, whatever the machine has of memory."
                .to_owned()
        }
        RefusedBy::AddressSpace => {
            "Look at where the size comes from: `brkhole trace --stacks` names who \
             asks; a length that was computed wrongly (a negative number, an overflow) looks like \
             this."
                .to_owned()
        }
        RefusedBy::Filter => remedies::FILTER.to_owned(),
        RefusedBy::Overcommit(_) => "Ask for less, add swap, or set vm.overcommit_memory (`sysctl \
             vm.overcommit_memory=1` promises everything)."
            .to_owned(),
        RefusedBy::HugePages(_) => {
            "Reserve as many (`sysctl vm.nr_hugepages=…`, or for another size nr_hugepages in \
             /sys/kernel/mm/hugepages), or have the program do without: it is a setting of its own as \
             a rule (PostgreSQL's huge_pages, Java's -XX:+UseLargePages)."
                .to_owned()
        }
        _ if request.surroundings.is_some() => {
            "`brkhole trace --stacks` names who asks.".to_owned()
        }
        _ => "Run it under `brkhole trace`, which reads the limits and what else stands in \
             the way at the moment of the refusal."
            .to_owned(),
    }
}

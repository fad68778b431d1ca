//! What to say when something stands in the way, or there was no good moment.

use std::time::Duration;

use human_text::{Bytes, Seconds};
use ptmalloc::{Allocator, HeapState};

use super::inside::{How, StoppedTarget};
use super::refusal::{Refusal, RefusalKind};
use super::report::TrimReport;
use super::tools::Tools;

/// What isn't known of malloc's state.
pub(super) fn flaw(malloc: &HeapState) -> String {
    let flaws = malloc.arenas.iter().filter_map(|arena| {
        let why = arena.unknown.as_ref()?;
        Some(format!("arena {:#x}: {why}", arena.address))
    });
    let flaws: Vec<_> = flaws.collect();
    match flaws.as_slice() {
        [] => "what it would give back isn't known".to_owned(),
        [one] => one.clone(),
        [first, rest @ ..] => format!("{first}; and {} more", rest.len()),
    }
}

/// Why there is nothing to call, and what helps.
pub(super) fn no_offer(allocator: &Allocator) -> String {
    let instead = match allocator {
        Allocator::Musl => "musl's malloc gives memory back as soon as a group of blocks is free",
        Allocator::Go => {
            "Go gives memory back by itself; GOMEMLIMIT in its environment (restart it) sets how \
             much it may have, and the program can call debug.FreeOSMemory"
        }
        _ => "see its manual for how it gives memory back",
    };
    format!(
        "its malloc is {allocator}, which offers nothing that could be called from outside; {instead}"
    )
}

/// What isn't given back as another allocator's malloc is the process's.
pub(super) fn beside(bytes: u64) -> String {
    format!(
        "glibc's malloc is used beside it and keeps {} that its malloc_trim would give back: that \
         isn't called",
        Bytes(bytes)
    )
}

/// What a dry run tells where the allocator's records tell nothing.
pub(super) fn not_foretold(allocator: Option<&Allocator>, max_hold: Duration) -> String {
    let whose = allocator.map_or_else(|| "its malloc".to_owned(), ToString::to_string);
    format!(
        "dry run: it was neither stopped nor changed; what {whose} would give back and how long \
         that takes can't be told from outside: without --dry-run the report tells it after. It \
         would be let go after {} at the latest",
        seconds(max_hold)
    )
}

/// Why a process with a filter isn't trimmed.
pub(super) fn seccomp() -> Refusal {
    RefusalKind::Filtered.told(
        "its system calls are filtered (seccomp), and should the filter kill at madvise, munmap or \
         brk, trimming would end it. A container's usual filter permits them: if this is one, \
         `--allow-seccomp`",
    )
}

/// Why it isn't held.
pub(super) fn too_long(pid: i32, foretold: Duration, max_hold: Duration) -> Refusal {
    RefusalKind::TooLong.told(format!(
        "it would stand still for about {}, longer than the {} that it may; where that does no \
         harm: `brkhole trim --max-hold {} {pid}`",
        seconds(foretold),
        seconds(max_hold),
        (foretold.as_secs_f64() * 2.0).ceil(),
    ))
}

/// The same, where malloc was at work each time it was looked at.
pub(super) fn cannot_follow(pid: i32, max_hold: Duration) -> Refusal {
    RefusalKind::TooLong.told(format!(
        "its malloc was at work each time it was looked at, and to look at it while it stands \
         still takes longer than half of {}; try again at a quieter time, or where that does no \
         harm: `brkhole trim --max-hold {} {pid}`",
        seconds(max_hold),
        (max_hold.as_secs_f64() * 4.0).ceil(),
    ))
}

/// Why it wasn't called: the machine is busy, or there are many threads.
pub(super) fn too_slow(max_hold: Duration) -> String {
    format!("it had stood still for {} before anything was called", seconds(max_hold))
}

/// What it means that the process was let go in the middle of the call. `signal`: by which; without
/// one, time was up.
pub(super) fn left_to_itself(
    tid: i32,
    called: &str,
    signal: Option<i32>,
    max_hold: Duration,
) -> String {
    let why = match signal {
        Some(signal) => format!("signal {signal} came while {called} was under way"),
        None => {
            format!("{called} had not returned when it had stood still for {}", seconds(max_hold))
        }
    };
    format!(
        "{why}, so all its threads were let go. Thread {tid} is still inside {called}: when it \
         returns, the thread goes on where it was; until then its signals wait, as do threads that \
         need an arena which it has locked. If it never returns, only a restart of the program \
         helps"
    )
}

/// What it means that a signal came before the call.
pub(super) fn came_too_early(signal: i32) -> String {
    format!("signal {signal} came before there was a good moment. Nothing was changed")
}

/// A time, with its unit.
pub(super) fn seconds(time: Duration) -> String {
    Seconds(time.as_secs_f64()).to_string()
}

/// Why it had to be let go: locks.
pub(super) fn locked(arenas: usize) -> String {
    match arenas {
        1 => "the lock of an arena was held although no thread was inside malloc (a fork?)".into(),
        arenas => format!(
            "the locks of {arenas} arenas were held although no thread was inside malloc (a fork?)"
        ),
    }
}

/// Why it isn't called: what it would find.
pub(super) fn not_verified(why: &str) -> Refusal {
    RefusalKind::Unverified.told(format!(
        "malloc's state can't be verified although the process stood still, so malloc_trim might \
         abort it; it wasn't called: {why}"
    ))
}

/// Where a thread stood, in words.
pub(super) fn told(pid: i32, standing: &StoppedTarget, tools: &mut Tools) -> String {
    const SHOWN: usize = 6;
    let StoppedTarget { tid, calls, how } = standing;
    let names = calls.iter().take(SHOWN).map(|&address| {
        let name = tools.stacks.name(pid, address);
        name.unwrap_or_else(|| format!("{address:#x}"))
    });
    let mut names: Vec<_> = names.collect();
    if calls.len() > SHOWN {
        names.push("…".to_owned());
    }
    let path = names.join(" ← ");
    match how {
        How::Calls => format!("thread {tid} was inside malloc: {path}"),
        How::Words => format!(
            "thread {tid} may have been inside malloc: its calls can't be followed further than \
             {path}, and its stack has an address of malloc's on it"
        ),
        How::Outdated => format!("thread {tid} was in code that had just been mapped"),
        How::Unreadable => format!(
            "thread {tid} may have been inside malloc: its calls can't be followed, and its stack \
             can't be read"
        ),
    }
}

/// How patience came to its end.
pub(super) fn gave_up(report: &TrimReport, patience: Duration) -> String {
    let mut reasons: Vec<_> = report.waited_for.iter().collect();
    reasons.sort_by_key(|waited| std::cmp::Reverse(waited.attempts));
    let most = reasons.first().map(|waited| waited.reason.as_str());
    let others = match reasons.len() {
        0 | 1 => String::new(),
        more => format!(" (and {} other places)", more - 1),
    };
    let tries = match report.attempts {
        0 => "it never stood still".to_owned(),
        1 => "no good moment in 1 attempt".to_owned(),
        several => format!("no good moment in {several} attempts"),
    };
    format!(
        "{tries} within {} s: {}{others}. Nothing was changed; try again at a \
         quieter time or with more patience: `brkhole trim --patience {} {}`",
        patience.as_secs_f64(),
        most.unwrap_or("it could not be stopped"),
        (patience.as_secs() + 1) * 6,
        report.pid
    )
}

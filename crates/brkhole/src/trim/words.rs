//! What to say when there was no good moment.

use std::time::Duration;

use super::attempt::Tools;
use super::inside::{How, Standing};
use super::report::Report;

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
pub(super) fn not_verified(why: &str) -> String {
    format!(
        "malloc's state can't be verified although the process stood still, so malloc_trim might \
         abort it; it wasn't called: {why}"
    )
}

/// Where a thread stood, in words.
pub(super) fn told(pid: i32, standing: &Standing, tools: &mut Tools) -> String {
    const SHOWN: usize = 6;
    let Standing { tid, calls, how } = standing;
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
        How::Unreadable => format!(
            "thread {tid} may have been inside malloc: its calls can't be followed, and its stack \
             can't be read"
        ),
    }
}

/// How patience came to its end.
pub(super) fn gave_up(report: &Report, patience: Duration) -> String {
    let mut reasons: Vec<_> = report.waited_for.iter().collect();
    reasons.sort_by_key(|waited| std::cmp::Reverse(waited.attempts));
    let most = reasons.first().map(|waited| waited.reason.as_str());
    let others = match reasons.len() {
        0 | 1 => String::new(),
        more => format!(" (and {} other places)", more - 1),
    };
    let tries = match report.attempts {
        0 => "it never stood still".to_owned(),
        1 => "in 1 attempt".to_owned(),
        several => format!("in {several} attempts"),
    };
    format!(
        "no good moment {tries} within {} s: {}{others}. Nothing was changed; try again at a \
         quieter time or with more patience: `brkhole trim --patience {} {}`",
        patience.as_secs_f64(),
        most.unwrap_or("it could not be stopped"),
        (patience.as_secs() + 1) * 6,
        report.pid
    )
}

//! What is known of nginx: a master that holds an old configuration's memory, and a break that a
//! module of old blocked on purpose.
//!
//! # References
//! nginx, `src/os/unix/ngx_process_cycle.c` (`ngx_master_process_cycle`) and `src/core/ngx_cycle.c`
//! (`ngx_init_cycle`): on SIGHUP the master reads the new configuration beside the old one, frees
//! the old one, and only then forks new workers, which so inherit what was freed;
//! lua-nginx-module v0.10.7, `src/ngx_http_lua_module.c` (`ngx_http_lua_limit_data_segment`).

use std::cell::OnceCell;
use std::collections::HashMap;
use std::fs;

use heap_diagnosis::{Finding, Severity};
use human_text::Bytes;
use proc_memory::{Mapping, Process, Stat, page_size_bytes};

use super::inspected::Inspected;
use crate::remedy::{NGINX, PRELOAD, THE_TRICK};

/// Clock ticks of `/proc/PID/stat` in a second.
///
/// # References
/// `USER_HZ` in `include/asm-generic/param.h`: 100 on x86-64 and aarch64, however fast the kernel's
/// own clock ticks
const TICKS_A_SECOND: u64 = 100;

/// A master starts its first workers at once. Those that came so much later came after a reload.
const A_MOMENT_TICKS: u64 = TICKS_A_SECOND;

/// How a master calls itself; a command follows.
const MASTER: &[u8] = b"nginx: master process";
/// How a worker calls itself, also one that is about to end.
const WORKER: &[u8] = b"nginx: worker process";
/// How one calls itself that only ends what it has begun.
const OLD_WORKER: &[u8] = b"nginx: worker process is shutting down";

/// Replaces and mends findings of processes that are nginx.
pub(super) fn add_to(processes: &mut [Inspected]) {
    let everybody = OnceCell::new();
    for process in processes.iter_mut() {
        if process.is_glibcs && process.has("memory-returnable") {
            of_a_reload(process, &everybody);
        }
        if process.has("break-blocked") && process.heap.blocker.as_ref().is_some_and(is_the_trick) {
            the_trick(process);
        }
    }
}

/// What nginx's reload has to do with memory that could be given back. Who is whose worker is read
/// once, where it is needed.
fn of_a_reload(process: &mut Inspected, everybody: &OnceCell<Everybody>) {
    let pid = process.pid;
    let everybody = || everybody.get_or_init(all_stats);
    let title = title(pid);
    if title.starts_with(MASTER) {
        if let Some(reload) = reload(pid, everybody()) {
            old_configuration(process, reload);
        }
    } else if title.starts_with(WORKER) {
        let everybody = everybody();
        if let Some(master) = everybody.get(&pid).map(|own| own.parent)
            && self::title(master).starts_with(MASTER)
            && reload(master, everybody).is_some()
        {
            inherited(process, master);
        }
    }
}

/// A master's reload, as its workers show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct ReloadVerdict {
    workers: usize,
    /// From the master's start to that of the oldest of its workers.
    after_seconds: u64,
}

/// Whether all workers are younger than their master by more than a moment.
fn reload(master: i32, everybody: &Everybody) -> Option<ReloadVerdict> {
    let started = everybody.get(&master)?;
    // One that is shutting down belongs to an older configuration.
    let is_worker = |pid| {
        let title = title(pid);
        title.starts_with(WORKER) && !title.starts_with(OLD_WORKER)
    };
    let workers: Vec<&Stat> = everybody
        .iter()
        .filter(|(pid, each)| each.parent == master && is_worker(**pid))
        .map(|(_, each)| each)
        .collect();
    let first = workers.iter().map(|worker| worker.started_ticks).min()?;
    let later_ticks = first.saturating_sub(started.started_ticks);
    (later_ticks > A_MOMENT_TICKS).then_some(ReloadVerdict {
        workers: workers.len(),
        after_seconds: later_ticks / TICKS_A_SECOND,
    })
}

fn old_configuration(process: &mut Inspected, reload: ReloadVerdict) {
    let (pid, returnable) = (process.pid, process.returnable_bytes().unwrap_or(0));
    let found = process.findings.iter_mut();
    for finding in found.filter(|finding| finding.kind == "memory-returnable") {
        let evidence = std::mem::take(&mut finding.evidence);
        let message = format!(
            "This nginx master has reloaded and still holds {} of its old configuration: during a \
             reload both live side by side, and what the old one leaves is free, but free() shrinks \
             a heap from its end alone.",
            Bytes(returnable),
        );
        *finding = Finding::new("old-configuration-held", Severity::Warning, message)
            .evidence("workers", reload.workers)
            .evidence("workers_started_after_seconds", reload.after_seconds)
            .remedy(format!(
                "Give it back now: brkhole trim {pid} $(pgrep -P {pid}), the workers too, as they \
                 were forked with these pages. The next reload brings it again; a restart, or an \
                 upgrade of the binary on the fly (SIGUSR2, then SIGQUIT to the old master), starts \
                 from nothing. If the configuration is big because it loads a bundle of CA \
                 certificates many times, have it parsed once. {NGINX} {PRELOAD}"
            ));
        finding.evidence.extend(evidence);
    }
}

/// A worker's part of it: pages that it shares with its master until one of them writes to them.
fn inherited(process: &mut Inspected, master: i32) {
    let found = process.findings.iter_mut();
    for finding in found.filter(|finding| finding.kind == "memory-returnable") {
        finding.message.push_str(&format!(
            " This nginx worker was forked with it: most of it is an old configuration that its \
             master, process {master}, holds, in the same pages."
        ));
        finding.evidence.insert("master".to_owned(), master.into());
        finding.remedy = Some(format!(
            "What this worker alone gives back is the master's still: the machine gets these pages \
             when the master and all its workers have given them back: brkhole trim {master} $(pgrep -P {master}). See brkhole inspect {master}."
        ));
    }
}

/// The page that lua-nginx-module 0.10.3 to 0.10.7 maps at the break: one, readable only.
fn is_the_trick(blocker: &Mapping) -> bool {
    let permissions = &blocker.permissions;
    blocker.length_bytes() == page_size_bytes()
        && blocker.path().is_none()
        && permissions.read
        && !(permissions.write || permissions.execute || permissions.shared)
}

fn the_trick(process: &mut Inspected) {
    let title = title(process.pid);
    if !["nginx", "openresty"].contains(&process.comm.as_str()) && !title.starts_with(b"nginx: ") {
        return;
    }
    let until_then = until_then(process.pid, &title);
    let found = process.findings.iter_mut();
    for finding in found.filter(|finding| finding.kind == "break-blocked") {
        finding.remedy = Some(format!("{THE_TRICK} until then {until_then}"));
    }
}

/// How freed memory is given back: workers can do it by themselves, of what is theirs alone. The
/// directive has no effect in a master, which answers no requests.
///
/// # References
/// lua-nginx-module v0.10.7, `src/ngx_http_lua_module.c` (`ngx_http_lua_malloc_trim_log_handler` is
/// a handler of the log phase)
fn until_then(pid: i32, title: &[u8]) -> String {
    const DIRECTIVE: &str = "the directive lua_malloc_trim, which 0.10.7 has";
    if title.starts_with(MASTER) {
        return format!(
            "give freed memory back with brkhole trim {pid} $(pgrep -P {pid}), the workers too, as \
             they were forked with these pages. ({DIRECTIVE}, is of no use here: it runs after \
             requests, so in workers only.)"
        );
    }
    let masters = match title.starts_with(WORKER) {
        true => {
            " What a worker has from its master, in the same pages, is the master's still when the \
             worker gives it back: the machine gets it when both have."
        }
        false => "",
    };
    format!(
        "give freed memory back with brkhole trim {pid}, or every so many requests with \
         {DIRECTIVE}.{masters}"
    )
}

/// What a process calls itself; empty where that can't be read.
fn title(pid: i32) -> Vec<u8> {
    fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default()
}

type Everybody = HashMap<i32, Stat>;

/// All that can be seen; one that ends meanwhile is nobody's worker.
fn all_stats() -> Everybody {
    let pids = proc_memory::all_pids().unwrap_or_default();
    pids.into_iter().filter_map(|pid| Some((pid, Process::open(pid).ok()?.stat().ok()?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directive_that_runs_in_workers_is_for_workers() {
        let master = until_then(7, b"nginx: master process nginx");
        assert!(master.contains("brkhole trim 7 $(pgrep -P 7)"), "{master}");
        assert!(master.contains("lua_malloc_trim, which 0.10.7 has, is of no use here"));
        let worker = until_then(8, b"nginx: worker process");
        assert!(worker.contains("with the directive lua_malloc_trim"), "{worker}");
        assert!(worker.contains("is the master's still"), "{worker}");
        let alone = until_then(9, b"openresty");
        assert!(alone.contains("with the directive lua_malloc_trim"), "{alone}");
        assert!(!alone.contains("master"), "{alone}");
    }
}

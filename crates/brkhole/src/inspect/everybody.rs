//! Every process that may be read.

use anyhow::Context;
use heap_meter::process::Process;
use indicatif::{ProgressBar, ProgressStyle};

use super::inspected::{Inspected, Survey, Unread, Why};
use super::look::{Looker, unread, unreadable};
use super::proc_stat::{ProcStat, all_pids};

/// Bytes of a command name that the kernel keeps.
///
/// # References
/// prctl(2), `PR_SET_NAME`: 16 with the zero at the end
const COMM_BYTES: usize = 15;

/// Looks into all of them, or those with this command name; itself it leaves out.
///
/// # Errors
///
/// When `/proc` can't be listed.
pub(super) fn look(
    looker: &mut Looker,
    comm: Option<&str>,
    mut go_on: impl FnMut() -> bool,
) -> anyhow::Result<Survey> {
    let own = std::process::id() as i32;
    let pids = all_pids().context("can't list /proc (mount -t proc proc /proc)")?;
    let bar = progress_bar(pids.len());
    let mut survey = Survey::default();
    for pid in pids {
        if !go_on() {
            break;
        }
        bar.inc(1);
        if pid == own {
            continue;
        }
        match one(looker, pid, comm) {
            Ok(inspected) => survey.processes.extend(inspected),
            Err(unread) => survey.unread.push(unread),
        }
    }
    bar.finish_and_clear();
    survey.processes.sort_by_key(|process| {
        std::cmp::Reverse((process.returnable_bytes(), process.weight.rss_bytes))
    });
    Ok(survey)
}

/// One of them, unless it has another name.
fn one(looker: &mut Looker, pid: i32, comm: Option<&str>) -> Result<Option<Inspected>, Unread> {
    let process = Process::open(pid).map_err(|error| unread(&error))?;
    let stat = ProcStat::of(pid).map_err(|error| unreadable(pid, &error))?;
    if comm.is_some_and(|wanted| !is_named(&stat, wanted)) {
        return Ok(None);
    }
    if stat.is_kernel_thread() {
        return Err(Unread {
            pid,
            why: Why::KernelThread,
            told: format!("process {pid}: it is a kernel thread and has no memory of its own"),
        });
    }
    looker.at_one_of_many(&process, &stat).map(Some)
}

fn is_named(stat: &ProcStat, wanted: &str) -> bool {
    let wanted = wanted.as_bytes();
    stat.comm == wanted.get(..COMM_BYTES).unwrap_or(wanted)
}

/// On a terminal only; indicatif hides it elsewhere.
fn progress_bar(processes: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} processes {elapsed}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(processes as u64).with_style(style)
}

//! What this command knows beyond what the calls tell: of files, and of whose memory it is.

mod bundle;
mod memory;

use heap_diagnosis::Finding;
use heap_growth::Story;
use heap_meter::trace::Trace;

use crate::trim;
pub(crate) use bundle::{NGINX, PRELOAD};

/// Adds to the findings what is known of the files that they name, and of who had the memory.
pub(crate) fn add_to(trace: &mut Trace, story: &Story) {
    bundle::tell(trace, story);
    memory::mappings(trace);
    memory::arenas(trace);
}

/// What to type where memory grew, hardly while a file was read, and nothing was found; `pids` ran
/// already. Where stacks were asked for and none was had, there is none.
pub(crate) fn next_step(trace: &Trace, pids: &[i32], has_stacks: bool) -> Option<String> {
    const WORTH_TELLING_BYTES: u64 = 1 << 20;
    let growth = &trace.growth;
    let peak = u64::try_from(growth.peak_bytes?).ok();
    let peak = peak.filter(|&peak| peak >= WORTH_TELLING_BYTES)?;
    let mut of_files = growth.by_file.iter().filter_map(|file| file.bytes);
    let is_told = of_files.any(|bytes| bytes > peak / 4);
    if is_told || !trace.findings.is_empty() || has_stacks {
        return None;
    }
    let mut most_grown = growth.by_process.iter().map(|process| process.pid);
    let command = match most_grown.find(|pid| pids.contains(pid)) {
        Some(pid) => format!(
            "brkhole trace --stacks -p {pid} tells which functions ask for it, brkhole inspect {pid} \
             what malloc holds"
        ),
        None => "brkhole trace --stacks COMMAND tells which functions asked for it".to_owned(),
    };
    Some(format!("no file explains this growth: {command}"))
}

const TRIM: &str = "brkhole trim ";

/// Whether `brkhole trim` is a remedy.
pub(crate) fn is_trim(findings: &[Finding]) -> bool {
    let mut remedies = findings.iter().filter_map(|found| found.remedy.as_ref());
    remedies.any(|remedy| remedy.contains(TRIM))
}

/// Says where `brkhole trim` is the remedy, before it is tried, why it would refuse the process, or
/// that it wants to be allowed where system calls are filtered, and what is risked.
pub(crate) fn by_trim(findings: &mut [Finding], pid: i32, refused: Option<&str>) {
    let is_filtered = is_trim(findings) && trim::is_filtered(pid);
    let remedies = findings.iter_mut().filter_map(|found| found.remedy.as_mut());
    for remedy in remedies.filter(|remedy| remedy.contains(TRIM)) {
        if let Some(why) = refused {
            *remedy = format!("{remedy} But `brkhole trim` would refuse this one: {why}.");
        } else if is_filtered {
            let allowed = remedy.replace(TRIM, "brkhole trim --allow-seccomp ");
            *remedy = format!("{allowed} {ITS_RISK}");
        }
    }
}

const ITS_RISK: &str = "Its system calls are filtered (seccomp), so trim refuses without \
    --allow-seccomp: a container's usual filter permits madvise, munmap, brk and futex, but one that \
    kills at one of them would end the program.";

/// Who puts a page at the break on purpose, as far as this command knows.
pub(crate) const THE_TRICK: &str = "lua-nginx-module 0.10.3 to 0.10.7 (OpenResty of 2016 and early \
    2017) maps this page on purpose, to keep low addresses for LuaJIT. A newer OpenResty doesn't;";

/// Names the page that lua-nginx-module maps at the break, where the call that did it was seen, or
/// where one lies at the break of a program that is nginx.
pub(crate) fn the_trick(findings: &mut [Finding], program: Option<&str>) {
    let is_nginx = program.is_some_and(is_nginx);
    for finding in break_blocked(findings) {
        let blocker = &finding.evidence["blocker"];
        let lies_there = blocker["mapped_by"].is_null()
            && blocker["perms"] == "r--p"
            && blocker["name"] == ""
            && finding.evidence["room_bytes"] == 0;
        if blocker["lone_page"] != true && !(is_nginx && lies_there) {
            continue;
        }
        let trim = "until then malloc_trim(0) gives freed memory back (brkhole trim PID).";
        finding.remedy = Some(match is_nginx {
            true => format!("{THE_TRICK} {trim}"),
            false => format!("It is the call of a trick: {THE_TRICK} {trim}"),
        });
    }
}

/// Whether a program or its path has the name of nginx.
fn is_nginx(program: &str) -> bool {
    let name = program.rsplit('/').next().unwrap_or(program);
    ["nginx", "nginx:", "openresty", "angie"].contains(&name)
}

/// Says of each blocker whether it is the one that the user asked for. Gives a note where it isn't,
/// and the program would be as it is without.
pub(crate) fn own_hole(findings: &mut [Finding]) -> Option<String> {
    let mut note = None;
    for finding in break_blocked(findings) {
        let blocker = &finding.evidence["blocker"];
        match blocker["mapped_by"].as_str() {
            Some(call) => {
                note = Some(format!(
                    "the program blocks its break itself ({call}): --hole changed nothing that \
                     it would not have done by itself"
                ));
            }
            None => finding.remedy = Some("It is the hole that --hole asked for.".to_owned()),
        }
    }
    note
}

fn break_blocked(findings: &mut [Finding]) -> impl Iterator<Item = &mut Finding> {
    let findings = findings.iter_mut();
    findings.filter(|found| found.kind == "break-blocked")
}

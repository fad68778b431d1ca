//! `brkhole inspect`: running processes, looked into from outside.

mod account;
mod costly;
mod detail;
pub(crate) mod inspected;
pub(crate) mod look;
mod named;
mod nginx;
pub(crate) mod openmetrics;
mod report;
pub(crate) mod scan;
mod since;
mod summary;
mod watch;

use std::process::ExitCode;
use std::time::Instant;

use heap_meter::report::printable;
use inspected::Survey;
use look::Looker;
use named::NamedProcess;
pub(crate) use report::TOP;
use since::Saved;
use watch::{Place, Rounds};

use crate::cli::{InspectArguments, InspectFormat};
use crate::{output, remedy};

/// One look at these, as at all of a machine: cheap, and within a budget. Ends early once it is
/// `over`.
pub(crate) fn survey(lookers: &mut [Looker], pids: &[i32], over: costly::Over) -> Survey {
    let since = Instant::now();
    let mut survey = scan::look(lookers, pids, over);
    scan::account_of_others(lookers, &mut survey, over);
    nginx::add_to(&mut survey.processes);
    survey.seconds = since.elapsed().as_secs_f64();
    survey
}

/// Looks, once or again and again, and reports.
pub(crate) fn run(arguments: &InspectArguments) -> anyhow::Result<ExitCode> {
    output::check_writable(
        [arguments.html.as_ref(), arguments.save.as_ref()],
        arguments.file.as_ref(),
        &[],
    )?;
    let tells_growth = [InspectFormat::Table, InspectFormat::Json].contains(&arguments.format);
    if arguments.since.is_some() && !tells_growth {
        output::bad_usage("what has grown --since is told in the table and in JSON alone");
    }
    let before = arguments.since.as_deref().map(Saved::read).transpose()?;
    let mut rounds = Rounds::new(arguments.watch)?;
    let mut place = Place::new(arguments);
    let mut lookers = match arguments.is_survey() {
        true => scan::lookers(),
        false => vec![Looker::default()],
    };
    let mut named = NamedProcess::new(&arguments.processes.pids);
    let mut is_complete = true;
    loop {
        let since = Instant::now();
        let mut survey = match arguments.is_survey() {
            true => {
                let pids = arguments.processes.wanted.pids()?;
                let over = rounds.over();
                let mut survey = survey(&mut lookers, &pids, &over);
                if arguments.format == InspectFormat::Openmetrics {
                    scan::account(&mut lookers, &mut survey, scan::ACCOUNTS_TIME, &over);
                }
                survey
            }
            false => {
                let mut survey = named.look(&mut lookers[0], || rounds.go_on());
                nginx::add_to(&mut survey.processes);
                survey
            }
        };
        // What a signal cut short is no survey.
        if !rounds.go_on() {
            break;
        }
        for process in &mut survey.processes {
            let refused = process.trim_refused.as_deref();
            remedy::by_trim(&mut process.findings, process.pid, refused);
        }
        let now = report::unix_seconds();
        if let Some(before) = &before {
            for process in &mut survey.processes {
                process.since = Some(before.compared(process, now)?);
            }
        }
        survey.seconds = since.elapsed().as_secs_f64();
        // A process that ends while it is watched is no failure.
        if place.is_first() {
            is_complete = match arguments.is_survey() {
                true => !survey.is_empty(),
                false => survey.unread.is_empty(),
            };
            if survey.is_empty() {
                eprintln!("brkhole: {}", arguments.processes.wanted.nothing());
            }
        }
        tell_unread(&survey, arguments);
        if let Some(path) = &arguments.html {
            output::to_file(path, &report::page(&survey, arguments))?;
        }
        if let Some(path) = &arguments.save {
            output::to_file(path, &Saved::of(&survey.processes, now).text()?)?;
        }
        let text = report::text(&survey, arguments, place.is_stream(), place.is_first())?;
        let is_read = place.put(&text)?;
        let none_left = !arguments.is_survey() && named.is_empty();
        if !is_read || none_left || !rounds.next() {
            break;
        }
    }
    Ok(match is_complete {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

/// Says what could not be looked into: each that was named; of all, how many and why, unless the
/// table or the metrics have it.
fn tell_unread(survey: &Survey, arguments: &InspectArguments) {
    if !arguments.is_survey() {
        for unread in &survey.unread {
            eprintln!("brkhole: {}", printable(&unread.told));
        }
    } else if matches!(arguments.format, InspectFormat::Json | InspectFormat::Csv)
        && let Some(reasons) = summary::unread_by_reason(survey)
    {
        eprintln!("brkhole: not looked into: {reasons}");
    }
}

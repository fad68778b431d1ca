//! The child's work: load contexts, and load them again as a reload does, until it is done or the
//! kernel ends it.

use super::board::{Board, State};
use super::task::Work;
use crate::arm;
use crate::child::Child;
use crate::locations::{load, load_shared, room_for};
use anyhow::Context;
use brk_hole::before_main::BeforeMain;
use brk_hole::luajit::Vm;
use brk_hole::program_break;
use memmap2::MmapMut;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use trusted_ca::{ContextError, ErrorQueue, LoadError, SslContext};

/// What the child is told on its command line.
struct Order {
    work: Work,
    budget: u64,
    /// Whether the budget is a resource limit, which the child can try itself.
    resource_limit: bool,
    bundle: PathBuf,
}

/// A child's `main`.
pub(super) fn main(trick: &BeforeMain) -> ExitCode {
    let board = match Board::from_standard_input() {
        Ok(board) => board,
        Err(error) => {
            eprintln!("oom: {error:#}");
            return ExitCode::FAILURE;
        }
    };
    let ended = match Order::from_command_line() {
        Ok(order) => work(&board, &order, trick).map_err(|error| match order.resource_limit {
            true => words(&error),
            false => format!("{error:#}"),
        }),
        Err(error) => Err(format!("{error:#}")),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(text) => {
            board.say(State::Failed, &text);
            ExitCode::FAILURE
        }
    }
}

/// OpenSSL's own words, if it was OpenSSL that failed: under a resource limit what is wrong isn't the
/// bundle.
fn words(error: &anyhow::Error) -> String {
    if let Some(refused) = error.downcast_ref::<LoadError>() {
        return format!("OpenSSL: {}", refused.queue);
    }
    if let Some(refused) = error.downcast_ref::<ContextError>() {
        return format!("OpenSSL, {}: {}", refused.call, refused.queue);
    }
    format!("{error:#}")
}

fn work(board: &Board, order: &Order, trick: &BeforeMain) -> anyhow::Result<()> {
    let vm = Vm::new().context("can't make the Lua state")?;
    // What OpenSSL sets up once per process is no location's cost; its error queue is set up by the
    // first look into it.
    drop(SslContext::new()?);
    ErrorQueue::drain();
    let capacity = usize::try_from(order.work.locations())?;
    let mut present = Vec::with_capacity(capacity);
    let mut next = Vec::with_capacity(match order.work.reloads() {
        true => capacity,
        false => 0,
    });
    let room_bytes = room_for(order.work.contexts(), &order.bundle)?.min(order.budget);
    if !Child::new(trick).counts(room_bytes)? {
        let why = trick.outcome().map_or_else(
            || "a mapping, most likely Lua's own memory, lies too close above the break".to_owned(),
            |outcome| outcome.to_string(),
        );
        board.say(State::Void, &why);
        return Ok(());
    }
    if order.resource_limit {
        refused_beyond(order.budget)?;
    }
    note_break(&board.first_break);
    board.wait(State::Ready);
    fill(&mut present, board, order)?;
    if order.work.reloads() {
        // A reload makes the new configuration's Lua state before the old one goes.
        let new_vm = Vm::new().context("can't make the Lua state")?;
        fill(&mut next, board, order)?;
        while let Some(context) = present.pop() {
            drop(context);
            board.freed.fetch_add(1, Ordering::Relaxed);
        }
        drop(vm);
        board.wait(State::Done);
        drop(new_vm);
        return Ok(());
    }
    board.wait(State::Done);
    drop(vm);
    Ok(())
}

fn fill(contexts: &mut Vec<SslContext>, board: &Board, order: &Order) -> anyhow::Result<()> {
    let load = if arm::wants_sharing() {
        load_shared
    } else {
        load
    };
    for _ in 0..order.work.locations() {
        contexts.push(load(&order.bundle)?);
        note_break(&board.last_break);
        board.loaded.fetch_add(1, Ordering::Relaxed);
        board.wait_if_asked();
    }
    Ok(())
}

fn note_break(place: &std::sync::atomic::AtomicU64) {
    place.store(program_break::current() as u64, Ordering::Relaxed);
}

/// Proves that the resource limit is in force: a kernel may have been told to ignore it.
fn refused_beyond(budget: u64) -> anyhow::Result<()> {
    match MmapMut::map_anon(usize::try_from(budget)?) {
        Err(_) => Ok(()),
        Ok(_) => anyhow::bail!(
            "the kernel doesn't keep to RLIMIT_DATA: it gave a mapping as large as the whole limit \
             (was it started with ignore_rlimit_data?)"
        ),
    }
}

impl Order {
    fn from_command_line() -> anyhow::Result<Self> {
        let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
        let [work, locations, budget, limit, bundle] = arguments.as_slice() else {
            anyhow::bail!("expected the work, its locations, the budget, the limit and the bundle");
        };
        let number = |text: &OsString| text.to_str().and_then(|text| text.parse::<u64>().ok());
        let locations = number(locations).context("expected a number of locations")?;
        Ok(Self {
            work: Work::of(work, locations).context("expected load or reload")?,
            budget: number(budget).context("expected a budget in bytes")?,
            resource_limit: limit == "rlimit",
            bundle: Path::new(bundle).to_owned(),
        })
    }
}

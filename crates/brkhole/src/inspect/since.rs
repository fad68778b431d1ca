//! Two looks at a process: the first one kept in a file, and what has grown by the second one, by
//! owner.
//!
//! The file is anybody's: it is bounded, has a schema, and nothing in it is taken for more than a
//! name or a number.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, bail, ensure};
use heap_meter::report::{Column, Part, SCHEMA, in_unit, json};
use human_text::{Bytes, Seconds};
use memory_account::{Account, Kind, Row};
use serde::{Deserialize, Serialize};

use super::inspected::{Change, Inspected, Since};

/// Enough for thousands of processes with hundreds of owners each.
const MOST_BYTES: u64 = 16 << 20;
/// A smaller change isn't shown in a table.
const WORTH_SHOWING_BYTES: u64 = 4096;

/// What a look leaves in a file.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Saved {
    saved_unix_seconds: u64,
    /// The kernel's number for this run of the machine.
    boot_id: String,
    processes: Vec<SavedProcess>,
}

#[derive(Debug, Deserialize, Serialize)]
struct SavedProcess {
    pid: i32,
    started_ticks: u64,
    comm: String,
    /// Where its break began, which the kernel draws anew for every program that it executes; `None`
    /// in a file of an older version.
    #[serde(default)]
    break_start: Option<u64>,
    account: Account,
}

impl Saved {
    /// What is to be kept of these processes: of those whose account is known.
    pub(super) fn of(processes: &[Inspected], now: u64) -> Self {
        let known = processes.iter().filter_map(|process| {
            Some(SavedProcess {
                pid: process.pid,
                started_ticks: process.started_ticks,
                comm: process.comm.clone(),
                break_start: Some(process.heap.start),
                account: process.account.clone()?,
            })
        });
        Self { saved_unix_seconds: now, boot_id: boot_id(), processes: known.collect() }
    }

    /// The text of the file.
    pub(super) fn text(&self) -> anyhow::Result<String> {
        Ok(json(self)?)
    }

    /// Reads what an earlier look left.
    pub(super) fn read(path: &Path) -> anyhow::Result<Self> {
        const NEXT: &str = "`brkhole inspect --save FILE PID` writes one";
        let name = path.display();
        let mut text = Vec::new();
        let file = File::open(path).with_context(|| format!("can't read {name}; {NEXT}"))?;
        let read = file.take(MOST_BYTES + 1).read_to_end(&mut text);
        read.with_context(|| format!("can't read {name}; {NEXT}"))?;
        ensure!(
            text.len() as u64 <= MOST_BYTES,
            "{name} has more than {}, the most that a saved look may have; {NEXT}",
            Bytes(MOST_BYTES)
        );
        #[derive(Deserialize)]
        struct Version {
            schema: u32,
        }
        let no_look = || format!("{name} is no look that was saved; {NEXT}");
        let version: Version = serde_json::from_slice(&text).with_context(no_look)?;
        if version.schema != SCHEMA {
            bail!(
                "{name} was saved with schema {}, and this brkhole reads schema {SCHEMA}; {NEXT}",
                version.schema
            );
        }
        serde_json::from_slice(&text).with_context(no_look)
    }

    /// What has changed since for a process: the same one, or, after a restart, the only one of its
    /// name.
    ///
    /// # Errors
    /// Neither is in the file.
    pub(super) fn compared(&self, process: &Inspected, now: u64) -> anyhow::Result<Since> {
        let boot_id = boot_id();
        let same_boot = !boot_id.is_empty() && self.boot_id == boot_id;
        let is_same = |saved: &&SavedProcess| {
            let is_program = saved.break_start.is_none_or(|start| start == process.heap.start);
            let is_process =
                saved.pid == process.pid && saved.started_ticks == process.started_ticks;
            same_boot && is_process && is_program
        };
        let same = self.processes.iter().find(is_same);
        let mut namesakes = self.processes.iter().filter(|saved| saved.comm == process.comm);
        let saved = match (same, namesakes.next(), namesakes.next()) {
            (Some(same), ..) => same,
            (None, Some(only), None) => only,
            (None, first, _) => bail!(
                "{}: {} of its name in the saved look, and none is it; `brkhole inspect \
                 --save FILE {}` saves it",
                process.name(),
                if first.is_some() { "several are" } else { "nothing is" },
                process.pid
            ),
        };
        let before = &saved.account.rows[..];
        let rows = process.account.as_ref().map_or(&[][..], |account| &account.rows);
        Ok(Since {
            saved_unix_seconds: self.saved_unix_seconds,
            seconds: now.saturating_sub(self.saved_unix_seconds),
            pid: saved.pid,
            is_same: same.is_some(),
            owners: changes(before, rows),
        })
    }
}

/// By owner; all that is unknown is one.
fn changes(before: &[Row], now: &[Row]) -> Vec<Change> {
    let mut bytes: BTreeMap<(Kind, &str), [u64; 2]> = BTreeMap::new();
    for (index, row) in before.iter().map(|row| (0, row)).chain(now.iter().map(|row| (1, row))) {
        let owner = if row.kind == Kind::Unknown { "unknown" } else { &row.owner };
        let sum = &mut bytes.entry((row.kind, owner)).or_default()[index];
        *sum = sum.saturating_add(row.rss_bytes).saturating_add(row.swap_bytes);
    }
    let changes = bytes.into_iter().map(|((kind, owner), [before_bytes, now_bytes])| Change {
        owner: owner.to_owned(),
        kind,
        before_bytes,
        now_bytes,
    });
    let mut changes: Vec<Change> = changes.collect();
    changes.sort_by_key(|change| std::cmp::Reverse(grown(change)));
    changes
}

fn grown(change: &Change) -> i128 {
    i128::from(change.now_bytes) - i128::from(change.before_bytes)
}

/// What has grown, as a table; nothing without an earlier look.
pub(super) fn table(process: &Inspected) -> Vec<Part> {
    let Some(since) = &process.since else { return Vec::new() };
    let ago = Seconds(since.seconds as f64);
    let title = format!("what grew in {ago}");
    let columns =
        [Column::Left(&*title), Column::Right("then"), Column::Right("now"), Column::Right("grew")];
    let shown = |change: &&Change| grown(change).unsigned_abs() >= WORTH_SHOWING_BYTES.into();
    let rows: Vec<_> = since
        .owners
        .iter()
        .filter(shown)
        .map(|change| {
            [
                format!("  {}", change.owner),
                Bytes(change.before_bytes).to_string(),
                Bytes(change.now_bytes).to_string(),
                in_unit(grown(change) as f64, heap_meter::experiment::Unit::Bytes),
            ]
        })
        .collect();
    let mut parts = match rows.is_empty() {
        true => vec![Part::Paragraph(format!("Nothing has grown or shrunk in {ago}."))],
        false => vec![Part::table(&columns, rows)],
    };
    if !since.is_same {
        parts.push(Part::Note(format!(
            "it is another process by now: then its number was {}",
            since.pid
        )));
    }
    parts
}

/// Another one since the machine was started anew; empty where it isn't told.
fn boot_id() -> String {
    let read = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
    read.map(|id| id.trim().to_owned()).unwrap_or_default()
}

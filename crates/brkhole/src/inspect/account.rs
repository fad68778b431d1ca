//! Whose memory a process has, as a table.

use heap_meter::report::{Column, Part, known_bytes};
use human_text::Bytes;
use memory_account::{Account, Kind, Row};

use super::inspected::Inspected;

/// From such a share on, memory of unknown owner is worth a question.
const WORTH_ASKING_SHARE: f64 = 0.05;
const WORTH_ASKING_BYTES: u64 = 16 << 20;

/// A row for each owner, and below it what the figures come to. Nothing for one of many processes.
pub(super) fn table(process: &Inspected) -> Vec<Part> {
    let Some(account) = &process.account else {
        let why = process.account_unknown.iter();
        return why.map(|why| Part::Paragraph(format!("whose memory: not known: {why}"))).collect();
    };
    let has_swap = account.swap_bytes() > 0;
    let mut columns = vec![
        Column::Left("whose memory"),
        Column::Right("resident"),
        Column::Right("private"),
        Column::Right("free"),
        Column::Right("returnable"),
    ];
    if has_swap {
        columns.insert(3, Column::Right("swapped"));
    }
    let known = |bytes: Option<u64>| bytes.map_or_else(String::new, |_| known_bytes(bytes));
    let row = |row: &Row| {
        let mut cells = vec![
            format!("  {}", row.owner),
            Bytes(row.rss_bytes).to_string(),
            Bytes(row.private_bytes).to_string(),
            known(row.free_bytes),
            known(row.returnable_bytes),
        ];
        if has_swap {
            cells.insert(3, Bytes(row.swap_bytes).to_string());
        }
        cells
    };
    let total = Row::sum("together", &account.rows);
    let rows = account.rows.iter().chain([&total]).map(row);
    [Part::table(&columns, rows)].into_iter().chain(unknown(process, account)).collect()
}

/// How it may be found out what nothing told.
fn unknown(process: &Inspected, account: &Account) -> Option<Part> {
    let unknown = account.of_kind(Kind::Unknown);
    let share = unknown as f64 / account.rss_bytes().max(1) as f64;
    let (pid, bytes) = (process.pid, Bytes(unknown));
    (unknown >= WORTH_ASKING_BYTES && share >= WORTH_ASKING_SHARE).then(|| {
        Part::Paragraph(match process.allocator.as_deref() {
            Some(allocator @ ("jemalloc" | "mimalloc" | "tcmalloc")) => format!(
                "{bytes} are likely {allocator}'s; how much of that is free and could go back can't be \
                 told from outside. `brkhole trim {pid}` has {allocator} give it back, and tells."
            ),
            _ => format!(
                "Of {bytes} nothing tells whose they are. `brkhole trace --pid {pid}` shows, while \
                 they grow, who asks for more; who asked for what is there, `brkhole trace --stacks` \
                 of its command, from its beginning."
            ),
        })
    })
}

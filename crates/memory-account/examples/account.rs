//! The account of a process: `cargo run --example account PID`.
use memory_account::Account;
use proc_memory::{Process, Snapshot};
use ptmalloc::Examiner;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let pid = std::env::args().nth(1).ok_or("which process? its PID is missing")?.parse()?;
    let process = Process::open(pid)?;
    let malloc = Examiner::new().examine(&process);
    let account = Account::of(&process, &malloc)?;
    for row in &account.rows {
        let kib = |bytes: u64| bytes >> 10;
        println!(
            "{:>9} {:>9} {:>7} {:>9?} {:>9?} {:4} {} ({})",
            kib(row.rss_bytes),
            kib(row.private_bytes),
            kib(row.swap_bytes),
            row.free_bytes.map(kib),
            row.returnable_bytes.map(kib),
            row.pieces,
            row.owner,
            row.evidence
        );
    }
    println!("{:>9} of {}", account.rss_bytes() >> 10, Snapshot::of(pid)?.rss_bytes >> 10);
    Ok(())
}

//! A survey for node_exporter's textfile collector.
//!
//! That collector reads Prometheus's text format (0.0.4). OpenMetrics (1.0) wants a closing `# EOF`,
//! which the older format takes for a comment, and otherwise differs in nothing that a gauge needs:
//! the text is both.
//!
//! How many series there are is bounded by `top`, whatever runs on the host: the command names with
//! most to return stand on their own, and [`OTHERS`] is the sum of the rest.

mod commands;
mod exposition;
mod unknown;

use std::time::{SystemTime, UNIX_EPOCH};

use super::inspected::{Survey, Why};
use commands::{Commands, Totals};
use exposition::Exposition;

/// Label of the sum of all commands that don't stand on their own. A command name has 15 bytes at
/// most, so none is this.
const OTHERS: &str = "(all other commands)";

/// What a gauge tells of a command.
type Figure = fn(&Totals) -> u64;

/// Gauges with a series for each command name.
const BY_COMMAND: [(&str, &str, Figure); 13] = [
    (
        "brkhole_processes",
        "Processes that were looked into.",
        |command| command.processes,
    ),
    (
        "brkhole_resident_memory_bytes",
        "Their resident memory; pages that several share count in each.",
        |command| command.resident_bytes,
    ),
    (
        "brkhole_malloc_known_processes",
        "Those of them whose glibc malloc could be read, which the malloc gauges are sums of.",
        |command| command.known,
    ),
    (
        "brkhole_malloc_system_bytes",
        "What malloc's arenas have from the kernel.",
        |command| command.system_bytes,
    ),
    (
        "brkhole_malloc_mmapped_blocks",
        "Blocks of malloc's that each have a mapping of their own, outside its arenas.",
        |command| command.mmapped_blocks,
    ),
    (
        "brkhole_malloc_mmapped_bytes",
        "What these have from the kernel.",
        |command| command.mmapped_bytes,
    ),
    (
        "brkhole_malloc_free_bytes",
        "What is free in malloc's arenas, resident or not.",
        |command| command.free_bytes,
    ),
    (
        "brkhole_malloc_returnable_bytes",
        "Resident pages in free memory: what malloc_trim(0) would give back.",
        |command| command.returnable_bytes,
    ),
    (
        "brkhole_break_blocked_processes",
        "Processes that use the break and have a mapping there, which keeps it from growing.",
        |command| command.blocked,
    ),
    (
        "brkhole_break_limited_processes",
        "Processes whose break a limit (RLIMIT_DATA, RLIMIT_AS) keeps from growing.",
        |command| command.limited,
    ),
    (
        "brkhole_break_near_wall_processes",
        "Processes whose break has little room left below a mapping or a limit.",
        |command| command.near_wall,
    ),
    (
        "brkhole_break_abandoned_processes",
        "Processes whose glibc malloc has given up on the break and maps memory elsewhere.",
        |command| command.abandoned,
    ),
    (
        "brkhole_old_configuration_processes",
        "Processes that hold the memory of a configuration from before a reload.",
        |command| command.old_configuration,
    ),
];

/// The survey as metrics, the `top` command names on their own.
pub(crate) fn text(found: &Survey, top: usize) -> String {
    let commands = Commands::of(&found.processes, top);
    let mut text = Exposition::new();
    for (name, help, figure) in BY_COMMAND {
        let mut gauge = text.gauge(name, help);
        for (comm, totals) in &commands.on_their_own {
            gauge.sample(&[("comm", comm)], figure(totals));
        }
        gauge.sample(&[("comm", OTHERS)], figure(&commands.others));
    }

    text.gauge(
        "brkhole_commands",
        "Command names found, those included that have no series of their own.",
    )
    .sample(&[], commands.names);

    let mut gauge = text.gauge(
        "brkhole_malloc_unknown_processes",
        "Processes whose malloc could not be read in full, by reason.",
    );
    for (reason, processes) in unknown::by_reason(&found.processes) {
        gauge.sample(&[("reason", reason)], processes);
    }

    let mut gauge = text.gauge(
        "brkhole_unreadable_processes",
        "Processes that could not be looked into, by reason.",
    );
    for why in Why::ALL {
        gauge.sample(&[("reason", why.name())], found.unread_for(why));
    }

    text.gauge(
        "brkhole_inspect_duration_seconds",
        "How long it took to look into them all.",
    )
    .sample(&[], format_args!("{:.6}", found.seconds));
    // A clock before 1970 is as stale as can be.
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    text.gauge(
        "brkhole_inspect_timestamp_seconds",
        "When this was written, in seconds since 1970.",
    )
    .sample(
        &[],
        format_args!("{:.3}", now.unwrap_or_default().as_secs_f64()),
    );
    text.gauge(
        "brkhole_build_info",
        "Always 1; the label tells which version wrote this.",
    )
    .sample(&[("version", env!("CARGO_PKG_VERSION"))], 1);
    text.end()
}

#[cfg(test)]
mod tests;

//! What a map shows, in words.

use heap_growth::{Blocker, GrowthKind, MemoryLayout};
use human_text::printable;
use human_text::{Bytes, Seconds, thousands};

/// How to read a map.
pub(super) const KEY: &str = "Private writable memory. Every piece is to scale; a column of pixels \
                              is as high as it is full, and 2 pixels at least.";

/// Who, when, how much.
pub(super) fn heading(name: &str, layout: &MemoryLayout) -> String {
    let grown = u64::try_from(layout.growth_bytes).unwrap_or(0);
    let most = u64::try_from(layout.greatest_growth_bytes).unwrap_or(0);
    let name = match name {
        "" => String::new(),
        name => format!("{name}: "),
    };
    let (grown, most) = (Bytes(grown).to_string(), Bytes(most).to_string());
    let at_most = match grown == most {
        true => String::new(),
        false => format!(" (at its peak {most})"),
    };
    // A log without times has one moment for everything.
    let when = match layout.at.is_zero() {
        true => String::new(),
        false => format!(" at {}", Seconds::from(layout.at)),
    };
    format!("{name}process {}{when}, grown by {grown}{at_most}", layout.pid)
}

/// What became of the break, and what is not drawn.
pub(super) fn facts(layout: &MemoryLayout) -> String {
    let mut facts = Vec::new();
    facts.push(match layout.refused_brks {
        0 => "No brk was refused.".to_owned(),
        1 => "1 brk was refused.".to_owned(),
        many => format!("{} brks were refused.", thousands(many)),
    });
    if let Some(blocker) = &layout.blocker {
        let name = blocker_name(blocker);
        facts.push(format!("Above the break lies {name}."));
    }
    let low = layout.low_bytes();
    if low.total() == 0 {
        facts.push("Nothing of it lies below 2 GiB.".to_owned());
    }
    if !layout.knows_earlier {
        facts.push("What was there before the first call isn't known.".to_owned());
    }
    facts.join(" ")
}

/// The break.
pub(super) fn program_break(address: u64) -> String {
    format!("break {address:#x}")
}

/// What ends it.
pub(super) fn blocked(blocker: &Blocker) -> String {
    format!("{:#x}: {}", blocker.range.start, blocker_name(blocker))
}

fn blocker_name(blocker: &Blocker) -> String {
    let bytes = Bytes(blocker.range.end - blocker.range.start);
    let permissions = blocker.mapping.as_ref().map(|mapping| mapping.permissions);
    let writable = permissions.is_none_or(|permissions| permissions.write);
    let kind = blocker.kind.filter(|kind| writable && *kind != GrowthKind::Other);
    let what = match (kind, &blocker.mapping) {
        (Some(kind), _) => format!("memory of the kind “{}”", kind.title()),
        (None, Some(mapping)) if !mapping.name.is_empty() && !mapping.is_heap() => {
            printable(&String::from_utf8_lossy(&mapping.name))
        }
        (None, Some(mapping)) if mapping.inode == 0 => "an anonymous mapping".to_owned(),
        _ => "a mapping".to_owned(),
    };
    match permissions {
        Some(permissions) => format!("{what} ({permissions}, {bytes})"),
        None => format!("{what} ({bytes})"),
    }
}

/// A kind's entry in the legend; `None` if there is nothing of it.
pub(super) fn entry(layout: &MemoryLayout, kind: GrowthKind) -> Option<String> {
    let bytes = u64::try_from(layout.bytes()[kind]).ok()?;
    let low = u64::try_from(layout.low_bytes()[kind]).unwrap_or(0);
    let where_to = match kind {
        _ if bytes == 0 => return None,
        GrowthKind::LowMemory => String::new(),
        _ if low == 0 => String::new(),
        _ if low == bytes => ", below 2 GiB".to_owned(),
        _ => format!(", {} below 2 GiB", Bytes(low)),
    };
    let title = match kind {
        GrowthKind::LowMemory => "asked for below 2 GiB",
        kind => kind.title(),
    };
    Some(format!("{title}: {}{where_to}", Bytes(bytes)))
}

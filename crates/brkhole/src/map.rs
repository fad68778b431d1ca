//! Where memory lies: the picture of `--map`.

use std::path::Path;

use heap_growth::{Growth, MemoryLayout};
use heap_meter::report::chart::{Panel, address_map};

use crate::output;

/// Draws the process that grew most; gives a word where there is none.
pub(crate) fn of_run(path: &Path, growth: &Growth, what: &str) -> anyhow::Result<Option<String>> {
    let Some(layout) = growth.layout() else {
        return Ok(Some("no map was drawn: no process grew".to_owned()));
    };
    let panel = Panel {
        name: "",
        layout: &layout,
    };
    draw(path, &[panel], what)?;
    Ok(None)
}

/// Draws arms one above the other; those in which nothing grew are left out.
pub(crate) fn of_arms(
    path: &Path,
    arms: &[(String, MemoryLayout)],
    what: &str,
) -> anyhow::Result<()> {
    let panels: Vec<_> = arms
        .iter()
        .map(|(name, layout)| Panel { name, layout })
        .collect();
    draw(path, &panels, what)
}

fn draw(path: &Path, panels: &[Panel<'_>], what: &str) -> anyhow::Result<()> {
    let title = format!("Where its memory lies: {what}");
    output::to_file(path, &address_map(&title, panels))
}

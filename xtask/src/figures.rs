//! Figures and output in README and book come from committed runs; none is typed by hand.
//!
//! The marker of a figure stands in the sentence, and both GitHub and mdBook hide it:
//!
//! ```text
//! took <!-- fig locations comparison.time_per_location.control seconds -->4.41 ms<!-- /fig --> each
//! ```
//!
//! Behind `fig` come the run file (`runs/locations.json`), what to take from it (see
//! [`expression`]) and how to write it. A block is replaced whole (see [`block`]):
//!
//! ````text
//! <!-- block table locations -->
//! ```text
//! …
//! ```
//! <!-- /block -->
//! ````
//!
//! README.md has no markers at all: it is made from a [`template`].

mod block;
mod excerpt;
mod expression;
mod image;
mod marker;
mod runs;
mod template;

use crate::documents::{self, Document, README, TEMPLATE};
use crate::documents::{Fault, fail_on};
use anyhow::Context;
use image::Charts;
use marker::Marker;
use roots::repository::root;
use runs::Runs;
use std::fs;

/// Writes the documents and charts anew.
///
/// # Errors
/// When a marker is wrong; the other markers are filled all the same.
pub fn fill() -> anyhow::Result<()> {
    let (mut charts, mut faults) = Default::default();
    let documents = rendered(&mut charts, &mut faults)?;
    for (document, text) in documents {
        write_if_different(&document.name, &text)?;
    }
    for (name, svg) in charts.drawn() {
        write_if_different(name, svg)?;
    }
    fail_on(&faults, "")
}

/// Compares the documents and charts with the runs.
///
/// # Errors
/// When they differ or a marker is wrong.
pub fn check() -> anyhow::Result<()> {
    let (mut charts, mut faults) = Default::default();
    let documents = rendered(&mut charts, &mut faults)?;
    for (document, text) in &documents {
        faults.extend(marker::differences(&document.name, &document.text, text));
    }
    for (name, svg) in charts.drawn() {
        let stands = fs::read_to_string(root().join(name)).unwrap_or_default();
        if stands != *svg {
            faults.push(Fault::new(name, 0, "isn't the chart that its run gives"));
        }
    }
    fail_on(&faults, "; `cargo xtask figures` fills figures and charts anew")
}

/// What the documents and charts should be, and what is wrong with the markers.
fn rendered(
    charts: &mut Charts,
    faults: &mut Vec<Fault>,
) -> anyhow::Result<Vec<(Document, String)>> {
    let runs = Runs::in_directory("runs")?;
    let mut filled = Vec::new();
    for document in documents::all()? {
        let mut content =
            |marker: Marker<'_>| block::content(marker, &document.name, &runs, charts);
        if document.name == TEMPLATE {
            let text = template::render(&document, faults, &mut content);
            filled.push((readme(), text));
        } else {
            let text = marker::fill(&document, faults, &mut content);
            filled.push((document, text));
        }
    }
    faults.extend(runs.unused());
    faults.extend(charts.strangers()?);
    Ok(filled)
}

/// The README as it stands; empty if there is none yet.
fn readme() -> Document {
    Document {
        name: README.to_owned(),
        text: fs::read_to_string(root().join(README)).unwrap_or_default(),
    }
}

fn write_if_different(name: &str, text: &str) -> anyhow::Result<()> {
    let path = root().join(name);
    if fs::read_to_string(&path).is_ok_and(|stands| stands == text) {
        return Ok(());
    }
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory).with_context(|| name.to_owned())?;
    }
    fs::write(&path, text).with_context(|| name.to_owned())?;
    println!("wrote {name}");
    Ok(())
}

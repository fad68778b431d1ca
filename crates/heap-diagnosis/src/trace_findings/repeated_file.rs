//! The same file is read again and again while the heap grows.

use super::{OPENS, WORTH_TELLING_BYTES};
use crate::finding::{Finding, Severity};
use heap_growth::FileGrowth;
use heap_growth::Story;
use human_text::{Bytes, thousands};

/// A file that takes less than this share of all that was asked for is not what to look at.
const SHARE: f64 = 0.05;

/// So many files are told of.
const MOST: usize = 3;

pub(super) fn find(story: &Story) -> Vec<Finding> {
    let asked_bytes = story.growth.asked_bytes();
    let files = story.growth.by_file().into_iter();
    files
        .filter(|file| is_telling(story, file))
        .take(MOST)
        .map(|file| finding(file, asked_bytes))
        .collect()
}

pub(super) fn is_telling(story: &Story, file: &FileGrowth) -> bool {
    let asked_bytes = story.growth.asked_bytes();
    super::closings_are_seen(story)
        && file.most_opens_by_one >= OPENS
        && file.openings.most_grew_of(file.opens)
        && file.bytes() >= WORTH_TELLING_BYTES
        && file.bytes() as f64 >= SHARE * asked_bytes as f64
}

fn finding(file: &FileGrowth, asked_bytes: u64) -> Finding {
    let path = String::from_utf8_lossy(&file.path).into_owned();
    let openings = &file.openings;
    let each = openings.median_bytes();
    let times = match openings.grown == file.opens {
        true => "each time".to_owned(),
        false => format!("as a rule, at {} of them", thousands(openings.grown)),
    };
    let message = match openings.mean_read_bytes() {
        Some(read) => format!(
            "{path} was read {} times, {} each time, and while it was being read memory grew by \
             {}, {} {times}: what is made of it is made anew every time.",
            thousands(file.opens),
            Bytes(read),
            Bytes(file.bytes()),
            Bytes(each),
        ),
        None => format!(
            "{path} was opened {} times, and while it was open memory grew by {}, {} {times}. If that \
             is what the program makes of it, it is made anew every time.",
            thousands(file.opens),
            Bytes(file.bytes()),
            Bytes(each),
        ),
    };
    Finding::new("repeated-file", Severity::Warning, message)
        .evidence("path", path)
        .evidence("opens", file.opens)
        .evidence("openings_grown", openings.grown)
        .evidence("bytes", file.bytes())
        .evidence("median_bytes", each)
        .evidence("read_bytes", super::read_bytes(file))
        .evidence("asked_bytes", file.asked_bytes)
        .evidence(
            "share_of_all_asked",
            file.asked_bytes as f64 / asked_bytes as f64,
        )
        .remedy("Have the program read it once and share the result.")
}

//! The same file is read again and again: at the cost of memory, or of time alone.

use std::time::Duration;

use super::grown::WORTH_TELLING_BYTES;
use crate::finding::{Finding, Severity};
use heap_growth::{FileGrowth, Story};
use human_text::{Bytes, Seconds, thousands};
use memory_event::Syscall;

/// Opened less often by one program, a file isn't read "again and again". (That many programs open
/// the same library says nothing.)
const OPENS: u64 = 3;

/// A file that takes less than this share of all that was asked for is not what to look at.
const SHARE_OF_GROWTH: f64 = 0.05;

/// So many files are told of.
const MOST: usize = 3;

/// The same file is read again and again while the heap grows.
pub(super) fn files(story: &Story) -> Vec<Finding> {
    let asked_bytes = story.growth.asked_bytes();
    let files = story.growth.by_file().into_iter();
    files
        .filter(|file| made_grow(story, file))
        .take(MOST)
        .map(|file| file_finding(file, asked_bytes))
        .collect()
}

fn made_grow(story: &Story, file: &FileGrowth) -> bool {
    let asked_bytes = story.growth.asked_bytes();
    // What each of many programs does once, such as to load the C library, is no repetition.
    let by_one = file.by_one;
    // And a first reading that took much, of which others had little to add, is none either.
    let typical = file.openings.median_bytes().saturating_mul(by_one.grown);
    closings_are_seen(story)
        && by_one.opens >= OPENS
        && by_one.most_grew()
        && by_one.bytes().min(typical) >= WORTH_TELLING_BYTES
        && file.bytes() as f64 >= SHARE_OF_GROWTH * asked_bytes as f64
}

fn file_finding(file: &FileGrowth, asked_bytes: u64) -> Finding {
    let path = String::from_utf8_lossy(&file.path).into_owned();
    let openings = &file.openings;
    let each = openings.median_bytes();
    let times = match openings.grown == file.opens {
        true => "each time".to_owned(),
        false => format!("as a rule, at {} of them", thousands(openings.grown)),
    };
    let (opened, grown) = (opened(&path, file), Bytes(file.bytes()));
    let each_bytes = Bytes(each);
    let message = match openings.read_known {
        0 => format!(
            "{opened}, and while it was open memory grew by {grown}, {each_bytes} {times}. If that \
             is what the program makes of it, it makes it anew each time."
        ),
        _ => format!(
            "{opened}, and while it was being read memory grew by {grown}, {each_bytes} {times}: \
             each reading takes memory of its own."
        ),
    };
    Finding::new("repeated-file", Severity::Warning, message)
        .evidence("path", path)
        .evidence("opens", file.opens)
        .evidence("opens_by_one", file.by_one.opens)
        .evidence("openings_grown", openings.grown)
        .evidence("bytes", file.bytes())
        .evidence("median_bytes", each)
        .evidence("read_bytes", read_bytes(file))
        .evidence("asked_bytes", file.asked_bytes)
        .evidence("share_of_all_asked", file.asked_bytes as f64 / asked_bytes as f64)
        .remedy("Have the program read it once and share the result.")
}

/// How often it was read, and how much of it each time; or opened, where that isn't known of all.
fn opened(path: &str, file: &FileGrowth) -> String {
    let (openings, opens) = (&file.openings, thousands(file.opens));
    let by_one = match file.by_one.opens < file.opens {
        true => format!(" ({} of them by one program)", thousands(file.by_one.opens)),
        false => String::new(),
    };
    match openings.mean_read_bytes().map(Bytes) {
        None => format!("{path} was opened {opens} times{by_one}"),
        Some(read) if openings.read_known == file.opens => {
            format!("{path} was read {opens} times{by_one}, {read} each time")
        }
        Some(read) => format!(
            "{path} was opened {opens} times{by_one}, and read, as far as that is known, at {} of \
             them, {read} each time",
            thousands(openings.read_known)
        ),
    }
}

/// Less time than this in all is not worth a word.
const LEAST: Duration = Duration::from_millis(100);

/// An opening that takes less on average is what programs do all the time: a host name is looked
/// up, a time zone, a user. To watch one takes 0.1 ms, several times that on a busy machine; the
/// fastest OpenSSL needs 3 ms to parse a bundle.
const LEAST_EACH: Duration = Duration::from_millis(2);

/// A smaller share of the time from its first opening to its last close isn't what the program was
/// busy with.
const SHARE_OF_SPAN: f64 = 0.1;

/// One of these makes it worth a word: so much time in all, such a share of the run, so often.
const LONG: Duration = Duration::from_secs(1);
const SHARE_OF_RUN: f64 = 0.05;
const OFTEN: u64 = 50;

/// Without a clock, so much has to have been read, each time and in all.
const LEAST_BYTES_EACH: u64 = 16 * 1024;
const LEAST_BYTES: u64 = 4 << 20;

/// The same file is read again and again, which costs time but no memory.
pub(super) fn readings(story: &Story) -> Vec<Finding> {
    let mut files = story.growth.by_file();
    files.retain(|file| took_time(story, file));
    files.sort_by_key(|file| std::cmp::Reverse(file.openings.time));
    let told = files.into_iter().take(MOST);
    told.map(|file| repeated_reading(story, file)).collect()
}

fn took_time(story: &Story, file: &FileGrowth) -> bool {
    let openings = &file.openings;
    if file.by_one.opens < OPENS || is_the_kernels(&file.path) || made_grow(story, file) {
        return false;
    }
    let clock = story.growth.last_event();
    match clock.filter(|_| closings_are_seen(story)) {
        Some(run) => {
            // What each of many programs does once nobody can do less often: the time of the one
            // that did it most often counts, as far as the mean tells it.
            let by_one = file.by_one.opens.min(file.opens);
            let by_one = by_one as f64 / file.opens.max(1) as f64;
            // Not as a Duration, which ends where a forged log's times do.
            let seconds = openings.time.as_secs_f64() * by_one;
            let share_of = |whole: Duration| seconds / whole.as_secs_f64();
            seconds >= LEAST.as_secs_f64()
                && openings.time >= LEAST_EACH.saturating_mul(clamped(file.opens))
                && share_of(openings.span) >= SHARE_OF_SPAN
                && (seconds >= LONG.as_secs_f64()
                    || file.by_one.opens >= OFTEN
                    || share_of(run) >= SHARE_OF_RUN)
        }
        None => {
            file.by_one.opens >= OFTEN
                && openings.read_bytes >= LEAST_BYTES
                && openings.mean_read_bytes() >= Some(LEAST_BYTES_EACH)
        }
    }
}

/// Asked again, the kernel has something else to say.
fn is_the_kernels(path: &[u8]) -> bool {
    path.starts_with(b"/proc/") || path.starts_with(b"/sys/")
}

fn clamped(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// What the finding `repeated-reading` says of a file, whether or not its time alone is worth
/// telling: for whoever knows what reading this one costs.
pub fn repeated_reading(story: &Story, file: &FileGrowth) -> Finding {
    let path = String::from_utf8_lossy(&file.path).into_owned();
    let openings = &file.openings;
    let seconds = seconds(story, file);
    let mut message = opened(&path, file);
    if let Some(seconds) = seconds {
        let each = Seconds(seconds / file.opens.max(1) as f64);
        message += &format!(", and was open for {} in all, {each} each time", Seconds(seconds));
    }
    // A log need not have the calls by which memory comes.
    let seen = |syscall| story.tally.get(syscall).calls > 0;
    let memory_seen = seen(Syscall::Brk) || seen(Syscall::Mmap) || seen(Syscall::Mremap);
    let closed = closings_are_seen(story);
    message += match (openings.grown, memory_seen, seconds) {
        (_, true, _) if !closed => {
            ". No close was seen, so its cost isn't known, in memory or in time."
        }
        (0, false, Some(_)) => ". No brk or mmap was seen: what is known to be spent is time.",
        (0, false, None) => ". Neither memory calls nor times were seen: its cost isn't known.",
        (0, true, Some(_)) => ". It cost no memory, but time.",
        (0, true, None) => ". It cost no memory; how much time, the log doesn't tell.",
        (_, _, Some(_)) => ". Memory didn't grow at most of the openings: it costs time.",
        (_, _, None) => {
            ". Memory didn't grow at most of the openings; how much time it cost, the log doesn't \
             tell."
        }
    };
    Finding::new("repeated-reading", Severity::Warning, message)
        .evidence("path", path)
        .evidence("openings", file.opens)
        .evidence("openings_grown", closed.then_some(openings.grown))
        .evidence("bytes", read_bytes(file))
        .evidence("seconds", seconds)
        .remedy("Have the program read it once and keep what it makes of it.")
}

/// What was read of a file in all, as far as it is known.
fn read_bytes(file: &FileGrowth) -> Option<u64> {
    (file.openings.read_known > 0).then_some(file.openings.read_bytes)
}

/// Whether it is known when a file ceased to be read: a log need not have the calls that tell.
fn closings_are_seen(story: &Story) -> bool {
    story.tally.get(Syscall::Close).calls > 0
}

/// How long a file was being read, where there is a clock.
fn seconds(story: &Story, file: &FileGrowth) -> Option<f64> {
    let clock = story.growth.last_event();
    let clock = clock.filter(|_| closings_are_seen(story));
    clock.map(|_| file.openings.time.as_secs_f64())
}

//! The raw results, as they are kept, and the table.

use crate::campaign::{Measurements, fault_lines};
use crate::testbed::{Testbed, Versions};
use heap_meter::report::{CsvRow, rows_csv};
use human_text::Bytes;
use proc_memory::Snapshot;
use ptmalloc::HeapState;
use roots::Release;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

const HEADING: &str = "\
                                               furthest of the runs
release       glibc  program                  predicted  given back  difference
";

#[derive(Debug, Serialize, Deserialize)]
pub struct Predictions {
    pub method: BTreeMap<String, String>,
    pub parameters: Value,
    pub places: Vec<PlacePredictions>,
    /// What was skipped, and why.
    pub notes: Vec<String>,
}

/// What was measured in one place, and what is wrong with it.
#[derive(Debug, Serialize, Deserialize)]
pub struct PlacePredictions {
    name: String,
    faults: Vec<String>,
    pub programs: Vec<ProgramPredictions>,
    #[serde(flatten)]
    versions: Versions,
}

/// The runs of one program in one place.
#[derive(Debug, Serialize, Deserialize)]
pub struct ProgramPredictions {
    pub name: String,
    /// The prediction that is furthest from what came; one that isn't known is as far as can be.
    pub worst: Option<Prediction>,
    pub runs: Vec<TrimRun>,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct TrimRun {
    #[serde(flatten)]
    pub prediction: Prediction,
    /// Whose malloc it was found to be.
    pub allocator: Option<String>,
    pub examined_seconds: f64,
    /// Just before the look, and after malloc_trim.
    pub before: Snapshot,
    pub after: Snapshot,
    /// What malloc kept, if that is known.
    pub malloc: Value,
}

/// What malloc_trim was to give back, and what it gave.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Prediction {
    /// None if it wasn't known.
    pub predicted_bytes: Option<u64>,
    /// The resident memory that went.
    pub given_back_bytes: i64,
    /// By how much too much was predicted.
    difference_bytes: Option<i64>,
    /// Why it wasn't known.
    pub unknown: Option<String>,
}

impl Prediction {
    /// What was read from outside, against what came.
    pub fn of(state: Result<&HeapState, &String>, given_back_bytes: i64) -> Self {
        let predicted_bytes = state.ok().and_then(|state| state.returnable_bytes);
        let unknown = match state {
            Err(reason) => Some(reason.clone()),
            Ok(state) if predicted_bytes.is_none() => {
                state.arenas.iter().find_map(|arena| arena.unknown.clone())
            }
            Ok(_) => None,
        };
        Self {
            predicted_bytes,
            given_back_bytes,
            difference_bytes: predicted_bytes.map(|bytes| bytes.cast_signed() - given_back_bytes),
            unknown,
        }
    }
}

impl ProgramPredictions {
    pub fn of(name: &str, runs: Vec<TrimRun>) -> Self {
        let predictions = runs.iter().map(|run| &run.prediction);
        let worst = predictions.max_by_key(|prediction| {
            let difference = prediction.difference_bytes;
            difference.map_or(u64::MAX, i64::unsigned_abs)
        });
        Self { name: name.to_owned(), worst: worst.cloned(), runs }
    }
}

impl PlacePredictions {
    pub fn of(place: &Testbed, versions: Versions, programs: Vec<ProgramPredictions>) -> Self {
        let is_released = is_released(place.name());
        let faults = programs.iter().flat_map(|program| program.faults(is_released));
        Self { name: place.name().to_owned(), faults: faults.collect(), versions, programs }
    }

    fn rows(&self) -> impl Iterator<Item = String> {
        let is_released = is_released(&self.name);
        self.programs.iter().filter_map(move |program| {
            let worst = program.worst.as_ref()?;
            let predicted = match worst.predicted_bytes {
                Some(bytes) => Bytes(bytes).to_string(),
                None => "unknown".to_owned(),
            };
            Some(format!(
                "{:<13} {:<6} {:<22} {predicted:>11} {:>11} {:>11}  {}\n",
                self.name,
                self.versions["glibc"],
                program.name,
                signed(worst.given_back_bytes),
                worst.difference_bytes.map_or_else(String::new, signed),
                word(worst.predicted_bytes, worst.given_back_bytes, is_released),
            ))
        })
    }
}

impl Measurements for Predictions {
    const NAME: &'static str = "predictions";

    /// A line for each program in each place, the faults, and the notes.
    fn table(&self) -> String {
        let mut text = HEADING.to_owned();
        text.extend(self.places.iter().flat_map(PlacePredictions::rows));
        let faults = self.places.iter().flat_map(|place| {
            let faults = place.faults.iter();
            faults.map(|fault| (place.name.as_str(), fault.clone()))
        });
        text += &fault_lines("WRONG", faults);
        text.extend(self.notes.iter().map(|note| format!("\n{note}\n")));
        text
    }

    fn verdict(&self) -> Option<String> {
        let faults: usize = self.places.iter().map(|place| place.faults.len()).sum();
        (faults > 0).then(|| format!("{faults} predictions don't hold: see above"))
    }

    fn other_files(&self) -> Vec<(&'static str, String)> {
        vec![("txt", self.table()), ("csv", self.csv())]
    }
}

impl ProgramPredictions {
    fn faults(&self, is_released: bool) -> impl Iterator<Item = String> {
        self.runs.iter().filter_map(move |run| {
            let Prediction { predicted_bytes, given_back_bytes, ref unknown, .. } = run.prediction;
            let what = fault(predicted_bytes, given_back_bytes, is_released)?;
            let why = unknown.as_ref().map(|why| format!(": {why}"));
            Some(format!("{}: {what}{}", self.name, why.unwrap_or_default()))
        })
    }
}

impl Predictions {
    fn csv(&self) -> String {
        let mut rows = Vec::new();
        for place in &self.places {
            for program in &place.programs {
                rows.extend((1_usize..).zip(&program.runs).map(|(number, run)| {
                    CsvRow::new()
                        .field("place", &*place.name)
                        .field("glibc", &*place.versions["glibc"])
                        .field("program", &*program.name)
                        .field("run", number)
                        .field("predicted_bytes", run.prediction.predicted_bytes)
                        .field("given_back_bytes", run.prediction.given_back_bytes)
                        .field("difference_bytes", run.prediction.difference_bytes)
                }));
            }
        }
        rows_csv(rows).expect("all rows have the same plain fields")
    }
}

/// Whether a place's glibc is one that has been released for long: one that has to be known.
fn is_released(place: &str) -> bool {
    place != Release::Sid.name()
}

fn signed(bytes: i64) -> String {
    let sign = if bytes < 0 { "−" } else { "" };
    format!("{sign}{}", Bytes(bytes.unsigned_abs()))
}

/// A prediction may be off by so much of what was given back …
const ALLOWED_PERCENT: i64 = 1;

/// … or by so much.
const ALLOWED_BYTES: i64 = 256 << 10;

/// Less than this given back and nothing is shown by it: by the released programs more is. (Newer
/// nginx parses the bundle once.)
const LEAST_BYTES: i64 = 4 << 20;

/// What is wrong with a prediction; `None` if it holds. With a glibc that isn't released nothing has
/// to be known, but what is said has to be right.
fn fault(predicted: Option<u64>, given_back: i64, is_released: bool) -> Option<String> {
    if is_released && given_back < LEAST_BYTES {
        return Some(format!("only {given_back} bytes were given back: that shows nothing"));
    }
    match predicted {
        None if is_released => Some("it isn't known what malloc_trim would give back".to_owned()),
        None => None,
        Some(predicted) if is_right(predicted.cast_signed(), given_back) => None,
        Some(predicted) => Some(format!("{predicted} bytes predicted, {given_back} given back")),
    }
}

fn is_right(predicted: i64, given_back: i64) -> bool {
    (predicted - given_back).abs() <= ALLOWED_BYTES.max(given_back * ALLOWED_PERCENT / 100)
}

/// In a word, for the table.
fn word(predicted: Option<u64>, given_back: i64, is_released: bool) -> &'static str {
    match fault(predicted, given_back, is_released) {
        Some(_) => "WRONG",
        None if predicted.is_none() => "unknown",
        None => "right",
    }
}

#[cfg(test)]
mod tests {
    use super::{ALLOWED_BYTES, LEAST_BYTES, fault};

    const BACK: i64 = 200 << 20;

    #[test]
    fn a_percent_or_256_kib_is_near_enough() {
        let predicted = |off: i64, given_back: i64| {
            fault(Some((given_back + off).cast_unsigned()), given_back, true).is_none()
        };
        assert!(predicted(BACK / 100, BACK));
        assert!(predicted(-BACK / 100, BACK));
        assert!(!predicted(BACK / 100 + 1, BACK));
        assert!(predicted(ALLOWED_BYTES, LEAST_BYTES));
        assert!(!predicted(-ALLOWED_BYTES - 1, LEAST_BYTES));
    }

    #[test]
    fn only_an_unreleased_glibc_may_be_unknown() {
        assert!(fault(None, BACK, true).is_some());
        assert!(fault(None, BACK, false).is_none());
        assert!(fault(Some(0), BACK, false).is_some());
    }

    #[test]
    fn nothing_given_back_shows_nothing() {
        assert!(fault(Some(0), 0, true).is_some());
        assert!(fault(Some(0), 0, false).is_none());
    }
}

//! Any events in any order: nothing panics and the sums agree. Fuzzing goes on where this ends.

use fuzz_events::{Random, check_story, events_of, mutated};
use heap_growth::Story;
use heap_meter::report;
use heap_meter::trace::{EventSource, Trace};
use proptest::collection::vec;
use proptest::prelude::*;
use strace_log::StraceLog;
use suite as _;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn any_events_have_a_story(bytes in vec(any::<u8>(), 0..4000)) {
        check_story(&events_of(&bytes));
    }
}

/// As `brkhole explain` reports what it has read.
#[test]
fn thousands_of_mutated_logs_have_a_report() {
    let logs = ["annotated", "attach", "old", "seed"].map(|name| {
        let seeds = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/seeds/strace_log");
        std::fs::read(format!("{seeds}/{name}")).unwrap()
    });
    let mut random = Random(20161104);
    for _ in 0..suite::rounds(2_000, 10_000) {
        let mut story = Story::default();
        story.growth.keep_layout();
        let mut reader = StraceLog::new(story);
        // Errors are fine, too.
        let _ = reader.read("log.12", &mutated(&logs, &mut random)[..]);
        let trace = Trace::of(&reader.finish().sink, EventSource::StraceLog, None);
        for text in [
            report::trace_table(&trace, report::Extent::TEXT).to_string(),
            report::json(&trace).unwrap(),
            report::trace_csv(&trace).unwrap(),
        ] {
            assert!(!text.is_empty());
        }
    }
}

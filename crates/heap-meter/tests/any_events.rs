//! Any events in any order: nothing panics and the sums agree. Fuzzing goes on where this ends.

use suite as _;

#[path = "common/any_events.rs"]
mod any_events;

use proptest::collection::vec;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn any_events_have_a_story(bytes in vec(any::<u8>(), 0..4000)) {
        any_events::check(&any_events::of(&bytes));
    }
}

//! Days of decisions, without waiting for one.

use super::*;
use proptest::prelude::*;

const MINUTE: Duration = Duration::from_secs(60);
const MIB: u64 = 1 << 20;
const ABOVE: u64 = 256 * MIB;
const DAY: u32 = 24 * 60;

/// A process in use of a GiB, with what it keeps beside that.
struct Simulated {
    key: ProcessKey,
    kept_bytes: u64,
}

impl Simulated {
    fn new(pid: i32) -> Self {
        Self { key: ProcessKey { pid, started_ticks: 7 }, kept_bytes: 0 }
    }

    fn seen(&self) -> Sighting {
        let (key, kept) = (self.key, self.kept_bytes);
        Sighting { key, rss_bytes: (1 << 30) + kept, returnable_bytes: kept }
    }

    /// Gives back all that it keeps, if it is due.
    fn looked_at(&mut self, schedule: &mut Schedule, now: Duration) -> bool {
        let seen = self.seen();
        let is_due = schedule.is_due(now, &seen);
        if is_due {
            let returned_bytes = std::mem::take(&mut self.kept_bytes);
            let given = GivenBack { returned_bytes, rss_after_bytes: 1 << 30 };
            schedule.attempted(now, &seen, Some(given));
        }
        is_due
    }
}

/// The minutes of a day at which it is trimmed, if it keeps this in each.
fn day(mut kept: impl FnMut(u32, u64) -> u64) -> (Vec<u32>, Schedule) {
    let mut schedule = Schedule::new(MINUTE, ABOVE);
    let mut process = Simulated::new(1);
    let minutes = (0..DAY).filter(|&minute| {
        process.kept_bytes = kept(minute, process.kept_bytes);
        schedule.forget(MINUTE * minute);
        process.looked_at(&mut schedule, MINUTE * minute)
    });
    (minutes.collect(), schedule)
}

#[test]
fn what_comes_back_at_once_is_trimmed_ever_more_seldom() {
    let (minutes, schedule) = day(|_, _| 300 * MIB);
    assert_eq!(minutes[..8], [0, 2, 6, 14, 30, 62, 126, 190]);
    assert_eq!(minutes.len(), 27);
    // Whether the last was in vain isn't known before the next look.
    assert_eq!((schedule.in_vain, schedule.backed_off()), (27, 1));
}

#[test]
fn what_comes_back_hours_later_is_trimmed_each_time() {
    let (minutes, schedule) = day(|minute, kept| match minute % 120 {
        0 => 300 * MIB,
        _ => kept,
    });
    assert_eq!(minutes, (0..12).map(|hours| hours * 120).collect::<Vec<_>>());
    assert_eq!((schedule.in_vain, schedule.backed_off()), (0, 0));
}

#[test]
fn once_it_helps_it_is_forgiven() {
    // Busy in the first twelve hours; then it fills up every ten minutes.
    let (minutes, schedule) = day(|minute, kept| match minute {
        minute if minute < DAY / 2 || minute % 10 == 0 => 300 * MIB,
        _ => kept,
    });
    let late: Vec<_> = minutes.iter().filter(|minute| **minute > DAY * 3 / 4).collect();
    assert_eq!(late.len() as u32, DAY / 40 - 1, "{late:?}");
    assert_eq!(schedule.backed_off(), 0);
}

#[test]
fn what_is_refused_or_gives_nothing_is_tried_ever_more_seldom() {
    for given in [None, Some(GivenBack { returned_bytes: MIB, rss_after_bytes: 1 << 30 })] {
        let mut schedule = Schedule::new(MINUTE, ABOVE);
        let mut process = Simulated::new(1);
        process.kept_bytes = 300 * MIB;
        let tries = (0..DAY).filter(|&minute| {
            let (now, seen) = (MINUTE * minute, process.seen());
            let is_due = schedule.is_due(now, &seen);
            if is_due {
                schedule.attempted(now, &seen, given);
            }
            is_due
        });
        assert_eq!(tries.take(4).collect::<Vec<_>>(), [0, 2, 6, 14], "{given:?}");
        assert_eq!(schedule.in_vain, if given.is_some() { 4 } else { 0 });
    }
}

#[test]
fn what_it_may_keep_is_left() {
    assert_eq!(day(|_, _| ABOVE).0, [0_u32; 0]);
    assert_eq!(day(|minute, _| ABOVE + u64::from(minute / 100)).0[0], 100);
}

/// Another program that was given the number isn't made to wait for the first one.
#[test]
fn a_number_is_no_process() {
    let mut schedule = Schedule::new(MINUTE, ABOVE);
    let mut process = Simulated::new(1);
    for started_ticks in 0..1000 {
        process.key.started_ticks = started_ticks;
        process.kept_bytes = 300 * MIB;
        let now = MINUTE * started_ticks as u32;
        assert!(process.looked_at(&mut schedule, now));
        schedule.forget(now);
        assert!(schedule.waits.len() <= MOST_INTERVALS as usize + 1);
    }
}

proptest! {
    /// Whatever they keep and whenever they are looked at: none is trimmed twice within an interval,
    /// or below what it may keep, and none that always keeps too much is left alone for longer than
    /// the longest wait and the pause between two looks.
    #[test]
    fn at_most_once_an_interval_and_never_forgotten(
        looks in prop::collection::vec((1_u64..150, prop::collection::vec(0..600 * MIB, 3)), 1..300),
    ) {
        let mut schedule = Schedule::new(MINUTE, ABOVE);
        let mut processes: Vec<_> = (0..4).map(Simulated::new).collect();
        let mut last = [None; 4];
        let (mut now, mut longest_pause) = (Duration::ZERO, Duration::ZERO);
        for (pause, kept) in looks {
            now += Duration::from_secs(pause);
            longest_pause = longest_pause.max(Duration::from_secs(pause));
            schedule.forget(now);
            for (number, process) in processes.iter_mut().enumerate() {
                process.kept_bytes = kept.get(number).map_or(300 * MIB, |kept| *kept);
                let kept_bytes = process.kept_bytes;
                if process.looked_at(&mut schedule, now) {
                    prop_assert!(kept_bytes > ABOVE);
                    prop_assert!(last[number].is_none_or(|last| now - last >= MINUTE));
                    last[number] = Some(now);
                }
            }
            let fat = last[3].expect("it is due at the first look");
            prop_assert!(now - fat <= MINUTE * MOST_INTERVALS + longest_pause);
        }
    }
}

#[test]
fn an_interval_of_ages() {
    let mut schedule = Schedule::new(Duration::MAX, 0);
    let seen = Simulated { kept_bytes: ABOVE, ..Simulated::new(1) }.seen();
    assert!(schedule.is_due(MINUTE, &seen));
    schedule.attempted(MINUTE, &seen, None);
    schedule.forget(MINUTE);
    assert!(!schedule.is_due(MINUTE * 2, &seen));
}

//! How long to wait between attempts.

use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

const FIRST: Duration = Duration::from_millis(5);
const LONGEST: Duration = Duration::from_millis(300);

/// Pauses that grow, until patience is over. None is predictable, so that a program that does
/// something at equal intervals isn't met at the same place each time.
pub(super) struct Pauses {
    until: Instant,
    next: Duration,
    dice: RandomState,
}

impl Pauses {
    pub(super) fn new(patience: Duration) -> Self {
        Self {
            // Somebody with patience for centuries gets some.
            until: Instant::now() + patience.min(Duration::from_secs(1 << 30)),
            next: FIRST,
            dice: RandomState::new(),
        }
    }

    /// What is left of the patience.
    pub(super) fn left(&self) -> Duration {
        self.until.saturating_duration_since(Instant::now())
    }
}

impl Iterator for Pauses {
    type Item = Duration;

    /// `None` when patience is over.
    fn next(&mut self) -> Option<Duration> {
        let left = self.left();
        if left.is_zero() {
            return None;
        }
        let share = (self.dice.hash_one(left) % 1000) as u32;
        let pause = self.next / 2 + self.next * share / 1000;
        self.next = (self.next * 3 / 2).min(LONGEST);
        Some(pause.min(left))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_grow_and_end() {
        let pauses: Vec<_> = Pauses::new(Duration::from_secs(60)).take(40).collect();
        assert!(pauses[0] >= FIRST / 2 && pauses[0] <= FIRST * 3 / 2);
        assert!(pauses[39] >= LONGEST / 2 && pauses[39] <= LONGEST * 3 / 2);
        assert_eq!(Pauses::new(Duration::ZERO).next(), None);
    }
}

//! What sources tell late, put back into the order of its times.

use std::collections::BTreeMap;

/// Holds things back until whoever knows says that nothing older can come any more.
///
/// ```
/// let mut order = memory_event::TimeOrder::default();
/// for (at_ns, what) in [(30, 'd'), (10, 'a'), (20, 'c'), (10, 'b')] {
///     order.hold(at_ns, what);
/// }
/// assert_eq!(order.older_than(30).collect::<String>(), "abc");
/// assert_eq!(order.rest().collect::<String>(), "d");
/// ```
#[derive(Debug)]
pub struct TimeOrder<T> {
    held: BTreeMap<(u64, u64), T>,
    /// So that what is of equal time keeps its order.
    arrived: u64,
}

impl<T> Default for TimeOrder<T> {
    fn default() -> Self {
        Self { held: BTreeMap::new(), arrived: 0 }
    }
}

impl<T> TimeOrder<T> {
    /// Takes what happened at this time, in nanoseconds of any one clock.
    pub fn hold(&mut self, at_ns: u64, what: T) {
        self.held.insert((at_ns, self.arrived), what);
        self.arrived += 1;
    }

    /// All that is older than this, oldest first; of equal times, what came first.
    pub fn older_than(&mut self, at_ns: u64) -> impl Iterator<Item = T> + use<T> {
        let younger = self.held.split_off(&(at_ns, 0));
        std::mem::replace(&mut self.held, younger).into_values()
    }

    /// All that is left, in the same order.
    pub fn rest(&mut self) -> impl Iterator<Item = T> + use<T> {
        std::mem::take(&mut self.held).into_values()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn oldest_first_and_the_order_of_arrival_among_equals() {
        let mut order = TimeOrder::default();
        for (at_ns, tid) in [(30, 1), (10, 2), (20, 3), (10, 4)] {
            order.hold(at_ns, tid);
        }
        assert_eq!(order.older_than(30).collect::<Vec<_>>(), [2, 4, 3]);
        order.hold(25, 5);
        assert_eq!(order.older_than(u64::MAX).collect::<Vec<_>>(), [5, 1]);
    }
}

//! Records in the order of their times.

use std::collections::BTreeMap;

use crate::record::Record;

/// Holds records back until none can come that is older.
///
/// A record bears the time at which its program had a place for it. So whatever gets a place later
/// is younger: once a drain that began at some time has found everything written, all that is older
/// than that time is there. A record that is still being written holds the rest up, not out of
/// order.
#[derive(Debug, Default)]
pub struct Order {
    held: BTreeMap<(u64, u64), Record>,
    /// So that those of equal time keep the ring's order.
    arrived: u64,
}

impl Order {
    pub fn hold(&mut self, record: Record) {
        self.held.insert((record.at_ns, self.arrived), record);
        self.arrived += 1;
    }

    /// All that are older than this.
    pub fn older_than(&mut self, at_ns: u64) -> impl Iterator<Item = Record> {
        let younger = self.held.split_off(&(at_ns, 0));
        std::mem::replace(&mut self.held, younger).into_values()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Seen;

    fn record(at_ns: u64, tid: u32) -> Record {
        let what = Seen::Exited { status: 0, process_status: None };
        Record { at_ns, pid: 1, tid, what }
    }

    #[test]
    fn oldest_first_and_the_rings_order_among_equals() {
        let mut order = Order::default();
        for (at_ns, tid) in [(30, 1), (10, 2), (20, 3), (10, 4)] {
            order.hold(record(at_ns, tid));
        }
        let tids: Vec<_> = order.older_than(30).map(|record| record.tid).collect();
        assert_eq!(tids, [2, 4, 3]);
        order.hold(record(25, 5));
        let tids: Vec<_> = order.older_than(u64::MAX).map(|record| record.tid).collect();
        assert_eq!(tids, [5, 1]);
    }
}

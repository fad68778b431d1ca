//! One ring for every CPU, and the order of what comes out of them.

use std::os::fd::BorrowedFd;
use std::{fs, io};

use memory_event::TimeOrder;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::AttachError;
use super::perf::{Attr, PerfEvent, Ring, Whose};
use super::points::Points;
use super::sample_record::{SampleRecord, parse};

/// All rings together, in bytes, on a machine with few CPUs; more CPUs share it.
const ALL_RINGS_BYTES: usize = 16 << 20;
const LARGEST_BYTES: usize = 4 << 20;
const SMALLEST_BYTES: usize = 128 << 10;

/// The rings, with the CPUs they belong to.
#[derive(Debug)]
pub(super) struct Rings {
    rings: Vec<(i32, Ring)>,
    scratch: Vec<u8>,
}

impl Rings {
    /// Makes them. `ring_bytes`: how large each, a power of two of at least a page; `None` for a
    /// size that suits the machine, so many times larger than the usual one, and halved where the user
    /// may not lock that much memory.
    pub(super) fn new(ring_bytes: Option<usize>, times: usize) -> Result<Self, AttachError> {
        let cpus = online_cpus().map_err(AttachError::setup(
            "read which CPUs there are from /sys/devices/system/cpu/online",
        ))?;
        let page_bytes = proc_memory::page_size_bytes() as usize;
        let share = ALL_RINGS_BYTES / cpus.len().max(1);
        let largest = share.clamp(SMALLEST_BYTES, LARGEST_BYTES) * times;
        let mut bytes = match ring_bytes {
            Some(bytes) => bytes.max(page_bytes).next_power_of_two(),
            None => 1 << largest.ilog2(),
        };
        let mut rings = Vec::with_capacity(cpus.len());
        for cpu in cpus {
            let ring = loop {
                match Ring::new(Points::ring(bytes), cpu, bytes) {
                    Err(error)
                        if error.raw_os_error() == Some(libc::EPERM)
                            && ring_bytes.is_none()
                            && bytes > page_bytes =>
                    {
                        bytes /= 2;
                    }
                    ring => break ring,
                }
            };
            match ring {
                Ok(ring) => rings.push((cpu, ring)),
                // Taken offline since.
                Err(error) if error.raw_os_error() == Some(libc::ENODEV) => {}
                Err(error) => return Err(AttachError::tracepoints("a ring for records", error)),
            }
        }
        Ok(Self { rings, scratch: Vec::new() })
    }

    pub(super) fn cpus(&self) -> usize {
        self.rings.len()
    }

    /// Opens an event on every CPU.
    pub(super) fn open(
        &self,
        attr: Attr,
        whose: Whose<'_>,
        into: &mut Vec<PerfEvent>,
    ) -> io::Result<()> {
        for (cpu, ring) in &self.rings {
            let event = PerfEvent::open(attr, whose, *cpu)?;
            event.write_to(ring)?;
            into.push(event);
        }
        Ok(())
    }

    /// Takes all records that are there now; those of one CPU in their order.
    pub(super) fn drain(&mut self, points: &Points, mut take: impl FnMut(SampleRecord)) {
        for (_, ring) in &self.rings {
            ring.drain(&mut self.scratch, |bytes| {
                if let Some(record) = parse(bytes, points) {
                    take(record);
                }
            });
        }
    }

    /// Waits until a ring wants to be drained, the bell rings, or so many milliseconds have gone.
    pub(super) fn wait(&self, bell: BorrowedFd<'_>, milliseconds: u8) {
        let mut fds = vec![PollFd::new(bell, PollFlags::POLLIN)];
        fds.extend(self.rings.iter().map(|(_, ring)| PollFd::new(ring.fd(), PollFlags::POLLIN)));
        // Interrupted or not: the next round looks at everything anyway.
        let _ = poll(&mut fds, PollTimeout::from(milliseconds));
    }
}

/// Puts the records of all CPUs into the order in which they happened.
///
/// A record can be written a little after the time that it bears, and a thread can move to
/// another CPU in between. So a record is held back until it is older than the beginning of the
/// round of draining *before* this one, and than a millisecond: by then every ring has been
/// drained of whatever came before it.
#[derive(Debug)]
pub(super) struct Order<T> {
    held: TimeOrder<T>,
    previous_round_ns: u64,
}

impl<T> Default for Order<T> {
    fn default() -> Self {
        Self { held: TimeOrder::default(), previous_round_ns: 0 }
    }
}

impl<T> Order<T> {
    const SLACK_NS: u64 = 1_000_000;

    pub(super) fn hold(&mut self, at_ns: u64, what: T) {
        self.held.hold(at_ns, what);
    }

    /// What is ripe after a round that began at this time, oldest first.
    pub(super) fn ripe(&mut self, round_ns: u64) -> impl Iterator<Item = T> + use<T> {
        let horizon = self.previous_round_ns.min(round_ns.saturating_sub(Self::SLACK_NS));
        self.previous_round_ns = round_ns;
        self.held.older_than(horizon)
    }

    pub(super) fn rest(&mut self) -> impl Iterator<Item = T> + use<T> {
        self.held.rest()
    }
}

/// Reads a list such as `0-3,5`.
fn online_cpus() -> io::Result<Vec<i32>> {
    let list = fs::read_to_string("/sys/devices/system/cpu/online")?;
    let unreadable = || io::Error::new(io::ErrorKind::InvalidData, format!("{list:?}"));
    cpu_list(&list).ok_or_else(unreadable)
}

fn cpu_list(list: &str) -> Option<Vec<i32>> {
    let mut cpus = Vec::new();
    for part in list.trim().split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (i32, i32) = (first.parse().ok()?, last.parse().ok()?);
        cpus.extend(first..=last);
    }
    Some(cpus)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_cpus() {
        assert_eq!(cpu_list("0\n"), Some(vec![0]));
        assert_eq!(cpu_list("0-2,5\n"), Some(vec![0, 1, 2, 5]));
        assert_eq!(cpu_list("none\n"), None);
    }

    #[test]
    fn late_records_find_their_place() {
        let ms = 1_000_000;
        let mut order = Order::default();
        order.hold(10 * ms, 'b');
        assert_eq!(order.ripe(11 * ms).count(), 0, "no round before this one");
        order.hold(9 * ms, 'a');
        order.hold(12 * ms, 'd');
        order.hold(10 * ms, 'c');
        let ripe: String = order.ripe(15 * ms).collect();
        assert_eq!(ripe, "abc", "and in order of arrival at the same time");
        assert_eq!(order.rest().collect::<String>(), "d");
    }
}

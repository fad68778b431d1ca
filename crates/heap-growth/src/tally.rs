//! How often each call was made, and how often it failed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, Serializer};

use memory_event::{Event, Sink, Syscall, What};

/// Calls and failures of one syscall.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// How often it came back.
    pub calls: u64,
    /// How often without having done what was asked (see [`Call::failed`](memory_event::Call::failed)).
    pub failed: u64,
}

/// Calls and failures per syscall, over all processes and threads.
///
/// The numbers are those of `strace -f -c`, but for two: `brk` counts refusals as failed, which
/// strace doesn't see, and `execve` lacks the call that began the first program and may hold
/// those made by `execveat`.
///
/// In JSON: `{"brk":{"calls":3,"failed":0},…}`, sorted by name, without calls that never came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    counts: [Counts; Syscall::ALL.len()],
}

impl Tally {
    /// Counts of one syscall; zeros if it was never made.
    pub fn get(&self, syscall: Syscall) -> Counts {
        self.counts[syscall as usize]
    }

    /// All syscalls that were made, sorted by name.
    pub fn by_name(&self) -> BTreeMap<&'static str, Counts> {
        let all = Syscall::ALL.into_iter().map(|syscall| (syscall.name(), self.get(syscall)));
        all.filter(|(_, counts)| counts.calls > 0).collect()
    }

    /// Adds what another run, or another part of this one, counted.
    pub fn add(&mut self, other: &Self) {
        for (mine, others) in self.counts.iter_mut().zip(&other.counts) {
            mine.calls += others.calls;
            mine.failed += others.failed;
        }
    }

    fn count(&mut self, syscall: Syscall, failed: bool) {
        let counts = &mut self.counts[syscall as usize];
        counts.calls += 1;
        counts.failed += u64::from(failed);
    }
}

impl Sink for Tally {
    fn take(&mut self, event: &Event) {
        match &event.what {
            What::Call(call) => self.count(call.syscall, call.failed()),
            What::Exec { by, .. } => self.count(*by, false),
            _ => {}
        }
    }
}

impl Serialize for Tally {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.by_name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use memory_event::Call;
    use std::time::Duration;

    fn call(syscall: Syscall, asked: u64, result: Result<u64, i32>) -> Event {
        let call = Call::new(syscall, [asked, 0, 0, 0, 0, 0], result);
        Event::new(1, 1, Duration::ZERO, What::Call(call))
    }

    #[test]
    fn counts_as_json() {
        let mut tally = Tally::default();
        tally.take(&call(Syscall::Openat, 0, Err(libc::ENOENT)));
        tally.take(&call(Syscall::Openat, 0, Ok(3)));
        tally.take(&call(Syscall::Brk, 0x26d_3000, Ok(0x26b_2000)));
        tally.take(&call(Syscall::Brk, 0, Ok(0x26b_2000)));
        let json = serde_json::to_string(&tally).unwrap();
        assert_eq!(json, r#"{"brk":{"calls":2,"failed":1},"openat":{"calls":2,"failed":1}}"#);
        let mut twice = tally.clone();
        twice.add(&tally);
        assert_eq!(twice.get(Syscall::Brk), Counts { calls: 4, failed: 2 });
    }
}

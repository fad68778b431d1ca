//! Events made of any bytes, such as no source would tell, and what is true of their story all the
//! same.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use heap_growth::Story;
use heap_meter::report;
use heap_meter::trace::{EventSource, Trace};
use memory_event::{
    Call, Ending, Event, Memory, Refusal, Resource, Sink, SoftLimit, Stack, Syscall, What,
};
use proc_memory::AddressSpace;

/// Addresses and lengths at which something begins or ends, and flags.
const NUMBERS: [u64; 16] = [
    0,
    1,
    4095,
    4096,
    128 << 10,
    1 << 20,
    64 << 20,
    128 << 20,
    0x0060_0000,
    0x7fff_f000,
    0x7f00_0000_0000,
    0x7fff_ffff_f000,
    1 << 56,
    1 << 63,
    u64::MAX - 4095,
    u64::MAX,
];

const PATHS: [&str; 5] = ["/etc/bundle", "/lib/libssl.so.3", "/dev/null", "", "/proc/self/maps"];

/// What stood in a refused break's way.
const MAPS: &str = "00600000-00700000 rw-p 00000000 00:00 0    [heap]\n\
                    00700000-00701000 r--p 00000000 00:00 0\n";

/// Bytes that are turned into events; when they are used up, they are zeros.
struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        *first
    }

    /// Mostly some pages beyond one of the numbers above; any other, too.
    fn number(&mut self) -> u64 {
        let kind = self.byte();
        if kind >= 0xf0 {
            return (0..8).fold(0, |number, _| number << 8 | u64::from(self.byte()));
        }
        let base = NUMBERS[usize::from(kind) % NUMBERS.len()];
        match kind / 16 {
            0..8 => base,
            8..12 => base.wrapping_add(4096 * u64::from(self.byte())),
            _ => u64::from(kind & 0xf).wrapping_sub(1),
        }
    }

    fn range(&mut self) -> Range<u64> {
        self.number()..self.number()
    }

    /// Few of them, so that they meet.
    fn id(&mut self) -> i32 {
        i32::from(self.byte() % 5)
    }

    fn some<T>(&mut self, value: impl FnOnce(&mut Self) -> T) -> Option<T> {
        (self.byte() % 2 == 1).then(|| value(self))
    }

    fn call(&mut self) -> Call {
        let syscall = Syscall::ALL[usize::from(self.byte()) % Syscall::ALL.len()];
        let mut args = [(); 6].map(|()| self.number());
        if syscall == Syscall::Mmap && self.byte().is_multiple_of(2) {
            args[3] = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS) as u64;
        }
        let result = match self.byte() % 8 {
            0 => Err(libc::ENOMEM),
            1 => Ok(args[0]),
            _ => Ok(self.number()),
        };
        Call::new(syscall, args, result)
            .with_path(self.some(|bytes| PATHS[usize::from(bytes.byte()) % PATHS.len()].into()))
            .with_stack(self.some(|bytes| {
                Arc::new(Stack::new(
                    vec![bytes.id().to_string().into(), "main".into()],
                    false,
                    bytes.some(Self::number),
                ))
            }))
    }

    fn refusal(&mut self) -> Refusal {
        let space = AddressSpace::parse(MAPS.as_bytes(), None).expect("it is a list of mappings");
        let mut refusal = Refusal::default();
        refusal.program_break = self.some(|_| space.program_break().cloned()).flatten();
        refusal.data_limit_bytes = self.some(Self::number);
        refusal.data_bytes = self.number();
        refusal.address_space_limit_bytes = self.some(Self::number);
        refusal.address_space_bytes = self.number();
        refusal
    }

    fn what(&mut self) -> What {
        match self.byte() % 16 {
            0 => What::Started,
            1 => What::Forked { child: self.id(), thread: self.byte() % 2 == 1 },
            2 => What::Exec { by: Syscall::Execve, former_tid: self.id() },
            3 => What::Exited(Ending::Code(0)),
            4 => What::Read { fd: self.id(), bytes: self.number() },
            5 => What::Refused(Box::new(self.refusal())),
            6 => {
                let ranges = [(); 3].map(|()| self.range());
                let mut memory = Memory::default();
                (memory.ranges, memory.program_break) = (ranges.to_vec(), self.some(Self::number));
                memory.executed_files = vec![PATHS[1].into()];
                What::Memory(memory)
            }
            7 => What::Line(self.number()),
            8 => What::Limit(SoftLimit {
                resource: match self.byte() % 2 {
                    0 => Resource::Data,
                    _ => Resource::AddressSpace,
                },
                bytes: self.some(Self::number),
            }),
            _ => What::Call(self.call()),
        }
    }
}

/// Reads events from bytes, until there are none left.
pub fn events_of(bytes: &[u8]) -> Vec<Event> {
    let mut bytes = Bytes(bytes);
    let mut events = Vec::new();
    while !bytes.0.is_empty() {
        let pid = bytes.id();
        let tid = bytes.some(Bytes::id).unwrap_or(pid);
        let at = match bytes.byte() {
            255 => Duration::from_secs(bytes.number()),
            short => Duration::from_millis(u64::from(short) * events.len() as u64),
        };
        let what = bytes.what();
        events.push(Event::new(pid, tid, at, what));
    }
    events
}

/// Tells a story of them, with all reports, and looks at the sums.
///
/// # Panics
/// If one of them isn't right.
pub fn check_story(events: &[Event]) {
    let mut story = Story::default();
    story.growth.keep_layout();
    for event in events {
        story.take(event);
    }
    let trace = Trace::of(&story, EventSource::StraceLog, None);
    let growth = &story.growth;
    // Sums stop at the greatest number there is.
    let whole = |bytes: u64| i64::try_from(bytes).ok();
    let balance = whole(growth.asked_bytes()).zip(whole(growth.returned_bytes()));
    if let Some((asked, returned)) = balance {
        assert_eq!(growth.by_kind().total(), asked - returned, "kinds");
        let of_files = growth.by_file().into_iter();
        let of_files = of_files.map(|file| file.asked_bytes as i64 - file.returned_bytes as i64);
        let all = of_files.sum::<i64>() + growth.without_file_bytes();
        assert_eq!(all, asked - returned, "files");
    }
    assert!(growth.peak().total() >= 0);
    // Of a log without the calls that tell of growth, none is told.
    assert!([None, Some(growth.by_kind().total())].contains(&trace.growth.bytes));
    for file in story.growth.by_file() {
        let openings = &file.openings;
        assert!(openings.grown <= openings.ended && openings.ended <= file.opens);
        let _ = heap_diagnosis::repeated_reading(&story, file).to_string();
    }
    if let Some(layout) = &story.growth.layout() {
        assert!(layout.parts.iter().all(|part| !part.range.is_empty()));
        assert!(layout.parts.is_sorted_by(|a, b| a.range.end <= b.range.start));
        let merged: u64 = layout.merged(10).iter().map(|(_, bytes)| bytes).sum();
        assert_eq!(merged as i64, layout.bytes().total());
        let panel = report::chart::Panel::new("", layout);
        assert!(report::chart::address_map("", &[panel]).contains("<svg"));
    }
    let sections = report::trace_table(&trace, report::Extent::PAGE);
    assert!(!sections.to_string().is_empty());
    let page = report::Page::new(sections, "", String::new()).html();
    // Its own, whatever was named.
    assert_eq!(page.matches("<script").count(), 1);
    assert!(report::trace_csv(&trace).is_ok());
    let json = report::json(&trace).expect("it can be written");
    serde_json::from_str::<serde_json::Value>(&json).expect("and read");
}

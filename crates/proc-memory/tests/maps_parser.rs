//! The parser of `/proc/PID/maps` against bytes that nobody chose.

use std::io::BufReader;

use proc_memory::{AddressSpace, Device, Mapping, Maps, MapsError, Permissions, parse_line};

use super::written::write_line;

/// xorshift64*: the same bytes in every run, so that a failure can be repeated.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() >> 33) as usize % bound
    }

    /// Small numbers and great ones alike.
    fn any_size(&mut self) -> u64 {
        self.next() >> self.below(64)
    }

    fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len())]
    }

    /// Bytes in which the parser's own separators are frequent.
    fn bytes(&mut self, up_to: usize) -> Vec<u8> {
        const FREQUENT: &[u8] = b"0123456789abcdef-:rwxps /[]\\\n \t()\0\xff";
        let length = self.below(up_to);
        (0..length)
            .map(|_| if self.below(8) == 0 { self.next() as u8 } else { *self.pick(FREQUENT) })
            .collect()
    }

    fn mapping(&mut self) -> Mapping {
        let (one, two) = (self.any_size(), self.any_size());
        let name: Vec<u8> = match self.below(4) {
            0 => Vec::new(),
            1 => b"[heap]".to_vec(),
            _ => [b"/".to_vec(), self.bytes(40)].concat(),
        };
        // A raw newline is escaped when written, so it is the one byte that does not come back.
        let name: Vec<u8> = name.into_iter().filter(|&byte| byte != b'\n').collect();
        let deleted = name.first() == Some(&b'/') && self.below(3) == 0;
        Mapping {
            start: one.min(two),
            end: one.max(two).max(one.min(two).saturating_add(1)),
            permissions: Permissions {
                read: self.below(2) == 0,
                write: self.below(2) == 0,
                execute: self.below(2) == 0,
                shared: self.below(2) == 0,
            },
            offset: self.any_size(),
            device: Device { major: self.any_size() as u32, minor: self.any_size() as u32 },
            inode: self.any_size(),
            name: name.into(),
            deleted,
        }
    }
}

fn print(mappings: &[Mapping]) -> Vec<u8> {
    let mut list = Vec::new();
    for mapping in mappings {
        write_line(mapping, &mut list).unwrap();
    }
    list
}

/// Reads to the end past every bad line and says how many mappings and errors there were.
fn exhaust(list: &[u8]) -> (usize, usize) {
    let mut maps = Maps::new(list);
    let (mut good, mut bad) = (0, 0);
    loop {
        match maps.next_mapping() {
            Ok(Some(_)) => good += 1,
            Ok(None) => return (good, bad),
            Err(_) => bad += 1,
        }
    }
}

#[test]
fn arbitrary_bytes_do_no_harm() {
    let mut random = Random(0x6272_6b68_6f6c_6500);
    for _ in 0..100_000 {
        let bytes = random.bytes(200);
        let _ = parse_line(&bytes);
        let (good, bad) = exhaust(&bytes);
        let lines = bytes.split_inclusive(|&byte| byte == b'\n').count();
        assert_eq!(good + bad, lines, "{bytes:?}");
        let _ = AddressSpace::parse(&*bytes, Some(random.any_size()));
    }
}

#[test]
fn damaged_lists_do_no_harm() {
    let mut random = Random(42);
    for _ in 0..20_000 {
        let mappings: Vec<Mapping> = (0..4).map(|_| random.mapping()).collect();
        let mut list = print(&mappings);
        for _ in 0..1 + random.below(4) {
            let position = random.below(list.len().max(1));
            match random.below(3) {
                _ if list.is_empty() => {}
                0 => list[position] = random.next() as u8,
                1 => drop(list.remove(position)),
                _ => list.truncate(position + 1),
            }
        }
        exhaust(&list);
        if let Ok(space) = AddressSpace::parse(&*list, Some(random.any_size())) {
            assert!(space.mappings().iter().all(|mapping| mapping.length_bytes() > 0));
        }
    }
}

#[test]
fn what_is_printed_is_read_back() {
    let mut random = Random(7);
    for _ in 0..5_000 {
        let count = random.below(12);
        let mut mappings: Vec<Mapping> = (0..count).map(|_| random.mapping()).collect();
        mappings.retain(|mapping| {
            // Names that the kernel's own format cannot tell from unlinked ones.
            mapping.start < mapping.end && (mapping.deleted || !ends_as_deleted(mapping))
        });
        let list = print(&mappings);
        // However the reader cuts it into pieces.
        let pieces = BufReader::with_capacity(1 + random.below(90), &*list);
        let space = AddressSpace::parse(pieces, None).unwrap();
        assert_eq!(space.mappings(), mappings);
        assert_eq!(print(space.mappings()), list);
    }
}

fn ends_as_deleted(mapping: &Mapping) -> bool {
    mapping.name.ends_with(b" (deleted)")
}

#[test]
fn the_error_names_the_line() {
    let list = b"1000-2000 r--p 00000000 00:00 0\n2000-x r--p 00000000 00:00 0\n";
    let error = AddressSpace::parse(&list[..], None).unwrap_err();
    assert!(matches!(error, MapsError::Line { line: 2, .. }));
    assert!(error.to_string().contains("line 2"), "{error}");
}

#[test]
fn a_line_without_end_is_refused_and_passed_over() {
    let endless = [&b"1000-2000 r--p 00000000 00:00 0 /"[..], &vec![b'x'; 10 << 20]].concat();
    assert_eq!(exhaust(&endless), (0, 1));
    let list = [&endless[..], b"\n1000-2000 r--p 00000000 00:00 0\n"].concat();
    assert_eq!(exhaust(&list), (1, 1));
    // The longest path there is, each byte of it escaped.
    let longest = [&b"1000-2000 r--p 00000000 00:00 0 /"[..], &b"\\012".repeat(4095)].concat();
    assert_eq!(exhaust(&longest), (1, 0));
}

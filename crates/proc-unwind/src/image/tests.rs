//! Files in which anything may stand: read within bounds, whatever they state.

use std::fs;
use std::sync::Arc;

use super::*;
use crate::images::UnwindImages;
#[cfg(target_arch = "x86_64")]
use crate::{memory::StackMemory, recover, space::Module};

/// A small program that every machine has.
const PROGRAM: &str = "/bin/true";

/// Numbers that look like none in particular; the same in each run.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) as usize % below
    }
}

/// Asks all that is asked of a file.
fn read(image: &Arc<UnwindImage>, address: u64) {
    let _ = image.code(address, 64);
    let _ = image.mark(address);
    let _ = image.elf.bias(0x7f00_0000_0000, address & !0xfff);
    let _ = image.is_beginning(address);
    #[cfg(target_arch = "x86_64")]
    {
        let module = Module { image: Arc::clone(image), bias: 0, main: false };
        let mut memory = StackMemory::of(std::process::id() as i32);
        let mut context = gimli::UnwindContext::new();
        let values = [Some(address); 17];
        let _ = recover::step(&module, address, &values, &mut context, &mut memory);
    }
}

#[test]
fn any_damage_is_survived() {
    let whole = fs::read(PROGRAM).unwrap();
    let mut numbers = Numbers(1);
    let (mut read_all_the_same, rounds) = (0, 3000);
    for round in 0..rounds {
        let mut bytes = whole.clone();
        // The headers are at both ends: every third round damages them alone.
        for _ in 0..1 + numbers.next(8) {
            let at = match round % 3 {
                0 => numbers.next(1024),
                1 => bytes.len() - 1 - numbers.next(2048),
                _ => numbers.next(bytes.len()),
            };
            bytes[at] = numbers.next(256) as u8;
        }
        if numbers.next(10) == 0 {
            bytes.truncate(numbers.next(whole.len()));
        }
        if let Ok(image) = UnwindImage::of(Content::Copy(bytes), 0, "damaged".into()) {
            read_all_the_same += 1;
            let image = Arc::new(image);
            for _ in 0..20 {
                read(&image, numbers.next(whole.len()) as u64);
            }
        }
    }
    assert!((1..rounds).contains(&read_all_the_same), "{read_all_the_same}");
}

/// What a file states of a table is not believed: a sparse file can be as long as it says.
#[test]
fn what_is_too_large_is_not_read() {
    let mut bytes = fs::read(PROGRAM).unwrap();
    let word = |bytes: &[u8], at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
    let table = word(&bytes, 0x28) as usize;
    let count = u16::from_le_bytes(bytes[0x3c..0x3e].try_into().unwrap()) as usize;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("sparse");
    let mut refused = 0;
    for section in 1..count {
        let size = table + section * 64 + 32;
        let before = word(&bytes, size);
        bytes[size..size + 8].copy_from_slice(&(65_u64 << 20).to_le_bytes());
        let mut options = File::options();
        let options = options.read(true).write(true).create(true).truncate(true);
        let file = options.open(&path).unwrap();
        file.write_all_at(&bytes, 0).unwrap();
        file.set_len(1 << 30).unwrap();
        let metadata = file.metadata().unwrap();
        let opened = UnwindImages::default().open(file, &metadata, "sparse".into());
        let opened = opened.and_then(|image| {
            image.symbols(SymbolTable::Symtab)?;
            image.symbols(SymbolTable::Dynsym)
        });
        refused += usize::from(opened.is_err_and(|error| error.to_string().contains("are read")));
        bytes[size..size + 8].copy_from_slice(&before.to_le_bytes());
    }
    // The unwind tables, the symbols and their names, and the sections' names at least.
    assert!((4..count).contains(&refused), "{refused} of {count}");
}

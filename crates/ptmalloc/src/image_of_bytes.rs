//! The whole way through a made-up memory, for the fuzzer.

use super::arena::{self, Verified};
use super::cache::Cache;
use super::fake::Fake;
use super::find;
use super::heap_state::Free;
use super::map::FreeMap;
use super::ring;
use super::safe_linking::LinkProtection;
use super::trim::Pages;

/// Where the bytes are taken to be; as in a program that isn't position-independent.
const START: u64 = 0x40_0000;

/// Takes bytes for a process's only memory, at 0x400000, and gives what is free in each arena that
/// is found there. Whatever the bytes are, it doesn't panic and it ends.
#[doc(hidden)]
#[must_use]
pub fn arenas_in(bytes: &[u8]) -> Vec<Free> {
    let end = START + bytes.len() as u64;
    let mut memory = Fake::of(START, bytes);
    let mut map = FreeMap::default();
    map.add(START..end);
    map.break_end = Some(end);
    let sizes = Pages {
        page_bytes: 4096,
        top_step_bytes: 4096,
    };
    let _ = find::unused(bytes, START);
    let mut cache = Cache::default();
    let mut found = Vec::new();
    for main in find::candidates(bytes, START, &map, || Ok(())).flatten() {
        let mut arenas = Vec::new();
        if ring::arenas(&mut memory, &map, main, &mut arenas).is_err() {
            continue;
        }
        for (index, header) in arenas.iter().enumerate() {
            let main = index == 0;
            let read = arena::free(
                &mut memory,
                &mut cache,
                &map,
                header,
                LinkProtection::of(None),
                main,
                sizes,
            );
            if let Ok(Verified { free, .. }) = read {
                assert!(free.total_bytes() <= header.system_bytes());
                assert!(free.returnable_bytes <= free.total_bytes());
                found.push(free);
            }
        }
    }
    found
}

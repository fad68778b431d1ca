//! malloc's fallback, with a page at the break and without.

use std::process::Command;
use suite::skipped;

use heap_growth::Fallback;
use heap_growth::Tally;
use memory_event::Syscall;

use super::harness::{compiled, target, watch};

/// Minor version of the running glibc 2; `None` elsewhere.
fn glibc_minor() -> Option<u32> {
    let output = Command::new("getconf").arg("GNU_LIBC_VERSION").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.trim().strip_prefix("glibc 2.")?.split('.').next()?.parse().ok()
}

#[test]
fn sizes_are_those_of_the_running_glibc() {
    let Some(minor) = glibc_minor() else {
        return skipped("no glibc here");
    };
    let finished =
        watch(&target(compiled("fallback")).arg("hole"), (Tally::default(), Fallback::default()));
    assert!(finished.ending.success(), "{:?}", finished.ending);
    let (tally, fallback) = finished.sink;
    let sizes: Vec<_> = fallback.sizes().iter().map(|(bytes, count)| (*bytes, *count)).collect();
    if (35..=37).contains(&minor) {
        let [(135_168, many), (1_048_576, 1)] = sizes[..] else { panic!("{sizes:?}") };
        // 8,000,000 bytes less the first MiB, in units of 132 KiB.
        assert!((51..=55).contains(&many), "{sizes:?}");
    } else {
        // 8,000,000 bytes in units of 1 MiB.
        assert_eq!(sizes, [(1_048_576, 8)]);
    }
    let bytes: u64 = sizes.iter().map(|(bytes, count)| bytes * count).sum();
    assert_eq!(fallback.bytes(), bytes);
    assert_eq!(tally.get(Syscall::Brk).failed, fallback.refused_brks());
    assert_eq!(fallback.without_mmap(), 0);
}

#[test]
fn none_without_a_hole() {
    let finished =
        watch(&target(compiled("fallback")).arg("free"), (Tally::default(), Fallback::default()));
    assert!(finished.ending.success());
    let (tally, fallback) = finished.sink;
    assert_eq!((fallback.count(), fallback.refused_brks()), (0, 0));
    assert!(tally.get(Syscall::Brk).calls > 50, "it grew by the break");
}

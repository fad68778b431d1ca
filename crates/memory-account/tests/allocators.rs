//! Other allocators, preloaded into Python.

use std::process::Command;

use memory_account::Kind;
use suite::answering::Answering;

use super::target::{MIB, Target, row};

const PYTHON: &str = "/usr/bin/python3";
const LIBRARIES: &str = "/usr/lib/x86_64-linux-gnu/";

/// Python whose objects are all the allocator's.
fn python(library: &str, script: &str) -> Option<Answering> {
    let library = format!("{LIBRARIES}{library}");
    if !suite::installed(PYTHON) {
        return None;
    }
    if !std::path::Path::new(&library).exists() {
        suite::skipped(format_args!("{library} is not installed"));
        return None;
    }
    let mut command = Command::new(PYTHON);
    command.args(["-c", script]).env("LD_PRELOAD", &library).env("PYTHONMALLOC", "malloc");
    // Otherwise they give back by themselves.
    command.env("MALLOC_CONF", "dirty_decay_ms:-1");
    for delay in ["MIMALLOC_DECOMMIT_DELAY", "MIMALLOC_SEGMENT_DECOMMIT_DELAY"] {
        command.env(delay, "3600000");
    }
    Some(Answering::start(command.env_remove("GLIBC_TUNABLES")))
}

#[test]
fn jemalloc() {
    const SCRIPT: &str = "import ctypes, time\n\
        kept = [str(i) * 3 for i in range(300000)] + [bytes(3 << 20)]\n\
        freed = [bytearray(b'x' * (3000 + i)) for i in range(10000)]\n\
        del freed\n\
        call = ctypes.CDLL(None).mallctl\n\
        def ctl(name, kind=ctypes.c_size_t):\n\
        \x20   value = kind(1); size = ctypes.c_size_t(8)\n\
        \x20   call(name, ctypes.byref(value), ctypes.byref(size), ctypes.byref(value), size)\n\
        \x20   return value.value\n\
        ctl(b'epoch', ctypes.c_uint64)\n\
        def told(name):\n\
        \x20   value = ctypes.c_size_t(0); size = ctypes.c_size_t(8)\n\
        \x20   call(name, ctypes.byref(value), ctypes.byref(size), None, 0)\n\
        \x20   return value.value\n\
        names = b'stats.resident', b'stats.allocated', b'stats.metadata'\n\
        pages = told(b'stats.arenas.4096.pdirty') + told(b'stats.arenas.4096.pmuzzy')\n\
        print(*map(told, names), 4096 * pages, flush=True)\n\
        time.sleep(1000)\n";
    let Some(mut program) = python("libjemalloc.so.2", SCRIPT) else { return };
    let line = program.hear();
    let told: Vec<u64> = line.split(' ').map(|word| word.parse().unwrap()).collect();
    let account = Target::of(program).account();
    let row = row(&account, "jemalloc");
    println!("{} resident of {}, {} allocated", row.rss_bytes, told[0], told[1]);
    let (free, returnable) = (row.free_bytes.unwrap(), row.returnable_bytes.unwrap());
    println!("{free} free, {returnable} returnable of {}", told[3]);
    assert!(told[3] > 20 * MIB && returnable.abs_diff(told[3]) < MIB, "{row:#?}");
    // It counts blocks that were never touched as allocated, and records as resident.
    let used = row.rss_bytes - free;
    assert!(used <= told[1] + told[2] && used + 4 * MIB > told[1], "{line} {row:#?}");
    assert_eq!(row.kind, Kind::Allocator);
    assert!(told[1] > 20 * MIB, "{line}");
    // Not all that it counts as resident has been touched.
    assert!(
        row.rss_bytes + 3 * MIB >= told[1] && row.rss_bytes <= told[0] + 2 * MIB,
        "{account:#?}"
    );
    assert!(account.of_kind(Kind::Unknown) * 20 < account.rss_bytes(), "{account:#?}");
}

/// What looks like more records than are read: of all of it nothing is said to be free.
#[test]
fn records_without_end() {
    const SCRIPT: &str = "import ctypes, mmap, struct, time\n\
        memory = mmap.mmap(-1, 160 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)\n\
        address = ctypes.addressof(ctypes.c_char.from_buffer(memory))\n\
        for page in range(0, 160 << 20, 4096): memory[page] = 1\n\
        at, size = -address % (2 << 20), 128 << 20\n\
        memory[at:at + 40] = struct.pack('5Q', size, 0, 0, address + at, size)\n\
        print('ready', flush=True)\n\
        time.sleep(1000)\n";
    let Some(mut program) = python("libjemalloc.so.2", SCRIPT) else { return };
    assert_eq!(program.hear(), "ready");
    let account = Target::of(program).account();
    let row = row(&account, "jemalloc");
    assert!(row.rss_bytes >= 128 * MIB, "{row:#?}");
    assert_eq!((row.free_bytes, row.returnable_bytes), (None, None));
}

/// Small blocks, large ones, one with a segment of its own, and one of more than 2 GiB of which little
/// was touched: what is in use is what was kept, and what is said to be returnable comes back.
#[test]
fn mimalloc() {
    const SCRIPT: &str = "import ctypes, os, time\n\
        call = ctypes.CDLL(None)\n\
        call.malloc.restype = ctypes.c_void_p\n\
        huge = call.malloc(ctypes.c_size_t(3 << 30))\n\
        ctypes.memset(huge, 1, 5 << 20)\n\
        kept = [bytearray(b'x' * 3000) for i in range(10000)]\n\
        kept += [bytearray(b'x' * (1 << 20)) for i in range(10)] + [bytearray(b'x' * (40 << 20))]\n\
        freed = [bytearray(b'y' * (3000 + i)) for i in range(20000)]\n\
        del freed\n\
        print('ready', flush=True)\n\
        os.read(0, 1)\n\
        call.mi_collect(True)\n\
        print('collected', flush=True)\n\
        time.sleep(1000)\n";
    const KEPT: u64 = 10_000 * 3001 + 10 * (MIB + 1) + 40 * MIB + 1 + 5 * MIB;
    let Some(mut program) = python("libmimalloc.so.2.0", SCRIPT) else { return };
    assert_eq!(program.hear(), "ready");
    let mut target = Target::of(program);
    let account = target.account();
    let before = row(&account, "mimalloc").clone();
    let returnable = before.returnable_bytes.unwrap();
    let used = before.rss_bytes - before.free_bytes.unwrap();
    // Python itself has some 6 MiB.
    assert!(KEPT < used && used < KEPT + 16 * MIB, "{KEPT} kept, {before:#?}");
    assert!(returnable > 100 * MIB, "{before:#?}");
    target.goes_on();
    assert_eq!(target.program.tell(""), "collected");
    let account = target.account();
    let after = row(&account, "mimalloc");
    let returned = before.rss_bytes - after.rss_bytes;
    println!("{used} in use of {KEPT}, {returned} returned of {returnable}");
    assert!(returned.abs_diff(returnable) < MIB, "{returned} of {before:#?}");
    assert!(after.returnable_bytes.unwrap() < MIB, "{after:#?}");
}

/// What looks like a segment of another process's makes all of them doubtful; what can't be one, none.
#[test]
fn forged_segments() {
    const SCRIPT: &str = "import ctypes, mmap, struct, sys, time\n\
        slices, kind, recorded = map(int, sys.stdin.readline().split())\n\
        memory = mmap.mmap(-1, 96 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)\n\
        address = ctypes.addressof(ctypes.c_char.from_buffer(memory))\n\
        at = -address % (32 << 20)\n\
        segment = 1, address + at ^ 1234, slices, 1, kind, recorded\n\
        memory[at + 208:at + 256] = struct.pack('6Q', *segment)\n\
        print('ready', flush=True)\n\
        time.sleep(1000)\n";
    for (forged, is_told) in [
        ("512 0 512", false),
        ("512 1 512", false),
        ("512 2 512", true),
        ("513 0 512", true),
        ("8192 1 512", true),
        ("18446744073709551615 1 512", true),
        ("281474976710655 1 512", true),
    ] {
        let Some(mut program) = python("libmimalloc.so.2.0", SCRIPT) else { return };
        assert_eq!(program.tell(forged), "ready");
        let account = Target::of(program).account();
        assert_eq!(account.of_allocator("mimalloc").is_some(), is_told, "{forged}: {account:#?}");
    }
}

/// Where only the library is known, that is what is said.
#[test]
fn what_is_not_proven_is_only_likely() {
    const SCRIPT: &str = "import time\n\
        kept = [str(i) * 3 for i in range(300000)]\n\
        print('ready', flush=True)\n\
        time.sleep(1000)\n";
    let Some(mut program) = python("libtcmalloc_minimal.so.4", SCRIPT) else { return };
    assert_eq!(program.hear(), "ready");
    let account = Target::of(program).account();
    let row = row(&account, "unknown, likely tcmalloc's");
    assert_eq!(row.kind, Kind::Unknown);
    assert!(row.rss_bytes > 20 * MIB, "{account:#?}");
}

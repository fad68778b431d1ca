//! Made-up libraries, and real ones.

use super::*;
use object::read::elf::ElfFile64;
use object::{Object, ObjectSymbol};

fn function(name: &str, start: u64, length: u64) -> Function<'_> {
    Function { name, addresses: start..start + length, is_global: true }
}

fn library() -> Vec<Function<'static>> {
    vec![
        function("timer_settime", 0x100, 0x40),
        function("__default_morecore", 0x300, 0x20),
        function("malloc", 0x800, 0x100),
        function("__libc_malloc", 0x800, 0x100),
        function("free", 0x900, 0x80),
        function("realloc", 0x980, 0x80),
        function("calloc", 0xa00, 0x80),
        function("malloc_trim", 0xa80, 0x80),
        function("malloc_info", 0xb00, 0x80),
        function("mcheck", 0xc00, 0x80),
        function("malloc_set_state", 0x9000, 0x80),
        function("__sbrk", 0x5000, 0x80),
    ]
}

#[test]
fn what_lies_between_the_neighbours_is_mallocs() {
    let library = TrimLibrary::laid_out(&library()).unwrap();
    assert_eq!(library.malloc, 0x140..0xc00);
    assert_eq!(library.first_named, 0x300);
    assert_eq!(library.trim, 0xa80);
    let library = library.at(0x10000);
    for (address, inside) in [
        (0x1013f, false),
        (0x10140, true),
        (0x10bff, true),
        (0x10c00, false),
        (0x15001, true),
        (0x800, false),
    ] {
        assert_eq!(library.is_inside(address), inside, "{address:#x}");
    }
}

#[test]
fn another_layout_is_refused() {
    let mut apart = library();
    apart.push(function("qsort", 0x9c0, 0x10));
    let why = TrimLibrary::laid_out(&apart).unwrap_err();
    assert!(why.contains("calloc is not beside"), "{why}");
    let stripped: Vec<_> = library().into_iter().take(3).collect();
    let why = TrimLibrary::laid_out(&stripped).unwrap_err();
    assert!(why.contains("no symbol malloc_trim"), "{why}");
}

const HERE: &str = "/usr/lib/x86_64-linux-gnu/libc.so.6";

fn real(path: &str) -> Option<TrimLibrary> {
    let file = File::open(path).ok()?;
    Some(TrimLibrary::among(&symbols(&file).unwrap()).unwrap())
}

/// This machine's, and those of other distributions where their roots have been made.
#[test]
fn real_libraries_are_laid_out_so() {
    let roots = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/roots");
    for root in ["", "bullseye", "bookworm", "trixie"] {
        let path = match root {
            "" => HERE.to_owned(),
            root => format!("{roots}/{root}{HERE}"),
        };
        if let Some(library) = real(&path) {
            let length = library.malloc.end - library.malloc.start;
            assert!((16 << 10..64 << 10).contains(&length), "{path}: {length}");
            assert!(library.malloc.contains(&library.trim), "{path}");
            assert!(library.errno_location.is_some(), "{path}");
            assert_eq!(library.others.len(), 3, "{path}: brk, sbrk, __sbrk");
        }
    }
}

/// Every function that was compiled with malloc, by the library's debug information where that
/// is installed.
#[test]
fn all_of_malloc_is_inside() {
    let Some(library) = real(HERE) else { return };
    let bytes = fs::read(HERE).unwrap();
    let elf = ElfFile64::<object::Endianness>::parse(&*bytes).unwrap();
    let build_id = elf.build_id().unwrap().unwrap();
    let hex: String = build_id.iter().map(|byte| format!("{byte:02x}")).collect();
    let (first, rest) = hex.split_at(2);
    let debug = format!("/usr/lib/debug/.build-id/{first}/{rest}.debug");
    let Ok(bytes) = fs::read(debug) else { return };
    let debug = ElfFile64::<object::Endianness>::parse(&*bytes).unwrap();
    let mut file = String::new();
    let mut inside = 0;
    for symbol in debug.symbols() {
        if symbol.kind() == object::SymbolKind::File {
            file = symbol.name().unwrap().to_owned();
        } else if file == "malloc.c"
            && symbol.is_local()
            && symbol.kind() == object::SymbolKind::Text
            && symbol.size() > 0
        {
            let name = symbol.name().unwrap();
            let last = symbol.address() + symbol.size() - 1;
            assert!(library.malloc.contains(&symbol.address()), "{name}");
            assert!(library.malloc.contains(&last), "{name}");
            inside += 1;
        }
    }
    assert!(inside > 20, "{inside} functions");
}

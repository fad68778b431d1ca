//! Programs that change certificates themselves: in them nothing is shared.
//!
//! What a certificate is trusted or rejected for, and what it is called, belongs to the object that
//! OpenSSL's stores refer to, not to a store: changed in one place, it is changed for all that share
//! it. Whoever may do so names one of these functions among what it imports.
//!
//! # Safety
//!
//! Reads what the dynamic loader has mapped of loaded objects, which stay loaded meanwhile.
//!
//! # References
//! X509_add1_trust_object(3), X509_alias_set1(3); dl_iterate_phdr(3), elf(5); the GNU hash table as
//! glibc's `elf/dl-lookup.c` reads it: symbols that aren't in it, the undefined ones, come first
#![allow(unsafe_code)]

use std::ffi::{CStr, c_char, c_int, c_void};
use std::sync::atomic::{AtomicBool, Ordering};

use bundle_cache::lock;

const SETTERS: [&CStr; 6] = [
    c"X509_add1_trust_object",
    c"X509_add1_reject_object",
    c"X509_trust_clear",
    c"X509_reject_clear",
    c"X509_alias_set1",
    c"X509_keyid_set1",
];

const DT_NULL: u64 = 0;
const DT_HASH: u64 = 4;
const DT_STRTAB: u64 = 5;
const DT_SYMTAB: u64 = 6;
const DT_GNU_HASH: u64 = 0x6fff_fef5;

static IMPORTED: AtomicBool = AtomicBool::new(false);

/// Whether any loaded object imports one of them, as of the last [`look`].
///
/// One that is found by dlsym(3), or comes with an object that is loaded after a bundle, isn't seen in
/// time.
pub(crate) fn are_imported() -> bool {
    // The order of atomics would do; what checks threads only sees that of locks.
    let _guard = lock();
    IMPORTED.load(Ordering::Relaxed)
}

/// Looks at what is loaded, when objects have come or gone. It takes a lock of the dynamic loader's, and
/// so is called under this library's own: see [`LibraryList`](crate::library::LibraryList).
pub(crate) fn look() {
    let mut found = false;
    // SAFETY: a callback of the declared type, with a variable that outlives the call.
    unsafe { libc::dl_iterate_phdr(Some(each), (&raw mut found).cast()) };
    IMPORTED.swap(found, Ordering::Relaxed);
}

unsafe extern "C" fn each(
    info: *mut libc::dl_phdr_info,
    _size: usize,
    found: *mut c_void,
) -> c_int {
    // SAFETY: the loader's structure.
    let info = unsafe { &*info };
    // SAFETY: of an object that is loaded for as long as this is called.
    let imports = unsafe { imports(info) }.unwrap_or(false);
    // SAFETY: the variable that was handed over above.
    unsafe { *found.cast::<bool>() |= imports };
    c_int::from(imports)
}

/// Whether this object does; `None` if it has no symbols.
///
/// # Safety
/// The object is loaded.
unsafe fn imports(info: &libc::dl_phdr_info) -> Option<bool> {
    let base = info.dlpi_addr;
    // SAFETY: the loader's table, of this length.
    let headers = unsafe { std::slice::from_raw_parts(info.dlpi_phdr, info.dlpi_phnum.into()) };
    let dynamic = headers.iter().find(|header| header.p_type == libc::PT_DYNAMIC)?;
    let mut entry = base.wrapping_add(dynamic.p_vaddr) as *const [u64; 2];
    let (mut symbols, mut names, mut gnu_hash, mut hash) = (None, None, None, None);
    loop {
        // SAFETY: mapped, and ends with an entry of this tag.
        let [tag, value] = unsafe { *entry };
        // The loader has added the base, but not in what is mapped for reading only (the vdso).
        let place = Some(if value < base { base.wrapping_add(value) } else { value });
        match tag {
            DT_NULL => break,
            DT_SYMTAB => symbols = place,
            DT_STRTAB => names = place,
            DT_GNU_HASH => gnu_hash = place,
            DT_HASH => hash = place,
            _ => {}
        }
        // SAFETY: not the last.
        entry = unsafe { entry.add(1) };
    }
    let (symbols, names) = (symbols? as *const libc::Elf64_Sym, names? as *const c_char);
    // The second word is how many aren't hashed, or how many there are.
    let table = gnu_hash.or(hash)? as *const u32;
    // SAFETY: a table that the loader uses itself.
    let count = unsafe { table.add(1) };
    // SAFETY: as above.
    let count = unsafe { *count } as usize;
    let is_setter = |index| {
        // SAFETY: so many there are.
        let symbol = unsafe { symbols.add(index) };
        // SAFETY: as above.
        let symbol = unsafe { &*symbol };
        // SAFETY: within the table of strings.
        let name = unsafe { names.add(symbol.st_name as usize) };
        // SAFETY: a string of that table, which ends with a zero.
        symbol.st_shndx == 0 && SETTERS.contains(&unsafe { CStr::from_ptr(name) })
    };
    Some((1..count).any(is_setter))
}

//! What the kernel itself says of a mapping.
//!
//! # References
//! `proc_pid_maps(5)`; prctl(2), `PR_SET_VMA_ANON_NAME`; `mm/shmem.c`, `ipc/shm.c`, `mm/memfd.c`
//! (names of shared memory)

use proc_memory::Mapping;

use super::row::Kind;

/// ZGC's heap, as seen in OpenJDK 17, which has it mapped three times, and 25, which has it once.
const ZGC_HEAP: &[u8] = b"/memfd:java_heap";

/// Shared memory that has the name of no file: System V, shared anonymous, memfd, and POSIX's. Mapped
/// privately it is a file like any other, and what was written is the process's own.
const SHARED: [&[u8]; 4] = [b"/SYSV", b"/dev/zero", b"/memfd:", b"/dev/shm/"];

/// Owner of files that are mapped privately, and of their data.
pub(super) const FILES: &str = "program, libraries, files";
pub(super) const NAME_IN_MAPS: &str = "the file's name in maps, and its ELF headers";

/// Whether a mapping is anonymous and private, with no name but `[heap]`.
pub(super) fn is_anonymous(mapping: &Mapping) -> bool {
    is_unknown(mapping) && !mapping.permissions.shared
}

/// Whether the kernel doesn't say whose it is.
pub(super) fn is_unknown(mapping: &Mapping) -> bool {
    mapping.inode == 0 && (mapping.name.is_empty() || mapping.is_heap())
}

/// Whose a mapping is, by its name, and what told so; for one that isn't [unknown](is_unknown).
pub(super) fn owner(mapping: &Mapping) -> (Kind, String, &'static str) {
    let name = &mapping.name[..];
    let bracketed = name.strip_prefix(b"[").and_then(|name| name.strip_suffix(b"]"));
    let named = bracketed
        .and_then(|name| name.strip_prefix(b"anon:").or_else(|| name.strip_prefix(b"anon_shmem:")));
    let owned = |kind, owner: &str, evidence| (kind, owner.to_owned(), evidence);
    if let Some(named) = named {
        let named = format!("named {}", String::from_utf8_lossy(named));
        (Kind::Named, named, "the name that the program gave it (PR_SET_VMA)")
    } else if mapping.is_stack() {
        owned(Kind::Stack, "main thread's stack", "the kernel calls it [stack]")
    } else if bracketed.is_some() {
        owned(Kind::Kernel, "vdso and the like", "the kernel's own names")
    } else if name.starts_with(ZGC_HEAP) {
        owned(Kind::Runtime, "Java's heap (ZGC)", "the name that ZGC gives its memfd")
    } else if !mapping.permissions.shared {
        owned(Kind::File, FILES, NAME_IN_MAPS)
    } else if SHARED.iter().any(|shared| name.starts_with(shared)) {
        owned(Kind::SharedMemory, "shared memory", "System V, POSIX, memfd or anonymous")
    } else {
        owned(Kind::FileShared, "files mapped shared", NAME_IN_MAPS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proc_memory::parse_line;

    #[test]
    fn the_kernel_names_owners() {
        for (line, kind, owner) in [
            ("rw-p 0 00:00 0 [anon:jemalloc_pg]", Kind::Named, "named jemalloc_pg"),
            ("rw-s 0 00:01 7 [anon_shmem:a b]", Kind::Named, "named a b"),
            ("rw-p 0 00:00 0 [stack]", Kind::Stack, "main thread's stack"),
            ("r-xp 0 00:00 0 [vdso]", Kind::Kernel, "vdso and the like"),
            ("rw-s 0 00:01 9 /SYSV00000000 (deleted)", Kind::SharedMemory, "shared memory"),
            ("rw-s 0 00:01 9 /dev/zero (deleted)", Kind::SharedMemory, "shared memory"),
            ("rw-s 0 00:01 9 /memfd:a (deleted)", Kind::SharedMemory, "shared memory"),
            ("rw-p 0 00:01 9 /memfd:a (deleted)", Kind::File, FILES),
            ("rw-s 0 00:01 9 /memfd:java_heap (deleted)", Kind::Runtime, "Java's heap (ZGC)"),
            ("r--s 0 fe:00 9 /etc/ld.so.cache", Kind::FileShared, "files mapped shared"),
            ("rw-p 0 fe:00 9 /lib/a.so", Kind::File, FILES),
        ] {
            let line = format!("1000-2000 {line}");
            let mapping = parse_line(line.as_bytes()).unwrap().to_owned();
            let (found, name, _) = super::owner(&mapping);
            assert_eq!((found, &*name), (kind, owner), "{line}");
            assert!(!is_unknown(&mapping), "{line}");
        }
        for line in ["1000-2000 rw-p 0 00:00 0", "1000-2000 rw-p 0 00:00 0 [heap]"] {
            let mapping = parse_line(line.as_bytes()).unwrap().to_owned();
            assert!(is_anonymous(&mapping), "{line}");
        }
    }
}

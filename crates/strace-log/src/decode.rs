//! The text of a whole call, turned into numbers.

use super::arguments::{Arguments, CallOutcome};
use super::constants::{Names, advice, cloning, mapping, moving, opening, protection};
use super::line::Wanted;
use super::value;
use memory_event::{Call, Resource, SoftLimit, Syscall};

/// What a line with a call says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Decoded<'a> {
    /// The call came back.
    Call {
        call: Call,
        /// A name of a bit that nobody knows: it counts as none.
        unknown: Option<&'a [u8]>,
        /// strace cut the path short.
        cut_path: bool,
    },
    /// A program was replaced.
    Executed {
        by: Syscall,
        /// The program as it was named; `None` where that was cut.
        path: Option<Vec<u8>>,
    },
    /// A process or thread was made.
    Made { child: i32, thread: bool },
    /// A process has this limit, or was told it; 0 is the caller itself.
    Limited { whose: i32, limit: SoftLimit },
    /// It did not come back, or it failed to make a process: nothing to tell.
    Nothing,
}

/// How an argument is to be read.
#[derive(Clone, Copy)]
enum Form {
    Number,
    Bits(Names),
    Descriptor,
    Path,
    /// Whatever it is, its number isn't in the log.
    Address,
}

const fn forms(syscall: Syscall) -> &'static [Form] {
    use Form::{Address, Bits, Descriptor, Number, Path};
    match syscall {
        Syscall::Brk => &[Number],
        Syscall::Mmap => &[Number, Number, Bits(protection), Bits(mapping), Descriptor, Number],
        Syscall::Munmap => &[Number, Number],
        Syscall::Mremap => &[Number, Number, Number, Bits(moving), Number],
        Syscall::Mprotect => &[Number, Number, Bits(protection)],
        Syscall::Madvise => &[Number, Number, Bits(advice)],
        Syscall::Open => &[Path, Bits(opening), Number],
        Syscall::Openat => &[Descriptor, Path, Bits(opening), Number],
        Syscall::Openat2 => &[Descriptor, Path, Address, Number],
        Syscall::Creat => &[Path, Number],
        Syscall::Close => &[Descriptor],
        Syscall::Execve => &[Address, Address, Address],
        Syscall::Execveat => &[Descriptor, Address, Address, Address, Number],
    }
}

/// How many of them every call has.
const fn least(syscall: Syscall) -> usize {
    match syscall {
        Syscall::Mremap => 4,
        Syscall::Open => 2,
        Syscall::Openat => 3,
        // Its flags are names that are of no use here.
        Syscall::Execveat => 0,
        other => forms(other).len(),
    }
}

/// Reads a call from its opening bracket on. `None` if it can't be read.
pub(super) fn decode(wanted: Wanted, text: &[u8]) -> Option<Decoded<'_>> {
    if wanted == Wanted::Limit {
        // What can't be read of it is only known less.
        return Some(limited(text).unwrap_or(Decoded::Nothing));
    }
    let open = memchr::memchr(b'(', text)?;
    let arguments = Arguments::cut(&text[open + 1..])?;
    let outcome = CallOutcome::parse(arguments.rest)?;
    match wanted {
        Wanted::Watched(syscall) => call(syscall, arguments, outcome),
        Wanted::Birth | Wanted::Limit => Some(birth(text, outcome)),
    }
}

/// Whether the call, or its beginning, makes a thread; `None` if that isn't said yet: `clone` tells
/// its flags when it has returned, up to strace 5.
pub(super) fn makes_thread(text: &[u8]) -> Option<bool> {
    let names = |name: &[u8]| memchr::memmem::find(text, name);
    // qemu's user mode names the flags without saying that they are flags.
    if names(b"CLONE_THREAD").is_some() {
        return Some(true);
    }
    let Some(start) = names(b"flags=") else {
        let without_flags = text.starts_with(b"fork(") || text.starts_with(b"vfork(");
        return (without_flags || names(b"SIGCHLD").is_some()).then_some(false);
    };
    let flags = &text[start + b"flags=".len()..];
    let end = flags
        .iter()
        .position(|byte| matches!(byte, b',' | b'}' | b' ' | b')'))
        .unwrap_or(flags.len());
    let (Ok(bits) | Err((_, bits))) = value::bits(&flags[..end], cloning);
    Some(bits & libc::CLONE_THREAD as u64 != 0)
}

fn birth<'a>(text: &[u8], outcome: CallOutcome<'_>) -> Decoded<'a> {
    let CallOutcome::Returned(child, _) = outcome else {
        return Decoded::Nothing;
    };
    let thread = makes_thread(text) == Some(true);
    match i32::try_from(child) {
        Ok(child @ 1..) => Decoded::Made { child, thread },
        _ => Decoded::Nothing,
    }
}

fn limited<'a>(text: &[u8]) -> Option<Decoded<'a>> {
    let open = memchr::memchr(b'(', text)?;
    let arguments = Arguments::cut(&text[open + 1..])?;
    let CallOutcome::Returned(0, _) = CallOutcome::parse(arguments.rest)? else {
        return None;
    };
    let (whose, limit) = limit_told(&text[..open], &arguments)?;
    Some(Decoded::Limited { whose, limit })
}

fn call<'a>(
    syscall: Syscall,
    arguments: Arguments<'a>,
    outcome: CallOutcome<'a>,
) -> Option<Decoded<'a>> {
    let (result, behind) = match outcome {
        CallOutcome::NotBack => return Some(Decoded::Nothing),
        CallOutcome::Failed(number) => (Err(number), &b""[..]),
        CallOutcome::Returned(value, behind) => (Ok(value), behind),
    };
    if result.is_ok() && matches!(syscall, Syscall::Execve | Syscall::Execveat) {
        let named = arguments.get(usize::from(syscall == Syscall::Execveat));
        let path = named.and_then(value::path).filter(|(_, is_cut)| !is_cut);
        return Some(Decoded::Executed { by: syscall, path: path.map(|(path, _)| path) });
    }
    let mut args = [0; 6];
    let mut unknown = None;
    let mut path = None;
    for (index, form) in forms(syscall).iter().enumerate() {
        let Some(text) = arguments.get(index) else {
            if index < least(syscall) {
                return None;
            }
            break;
        };
        args[index] = match form {
            Form::Number => match value::number(text) {
                Some(number) => number,
                // Names of flags, as of `execveat`.
                None if index >= least(syscall) => 0,
                None => return None,
            },
            Form::Bits(names) => value::bits(text, *names).unwrap_or_else(|(name, others)| {
                unknown = unknown.or(Some(name));
                others
            }),
            Form::Descriptor => value::descriptor(text)?,
            Form::Path => {
                path = result.is_ok().then_some(text);
                value::number(text)?
            }
            Form::Address => 0,
        };
    }
    let mut cut_path = false;
    let path = path.and_then(|given| {
        value::annotated_path(behind).or_else(|| {
            let (path, cut) = value::path(given)?;
            cut_path = cut;
            Some(path)
        })
    });
    let call = Call::new(syscall, args, result).with_path(path);
    Some(Decoded::Call { call, unknown, cut_path })
}

/// Whose limit a call set or told
/// (`setrlimit(RLIMIT_DATA, {rlim_cur=65536*1024, rlim_max=RLIM64_INFINITY}) = 0`); 0 is the caller's own. `None`: no limit on memory.
///
/// # References
/// prlimit(2); strace 6.1, `src/resource.c`
fn limit_told(name: &[u8], arguments: &Arguments<'_>) -> Option<(i32, SoftLimit)> {
    let other = name.starts_with(b"prlimit");
    let (whose, first) = match other {
        true => (value::number(arguments.get(0)?)?, 1),
        false => (0, 0),
    };
    let resource = resource(arguments.get(first)?)?;
    // The limit that is set from now on; if none is, the one that was asked for.
    let structures = [first + 1, first + 2];
    let mut structures = structures.into_iter().filter_map(|at| arguments.get(at));
    let bytes = structures.find_map(soft)?;
    let limit = SoftLimit { resource, bytes };
    Some((i32::try_from(whose).ok()?, limit))
}

fn resource(text: &[u8]) -> Option<Resource> {
    const DATA: u64 = libc::RLIMIT_DATA as u64;
    const ADDRESS_SPACE: u64 = libc::RLIMIT_AS as u64;
    Resource::from_name(text).or_else(|| match value::number(text)? {
        DATA => Some(Resource::Data),
        ADDRESS_SPACE => Some(Resource::AddressSpace),
        _ => None,
    })
}

/// `{rlim_cur=…, …}`; `Some(None)` for no limit.
fn soft(structure: &[u8]) -> Option<Option<u64>> {
    let fields = structure.strip_prefix(b"{rlim_cur=")?;
    let end = memchr::memchr2(b',', b'}', fields)?;
    let mut factors = fields[..end].split(|byte| *byte == b'*');
    let first = factors.next()?;
    if first.ends_with(b"_INFINITY") {
        return Some(None);
    }
    let product = factors.try_fold(value::number(first)?, |product, factor| {
        product.checked_mul(value::number(factor)?)
    });
    product.map(|bytes| Some(bytes).filter(|bytes| *bytes != u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(syscall: Syscall, text: &str) -> Call {
        match decode(Wanted::Watched(syscall), text.as_bytes()) {
            Some(Decoded::Call { call, unknown: None, cut_path: false }) => call,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn calls_of_old_and_new() {
        let map = "old_mmap(NULL, 1048576, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) \
                   = 0x7f6c927c3000";
        let call = told(Syscall::Mmap, map);
        assert_eq!(call.args, [0, 1_048_576, 3, 0x22, 0xffff_ffff, 0]);
        assert_eq!(call.result, Ok(0x7f6c_927c_3000));

        let open = "openat(AT_FDCWD</tmp>, \"x\", O_WRONLY|O_CREAT|O_CLOEXEC, 0644) = 3</tmp/x>";
        let call = told(Syscall::Openat, open);
        assert_eq!(call.path.as_deref(), Some(&b"/tmp/x"[..]));
        let flags = (libc::O_WRONLY | libc::O_CREAT | libc::O_CLOEXEC) as u64;
        assert_eq!(call.args, [0xffff_ff9c, 0, flags, 0o644, 0, 0]);

        let refused = told(Syscall::Open, "open(\"/x\", O_RDONLY) = -1 ENOENT (No such file)");
        assert_eq!((refused.result, refused.path), (Err(libc::ENOENT), None));

        let how = "openat2(3</>, \"x\", {flags=O_RDONLY, resolve=RESOLVE_BENEATH}, 24) = 4";
        assert_eq!(told(Syscall::Openat2, how).args[..4], [3, 0, 0, 24]);

        let moved = "mremap(0x1000, 4096, 8192, MREMAP_MAYMOVE|MREMAP_FIXED, 0x5000) = 0x5000";
        assert_eq!(told(Syscall::Mremap, moved).args[..5], [0x1000, 4096, 8192, 3, 0x5000]);

        let failed = "execve(\"/x\", [\"x\", \")\"], [/* 20 vars */]) = -1 ENOENT (No such file)";
        assert_eq!(told(Syscall::Execve, failed).result, Err(libc::ENOENT));
    }

    #[test]
    fn births() {
        let made = |text: &'static str| decode(Wanted::Birth, text.as_bytes());
        assert_eq!(
            made("clone3({flags=CLONE_VM|CLONE_THREAD, stack=0x1} => {parent_tid=[9]}, 88) = 9"),
            Some(Decoded::Made { child: 9, thread: true })
        );
        assert_eq!(
            made("clone(child_stack=NULL, flags=0x1200011, child_tidptr=0x7f) = 9"),
            Some(Decoded::Made { child: 9, thread: false })
        );
        assert_eq!(made("vfork() = 9"), Some(Decoded::Made { child: 9, thread: false }));
        assert_eq!(made("fork() = -1 EAGAIN (Resource)"), Some(Decoded::Nothing));
        for (begun, thread) in [
            ("clone(child_stack=0x1, flags=0x3d0f00 <unfinished ...>", Some(true)),
            ("clone(CLONE_VM|CLONE_THREAD|0x3d0000,child_stack=0x1", Some(true)),
            ("clone(child_stack=NULL, flags=SIGCHLD", Some(false)),
            ("clone( <unfinished ...>", None),
            ("clone(child_stack=0x1", None),
            ("vfork( <unfinished ...>", Some(false)),
        ] {
            assert_eq!(makes_thread(begun.as_bytes()), thread, "{begun}");
        }
    }

    fn of(text: &str) -> Option<(i32, &'static str, Option<u64>)> {
        let (name, arguments) = text.split_once('(').unwrap();
        let arguments = Arguments::cut(arguments.as_bytes()).unwrap();
        let (whose, limit) = limit_told(name.as_bytes(), &arguments)?;
        Some((whose, limit.resource.name(), limit.bytes))
    }

    #[test]
    fn all_forms() {
        for (text, wanted) in [
            (
                "setrlimit(RLIMIT_DATA, {rlim_cur=1048576, rlim_max=1048576}) = 0",
                Some((0, "RLIMIT_DATA", Some(1 << 20))),
            ),
            (
                "prlimit64(0, RLIMIT_AS, {rlim_cur=65536*1024, rlim_max=RLIM64_INFINITY}, NULL) = 0",
                Some((0, "RLIMIT_AS", Some(64 << 20))),
            ),
            (
                "prlimit64(12, RLIMIT_DATA, NULL, {rlim_cur=RLIM64_INFINITY, rlim_max=1}) = 0",
                Some((12, "RLIMIT_DATA", None)),
            ),
            (
                "prlimit64(0, RLIMIT_AS, {rlim_cur=1, rlim_max=2}, {rlim_cur=3, rlim_max=4}) = 0",
                Some((0, "RLIMIT_AS", Some(1))),
            ),
            (
                "getrlimit(0x2 /* RLIMIT_DATA */, {rlim_cur=RLIM_INFINITY, rlim_max=7}) = 0",
                Some((0, "RLIMIT_DATA", None)),
            ),
            ("prlimit64(0, RLIMIT_STACK, NULL, {rlim_cur=8192*1024, rlim_max=1}) = 0", None),
            ("prlimit64(0, RLIMIT_AS, NULL, 0x7ffe0) = 0", None),
            ("setrlimit(RLIMIT_AS, {rlim_cur=18446744073709551615*2, rlim_max=1}) = 0", None),
            ("setrlimit(RLIMIT_AS) = 0", None),
            ("setrlimit() = 0", None),
        ] {
            assert_eq!(of(text), wanted, "{text}");
        }
    }
}

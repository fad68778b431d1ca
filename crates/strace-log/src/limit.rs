//! A limit in a log: `setrlimit(RLIMIT_DATA, {rlim_cur=65536*1024, rlim_max=RLIM64_INFINITY}) = 0`.

use super::arguments::Arguments;
use super::value;
use memory_event::{Resource, SoftLimit};

/// Whose limit a call set or told; 0 is the caller's own. `None`: no limit on memory.
///
/// # References
/// prlimit(2); strace 6.1, `src/resource.c`
pub(super) fn told(name: &[u8], arguments: &Arguments<'_>) -> Option<(i32, SoftLimit)> {
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

    fn of(text: &str) -> Option<(i32, &'static str, Option<u64>)> {
        let (name, arguments) = text.split_once('(').unwrap();
        let arguments = Arguments::cut(arguments.as_bytes()).unwrap();
        let (whose, limit) = told(name.as_bytes(), &arguments)?;
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
            (
                "prlimit64(0, RLIMIT_STACK, NULL, {rlim_cur=8192*1024, rlim_max=1}) = 0",
                None,
            ),
            ("prlimit64(0, RLIMIT_AS, NULL, 0x7ffe0) = 0", None),
            (
                "setrlimit(RLIMIT_AS, {rlim_cur=18446744073709551615*2, rlim_max=1}) = 0",
                None,
            ),
            ("setrlimit(RLIMIT_AS) = 0", None),
            ("setrlimit() = 0", None),
        ] {
            assert_eq!(of(text), wanted, "{text}");
        }
    }
}

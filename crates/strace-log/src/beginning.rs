//! What a log's first lines tell of all the others: whether it is text, and strace's (logs of other
//! programs look like strace's but aren't); what was written before every line; what its times count
//! from.

use super::error::{LogError, binary};
use super::input::{Input, is_straces};
use super::lines::Lines;
use super::prefix::Prefix;
use super::wrapping::Wrapping;
use std::io::Read;

/// So much of the beginning is looked at.
const MOST_BYTES: usize = 64 * 1024;
const MOST_LINES: usize = 1000;

/// What some editors write before a text.
///
/// # References
/// The Unicode Standard, 23.8, “Byte Order Mark”
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Looks at the beginning of a log. What is none is refused by its name.
pub(super) fn look<R: Read>(log: &mut Input, lines: &mut Lines<R>) -> Result<Wrapping, LogError> {
    let beginning = lines.beginning().map_err(|source| log.failed(source))?;
    if let Some(what) = binary(beginning) {
        let name = log.name.clone();
        return Err(LogError::Binary { name, what });
    }
    let text = beginning.strip_prefix(BYTE_ORDER_MARK);
    let byte_order_mark = text.is_some();
    let text = text.unwrap_or(beginning);
    let text = &text[..text.len().min(MOST_BYTES)];
    let whole = match memchr::memrchr(b'\n', text) {
        Some(end) if text.len() == MOST_BYTES => &text[..end],
        _ => text,
    };
    let sample: Vec<&[u8]> = whole
        .split(|byte| *byte == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
        .filter(|line| !line.trim_ascii().is_empty())
        .take(MOST_LINES)
        .collect();
    let mut wrapping = Wrapping::of(&sample);
    let bare: Vec<Vec<u8>> =
        sample.iter().map(|line| wrapping.off(line, &mut None).to_vec()).collect();
    wrapping.begin_anew(byte_order_mark);
    let bare: Vec<&[u8]> = bare.iter().map(Vec::as_slice).collect();
    if let Some(format) = foreign_format(&sample, &bare) {
        return Err(LogError::Foreign {
            name: log.name.clone(),
            what: format.what,
            advice: format.advice,
        });
    }
    log.clock.learn(bare.iter().filter_map(|line| Prefix::parse(line).time));
    if byte_order_mark {
        lines.pass(BYTE_ORDER_MARK.len());
    }
    Ok(wrapping)
}

/// A format by the name of who writes it.
#[derive(Clone, Copy)]
pub(super) struct ForeignFormat {
    /// What it is.
    pub(super) what: &'static str,
    /// What to do with it.
    pub(super) advice: &'static str,
    /// Whether a line is one of its own. Those that are strace's as well are marked by their call
    /// or their end, never by what may stand in a string.
    has: fn(line: &[u8], straces: bool) -> bool,
}

const WEB_PAGE: &str = "a web page";

const STRACE: &str = "log the program with `strace -f -ttt -o LOG COMMAND` instead";

const FORMATS: &[ForeignFormat] = &[
    ForeignFormat {
        what: "a log of ltrace",
        advice: STRACE,
        has: |line, straces| {
            let call = call(line);
            straces && LIBRARY_CALLS.iter().any(|name| call.starts_with(name))
                || call.starts_with(b"SYS_")
                || call.starts_with(b"+++ exited (status ")
                || before_bracket(call)
                    .is_some_and(|name| holds(name, b"@SYS") || holds(name, b"->"))
        },
    },
    ForeignFormat {
        what: "a log of perf trace",
        advice: STRACE,
        has: |line, straces| !straces && holds(line, b"(") && holds(line, b" ms): "),
    },
    ForeignFormat {
        what: "a recording of the kernel's tracepoints (perf script, trace-cmd or ftrace)",
        advice: STRACE,
        has: |line, straces| !straces && (holds(line, b"sys_enter") || holds(line, b"sys_exit")),
    },
    ForeignFormat {
        what: "a log of dtruss (DTrace)",
        advice: OTHER_SYSTEM,
        has: |line, _| {
            line.starts_with(b"SYSCALL(args)")
                || holds(line, b"SYSCALL(args) \t")
                || holds(line, b")\t\t = ")
        },
    },
    ForeignFormat {
        what: "a log of truss (FreeBSD, Solaris or AIX)",
        advice: OTHER_SYSTEM,
        has: |line, straces| {
            let line = line.trim_ascii_end();
            !straces && (holds(line, b"ERR#") || holds(line, b"Err#"))
                || line.starts_with(b"process exit, rval = ")
                || twice_the_result(line)
        },
    },
    ForeignFormat {
        what: "a log of ktrace (kdump)",
        advice: OTHER_SYSTEM,
        has: |line, straces| !straces && (holds(line, b" CALL  ") || holds(line, b" RET   ")),
    },
    ForeignFormat {
        what: WEB_PAGE,
        advice: "save the log itself (its raw text or attachment)",
        has: |line, straces| {
            let end = line.trim_ascii_end();
            let breaks = [&b"<br>"[..], b"<br/>", b"<br />"];
            begins_page(line)
                || breaks.iter().any(|tag| end.ends_with(tag))
                || !straces && HTML.iter().any(|mark| holds(line, mark))
        },
    },
    ForeignFormat {
        what: "a mail in quoted-printable",
        advice: "decode it: `perl -MMIME::QuotedPrint -ne 'print decode_qp($_)' FILE | brkhole explain -`",
        has: |line, straces| !straces && (holds(line, b"=3D ") || holds(line, b"=3D=")),
    },
    ForeignFormat {
        what: "a mail in base64",
        advice: "save the attachment itself",
        has: |line, _| line.eq_ignore_ascii_case(b"content-transfer-encoding: base64"),
    },
    ForeignFormat {
        what: "a log in JSON",
        advice: "take the lines out of it: `jq -j .log FILE | brkhole explain -` for Docker's, `journalctl -o cat` in place of `-o json`",
        has: |line, _| line.starts_with(b"{\"") && line.trim_ascii_end().ends_with(b"}"),
    },
    ForeignFormat {
        what: "a log of the kernel's audit",
        advice: STRACE,
        has: |line, straces| !straces && holds(line, b"type=SYSCALL "),
    },
    ForeignFormat {
        what: "a log of gVisor (runsc --strace)",
        advice: "trace the program outside of gVisor",
        has: |line, straces| !straces && holds(line, b" strace.go:"),
    },
    ForeignFormat {
        what: "a log of valgrind --trace-syscalls",
        advice: STRACE,
        has: |line, _| line.starts_with(b"SYSCALL["),
    },
    ForeignFormat {
        what: "a log of sysdig",
        advice: STRACE,
        has: |line, straces| !straces && (holds(line, b") > ") || holds(line, b") < ")),
    },
    ForeignFormat {
        what: "a log of Cygwin's strace",
        advice: OTHER_SYSTEM,
        has: |line, straces| !straces && holds(line, b" [main] "),
    },
];

const OTHER_SYSTEM: &str = "only logs of Linux's strace can be explained: on another system calls, \
                            flags and malloc are others";

/// Whether a web page begins with this line.
fn begins_page(line: &[u8]) -> bool {
    let line = line.trim_ascii_start();
    let mut tags = [&b"<!doctype html"[..], b"<html"].into_iter();
    tags.any(|tag| line.len() >= tag.len() && line[..tag.len()].eq_ignore_ascii_case(tag))
}

/// What stands in lines of a web page. (`3</etc/hosts>` is `strace -y`'s.)
const HTML: [&[u8]; 13] = [
    b"&quot;", b"&#34;", b"&lt;", b"&gt;", b"<br", b"</span>", b"</pre>", b"</code>", b"</div>",
    b"</td>", b"</p>", b"</a>", b"</font>",
];

/// Functions that no kernel has.
const LIBRARY_CALLS: [&[u8]; 9] = [
    b"malloc(",
    b"calloc(",
    b"realloc(",
    b"free(",
    b"strlen(",
    b"memcpy(",
    b"printf(",
    b"puts(",
    b"__libc_start_main(",
];

/// The format that these lines are of, if it isn't strace's: too many of them have its marks, as they
/// stand or bare of what stands before each.
fn foreign_format(lines: &[&[u8]], bare: &[&[u8]]) -> Option<ForeignFormat> {
    let of_strace = |lines: &[&[u8]]| lines.iter().map(|line| is_straces(line)).collect();
    let (whole, stripped): (Vec<bool>, Vec<bool>) = (of_strace(lines), of_strace(bare));
    let readable = |at: usize| whole[at] || stripped[at];
    let is_of = |format: &ForeignFormat, lines: &[&[u8]], straces: &[bool]| {
        let (mut marked, mut others) = (0, 0);
        for (at, (line, straces)) in lines.iter().zip(straces).enumerate() {
            match (format.has)(line, *straces) {
                true => marked += 1,
                false => others += usize::from(readable(at)),
            }
        }
        // Most lines of a page may be as strace wrote them: they have neither strings nor tags.
        let is_page =
            format.what == WEB_PAGE && lines.first().is_some_and(|line| begins_page(line));
        is_page || marked > 0 && 4 * marked >= others
    };
    let mut formats = FORMATS.iter();
    formats.find(|format| is_of(format, lines, &whole) || is_of(format, bare, &stripped)).copied()
}

fn holds(line: &[u8], part: &[u8]) -> bool {
    memchr::memmem::find(line, part).is_some()
}

/// A line without what strace and ltrace write before a call.
fn call(line: &[u8]) -> &[u8] {
    super::prefix::Prefix::parse(line).rest
}

fn before_bracket(call: &[u8]) -> Option<&[u8]> {
    memchr::memchr(b'(', call).map(|end| &call[..end])
}

/// `= 34365280256 (0x800545000)`
fn twice_the_result(line: &[u8]) -> bool {
    let results = || {
        let (before, hexadecimal) =
            line.strip_suffix(b")")?.split_at(memchr::memmem::rfind(line, b" (0x")?);
        let digits = &before[memchr::memmem::rfind(before, b" = ")? + 3..];
        let hexadecimal = u64::from_str_radix(str::from_utf8(&hexadecimal[4..]).ok()?, 16).ok()?;
        Some((str::from_utf8(digits).ok()?.parse::<u64>().ok()?, hexadecimal))
    };
    results().is_some_and(|(decimal, hexadecimal)| decimal == hexadecimal)
}

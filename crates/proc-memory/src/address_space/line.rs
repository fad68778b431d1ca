//! One line of `/proc/PID/maps`, byte by byte.
//!
//! References: `proc_pid_maps(5)`; `fs/proc/task_mmu.c` (`show_vma_header_prefix`).

use super::mapping::{Device, Mapping, Permissions, split_deleted};

/// Reads one line, with or without its newline. It allocates nothing and never panics, whatever
/// the bytes.
///
/// # Errors
/// The field that is not as the kernel writes it.
pub fn parse_line(line: &[u8]) -> Result<Mapping<&[u8]>, &'static str> {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let (start, rest) = split(line, b'-').ok_or("no address range")?;
    let (end, rest) = split(rest, b' ').ok_or("no end address")?;
    let (permissions, rest) = split(rest, b' ').ok_or("no permissions")?;
    let (offset, rest) = split(rest, b' ').ok_or("no offset")?;
    let (device, rest) = split(rest, b' ').ok_or("no device")?;
    let (major, minor) = split(device, b':').ok_or("the device is not major:minor")?;
    // Memory without a name ends in a space; lists that were edited may have lost it.
    let (inode, name) = split(rest, b' ').unwrap_or((rest, b""));
    let name = name.trim_ascii_start();

    let start = number(start, 16).ok_or("the start is no hexadecimal address")?;
    let end = number(end, 16).ok_or("the end is no hexadecimal address")?;
    if start >= end {
        return Err("the range does not end above its start");
    }
    let device = |part| number(part, 16).and_then(|number| u32::try_from(number).ok());
    let (name, deleted) = split_deleted(name);
    Ok(Mapping {
        start,
        end,
        permissions: letters(permissions).ok_or("the permissions are not like rwxp")?,
        offset: number(offset, 16).ok_or("the offset is no hexadecimal number")?,
        device: Device {
            major: device(major).ok_or("the device is no hexadecimal number")?,
            minor: device(minor).ok_or("the device is no hexadecimal number")?,
        },
        inode: number(inode, 10).ok_or("the inode is no number")?,
        name,
        deleted,
    })
}

fn split(bytes: &[u8], separator: u8) -> Option<(&[u8], &[u8])> {
    let position = bytes.iter().position(|&byte| byte == separator)?;
    Some((&bytes[..position], &bytes[position + 1..]))
}

fn letters(bytes: &[u8]) -> Option<Permissions> {
    let &[r, w, x, sharing] = bytes else {
        return None;
    };
    let flag = |byte: u8, yes: u8| match byte {
        b'-' => Some(false),
        byte if byte == yes => Some(true),
        _ => None,
    };
    Some(Permissions {
        read: flag(r, b'r')?,
        write: flag(w, b'w')?,
        execute: flag(x, b'x')?,
        shared: match sharing {
            b's' => true,
            b'p' => false,
            _ => return None,
        },
    })
}

/// Digits only: the standard library would also take a sign.
fn number(digits: &[u8], radix: u32) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |value, &byte| {
        let digit = char::from(byte).to_digit(radix)?;
        value.checked_mul(u64::from(radix))?.checked_add(u64::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_field_by_field() {
        let line =
            b"7f5f6ee7b000-7f5f6eea1000 r-xp 00026000 fe:10 326279      /usr/lib/libc.so.6\n";
        let mapping = parse_line(line).unwrap();
        assert_eq!((mapping.start, mapping.end), (0x7f5f_6ee7_b000, 0x7f5f_6eea_1000));
        assert_eq!(mapping.length_bytes(), 0x26000);
        assert_eq!(mapping.permissions.to_string(), "r-xp");
        assert_eq!((mapping.offset, mapping.inode), (0x26000, 326_279));
        assert_eq!(mapping.device, Device { major: 0xfe, minor: 0x10 });
        assert_eq!((mapping.name, mapping.deleted), (&b"/usr/lib/libc.so.6"[..], false));
    }

    #[test]
    fn names_are_kept_as_they_are() {
        let head = "00400000-00401000 rw-s 00000000 00:05 2057 ".to_owned();
        let name = |tail: &[u8]| {
            let line = [head.as_bytes(), b"             ", tail].concat();
            let mapping = parse_line(&line).unwrap().to_owned();
            (mapping.name.to_vec(), mapping.deleted)
        };
        let kept = |tail: &[u8]| assert_eq!(name(tail), (tail.to_vec(), false));
        kept(b"");
        kept(b"[heap]");
        kept(b"/a name  with spaces ");
        kept(b"/caf\xe9/\xff\xfe");
        kept(b"/new\\012line");
        kept(b"[anon:x (deleted)");
        assert_eq!(name(b"/memfd:a b (deleted)"), (b"/memfd:a b".to_vec(), true));
        assert_eq!(name(b"/x (deleted) (deleted)"), (b"/x (deleted)".to_vec(), true));
    }

    #[test]
    fn escaped_newlines_become_newlines_in_paths() {
        let line = b"1000-2000 r--p 00000000 00:05 7 /a\\012b\\012 (deleted)";
        let path = parse_line(line).unwrap().path().unwrap().into_owned();
        assert_eq!(path, std::path::Path::new("/a\nb\n"));
        assert!(parse_line(b"1000-2000 r--p 0 00:00 0 [heap]").unwrap().path().is_none());
    }

    #[test]
    fn the_highest_addresses_fit() {
        let line = b"ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0     [vsyscall]";
        assert_eq!(parse_line(line).unwrap().end, 0xffff_ffff_ff60_1000);
        let line = b"0-ffffffffffffffff ---p 0 ffffffff:ffffffff 18446744073709551615";
        assert_eq!(parse_line(line).unwrap().inode, u64::MAX);
    }

    #[test]
    fn what_the_kernel_never_writes_is_refused() {
        for line in [
            "",
            "\n",
            "1000",
            "1000-2000",
            "1000-2000 r--p 0 00:00",
            "1000-2000 r--p 0 0000 0",
            "1000-2000 r--p 0 00:00 x",
            "1000-2000 r--p 0 00:100000000 0",
            "1000-2000 r--p +1 00:00 0",
            "1000-2000 rw-- 0 00:00 0",
            "1000-2000 rwxpp 0 00:00 0",
            "1000-2000 wr-p 0 00:00 0",
            "2000-1000 r--p 0 00:00 0",
            "1000-1000 r--p 0 00:00 0",
            "10000000000000000-20000000000000000 r--p 0 00:00 0",
            "1000-2000 r--p 0 00:00 18446744073709551616",
        ] {
            assert!(parse_line(line.as_bytes()).is_err(), "{line}");
        }
    }
}

//! The line of a mapping as the kernel writes it.

use std::io::{self, Write};

use proc_memory::Mapping;

/// Column at which the kernel puts the name, counted from 0: it fills up to
/// `25 + sizeof(void *) * 6 - 1` and adds one space (`seq_setwidth` in `fs/proc/task_mmu.c`,
/// `seq_pad` in `fs/seq_file.c`).
const NAME_COLUMN: usize = 73;

/// Writes the line as the kernel would, newline included; `proc_memory::parse_line` reads it back. A
/// newline in the name is escaped.
///
/// # Errors
/// When `out` cannot be written to.
pub fn write_line<N: AsRef<[u8]>>(mapping: &Mapping<N>, out: &mut impl Write) -> io::Result<()> {
    let Mapping { start, end, permissions, offset, device, inode, .. } = mapping;
    let head = format!("{start:08x}-{end:08x} {permissions} {offset:08x} {device} {inode} ");
    out.write_all(head.as_bytes())?;
    let name = mapping.name.as_ref();
    if !name.is_empty() {
        write!(out, "{:1$}", "", NAME_COLUMN.saturating_sub(head.len()))?;
        for (index, part) in name.split(|&byte| byte == b'\n').enumerate() {
            if index > 0 {
                out.write_all(b"\\012")?;
            }
            out.write_all(part)?;
        }
        if mapping.deleted {
            out.write_all(b" (deleted)")?;
        }
    }
    out.write_all(b"\n")
}

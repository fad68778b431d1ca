//! Real programs, launched and attached to; held against strace where it is installed.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use suite as _;

#[cfg(feature = "attach")]
mod attach;
mod launch;

suite::compiling!();

/// A program whose calls are those of 32-bit code: one that is 64-bit code and makes them by `int 0x80`,
/// and one that is 32-bit code. `None`, and a remark, where the kernel runs none.
fn programs_of_i386_calls(name: &str, define: &str) -> Option<[PathBuf; 2]> {
    let how: [&[&str]; 2] =
        [&["-static"], &["-m32", "-static", "-nostdlib", "-fno-pie", "-fno-stack-protector"]];
    let compile = |(how, kind): (&[&str], &str)| {
        let source = "../../bpf-memory-trace/tests/programs/i386.c";
        let program =
            compiled(source, &format!("{name}-{kind}"), &[how, &["-O1", define]].concat());
        let run = Command::new(&program).stdin(Stdio::null()).stdout(Stdio::null()).status();
        match run {
            Ok(_) => Some(program),
            Err(error) => {
                suite::skipped(format_args!("no 32-bit programs here ({error})"));
                None
            }
        }
    };
    Some([compile((how[0], "int80"))?, compile((how[1], "i386"))?])
}

//! What memory holds is the program's to write: nothing of it may make an account fail or not end,
//! and the sum stays the kernel's.

use std::process::Command;

use super::compiled;
use super::target::{MIB, Target};

#[test]
fn whatever_memory_holds_rows_add_up() {
    // By its name each recogniser looks at it.
    for name in ["python3", "php", "ruby", "luajit", "forged"] {
        let program = compiled("programs/forged.c", name, &["-O1"]);
        let target = Target::start(&mut Command::new(program));
        assert!(target.account().rss_bytes() > 24 * MIB, "{name}");
    }
}

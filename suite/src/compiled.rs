//! Compiles the programs that tests watch.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

/// Gives a test program `compiled(source, name, arguments)`: it compiles `tests/SOURCE` of its
/// package to a program of this name, unless it is there already, and gives the path. `arguments`
/// are the compiler's.
#[macro_export]
macro_rules! compiling {
    () => {
        /// Compiles `tests/SOURCE` to a program of this name.
        pub fn compiled(source: &str, name: &str, arguments: &[&str]) -> ::std::path::PathBuf {
            let package = env!("CARGO_MANIFEST_DIR");
            $crate::compiled(package, env!("CARGO_TARGET_TMPDIR"), source, name, arguments)
        }
    };
}

/// See [`compiling`](crate::compiling).
pub fn compiled(
    package: &str,
    kept: &str,
    source: &str,
    name: &str,
    arguments: &[&str],
) -> PathBuf {
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let source = Path::new(package).join("tests").join(source);
    let kept = Path::new(kept);
    let changed = |path: &Path| path.metadata().and_then(|file| file.modified()).ok();
    let mut program = kept.join(name);
    if changed(&program) <= changed(&source) {
        program = crate::place::for_programs(kept).join(name);
    }
    if changed(&program) <= changed(&source) {
        // Another run of the tests may be executing the old one, or making it at this moment.
        let fresh = program.with_extension(std::process::id().to_string());
        let status = Command::new("cc")
            .args(["-Wall", "-Werror", "-pthread"])
            .args(arguments)
            .arg("-o")
            .args([&fresh, &source])
            .status()
            .expect("these tests need a C compiler called cc");
        assert!(status.success(), "{source:?} does not compile: {arguments:?}");
        std::fs::rename(&fresh, &program).unwrap();
    }
    program
}

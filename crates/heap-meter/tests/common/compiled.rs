//! Compiles the programs that tests watch.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

/// Compiles `tests/SOURCE` of the package that is tested to a program of this name, unless it is
/// there already, and gives its path. `arguments` are the compiler's.
pub fn compiled(source: &str, name: &str, arguments: &[&str]) -> PathBuf {
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let source = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests")
        .join(source);
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let changed = |path: &Path| path.metadata().and_then(|file| file.modified()).ok();
    let mut program = kept.join(name);
    if changed(&program) <= changed(&source) {
        program = suite::place::for_programs(kept).join(name);
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
        assert!(
            status.success(),
            "{source:?} does not compile: {arguments:?}"
        );
        std::fs::rename(&fresh, &program).unwrap();
    }
    program
}

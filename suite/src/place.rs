//! Where temporary files go: one directory for a test program and all that it starts, removed by its
//! keeper. `TMPDIR` names it, so that [`std::env::temp_dir`], the crate tempfile and every other program
//! find it.
//!
//! And where programs go that tests compile.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use nix::sys::statvfs::{FsFlags, statvfs};
use nix::unistd::{AccessFlags, access, geteuid};
use tempfile::TempDir;

/// Makes it, and has `TMPDIR` name it.
pub(crate) fn scratch() -> Option<TempDir> {
    let wished = std::env::temp_dir();
    let wished = std::path::absolute(&wished).unwrap_or(wished);
    let others = ["/tmp", "/var/tmp", "/dev/shm"].map(PathBuf::from);
    for place in std::iter::once(&wished).chain(&others) {
        match below(place) {
            Ok(scratch) => {
                // SAFETY: before `main`; the process has one thread.
                unsafe { std::env::set_var("TMPDIR", scratch.path()) };
                return Some(scratch);
            }
            Err(why) => eprintln!("suite: no temporary files in {}: {why}", place.display()),
        }
    }
    None
}

/// A directory that holds whatever tests make: files, and programs that others may run too.
fn below(place: &Path) -> Result<TempDir, String> {
    if statvfs(place).is_ok_and(|system| system.flags().contains(FsFlags::ST_NOEXEC)) {
        return Err("it is mounted noexec".to_owned());
    }
    let open = |path: &Path| {
        let directory = path.metadata();
        directory.is_ok_and(|directory| directory.mode() & 0o001 != 0)
    };
    // Only root can become another user.
    if geteuid().is_root() && !place.ancestors().all(open) {
        return Err("only its owner may enter it".to_owned());
    }
    let mut scratch = tempfile::Builder::new();
    // As /tmp is: other users need temporary files too.
    let everybody = PermissionsExt::from_mode(0o1777);
    let scratch = scratch.prefix("suite.").tempdir_in(place);
    scratch
        .and_then(|made| std::fs::set_permissions(made.path(), everybody).map(|()| made))
        .map_err(|error| error.to_string())
}

/// A directory for programs that tests compile: `kept`, where they are found by the next run, if it
/// can be written to, else the one for temporary files.
pub fn for_programs(kept: &Path) -> PathBuf {
    if access(kept, AccessFlags::W_OK | AccessFlags::X_OK).is_ok() {
        kept.to_owned()
    } else {
        std::env::temp_dir()
    }
}

/// Makes an executable file with another's content. Not by writing it here: a test on another thread
/// may fork meanwhile, and as long as its child has the file open for writing, nobody can execute it
/// (`ETXTBSY`).
///
/// # Panics
/// When it can't be made.
pub fn executable_copy(from: &Path, to: &Path, mode: u32) {
    let mode = format!("--mode={mode:o}");
    let status = Command::new("install").arg(mode).args([from, to]).status();
    assert!(status.expect("install(1) is there").success(), "{from:?} to {to:?}");
}

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

/// See [`compiling`].
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
        program = for_programs(kept).join(name);
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

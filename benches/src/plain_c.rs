//! A plain C program that makes the calls of `trusted-ca`, linked against the OpenSSL that the Rust
//! side is linked against: what its memory (a test of `repro`) and its time (the bench of this name)
//! are held against. Which OpenSSL it is, the build script knows: `PLAIN_C_INCLUDE` and, for one
//! built from source or named by `OPENSSL_DIR`, `PLAIN_C_LIB`.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What `plain.c` says of one run.
#[derive(Debug)]
pub struct Plain {
    fields: BTreeMap<String, String>,
}

impl Plain {
    /// A line's value by its name.
    pub fn text(&self, name: &str) -> &str {
        let found = self.fields.get(name);
        found.unwrap_or_else(|| panic!("plain.c said nothing of {name}: {:?}", self.fields))
    }

    /// A line's value as a number.
    pub fn number(&self, name: &str) -> f64 {
        let text = self.text(name);
        text.parse().unwrap_or_else(|error| panic!("{name} {text}: {error}"))
    }
}

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/programs/plain.c");

/// Compiles it to `directory/plain`: optimised, not position independent, as the reproducers are.
///
/// # Panics
/// When there is no C compiler called `cc`, or it refuses the program.
pub fn compile(directory: &Path) -> PathBuf {
    let program = directory.join("plain");
    let output = Command::new("cc")
        .args(["-O2", "-Wall", "-Wextra", "-Werror", "-no-pie", "-o"])
        .arg(&program)
        .arg("-I")
        .arg(env!("PLAIN_C_INCLUDE"))
        .arg(SOURCE)
        .args(libraries())
        .args(["-ldl", "-lpthread"])
        .output()
        .expect("a C compiler called cc is needed (apt-get install gcc)");
    assert!(
        output.status.success(),
        "{SOURCE} does not compile:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    program
}

/// The static libraries where OpenSSL was built from source, else what the linker finds.
fn libraries() -> Vec<OsString> {
    let Some(directory) = option_env!("PLAIN_C_LIB").map(Path::new) else {
        return vec!["-lssl".into(), "-lcrypto".into()];
    };
    let archives = ["libssl.a", "libcrypto.a"].map(|name| directory.join(name));
    if archives.iter().all(|archive| archive.is_file()) {
        return archives.map(PathBuf::into_os_string).into();
    }
    let mut path = OsString::from("-Wl,-rpath,");
    path.push(directory);
    let directory = directory.as_os_str().to_owned();
    vec!["-L".into(), directory, path, "-lssl".into(), "-lcrypto".into()]
}

/// Runs the compiled program for so many locations.
///
/// # Panics
/// When it can't be started or fails.
pub fn run(program: &Path, locations: u64, bundle: &Path) -> Plain {
    let output = Command::new(program)
        .arg(locations.to_string())
        .arg(bundle)
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}", program.display()));
    assert!(
        output.status.success(),
        "plain.c: {}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).expect("plain.c writes plain text");
    let fields = text.lines().filter_map(|line| {
        let (name, value) = line.split_once(' ')?;
        Some((name.to_owned(), value.to_owned()))
    });
    Plain { fields: fields.collect() }
}

//! Programs that have no OpenSSL notice nothing, and the library itself is a small guest.

use std::process::Command;

use super::material::PYTHON;
use crate::common::{MODES, Ran, compiled, installed, library, same_in_every_way};

fn notices_nothing(mut program: impl FnMut() -> Command) {
    for with in same_in_every_way(&mut program) {
        assert_eq!(with.counts, [], "{:?}", program());
    }
}

fn with_arguments(program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments);
    command
}

#[test]
fn programs_without_openssl() {
    let programs: [(&str, &[&str]); 7] = [
        ("true", &[]),
        ("false", &[]),
        ("sleep", &["0.01"]),
        ("ls", &["/"]),
        ("ls", &["/nonexistent"]),
        ("sh", &["-c", "echo out; echo err >&2; exit 7"]),
        (PYTHON, &["-I", "-c", "print('no ssl')"]),
    ];
    for (program, arguments) in programs {
        notices_nothing(|| with_arguments(program, arguments));
    }
}

#[test]
fn a_program_linked_statically() {
    let program = compiled("programs/hello.c", "hello-static", &["-static"]);
    notices_nothing(|| Command::new(&program));
}

#[test]
fn the_dynamic_linker_itself() {
    let readelf = with_arguments("readelf", &["-lW", "/bin/true"]).output();
    let headers = String::from_utf8_lossy(&readelf.expect("binutils").stdout).into_owned();
    let (_, rest) = headers.split_once("program interpreter: ").expect("a dynamic program");
    let (linker, _) = rest.split_once(']').expect("a bracket");
    notices_nothing(|| with_arguments(linker, &["--version"]));
}

/// The kernel has the linker drop the library from a program that gains rights.
#[test]
fn a_setuid_program() {
    if !installed("setpriv") || !installed("mount") {
        return;
    }
    notices_nothing(|| {
        let mut command = Command::new("sh");
        // As root nothing is gained, so somebody else has to start it.
        command.args([
            "-c",
            "[ $(id -u) = 0 ] && as='setpriv --reuid 65534 --regid 65534 --clear-groups'
             exec $as mount --version",
        ]);
        command
    });
}

#[test]
fn no_openssl_enters_a_process_that_has_none() {
    for mode in MODES {
        let ran = Ran::to_end(&mut with_arguments("cat", &["/proc/self/maps"]), mode);
        assert!(ran.stdout.contains("libtrusted_ca_preload.so"), "{ran:?}");
        for foreign in ["libssl", "libcrypto"] {
            assert!(!ran.stdout.contains(foreign), "{foreign}: {}", ran.stdout);
        }
    }
}

/// What binutils says of the library.
fn told(program: &str, arguments: &[&str]) -> String {
    let mut command = with_arguments(program, arguments);
    let output = command.arg(library()).output().expect("binutils");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("plain names")
}

#[test]
fn the_library_needs_nothing_but_the_c_library() {
    let section = told("readelf", &["-dW"]);
    let needed = section.lines().filter_map(|line| {
        let (_, name) = line.split_once("Shared library: [")?;
        name.strip_suffix(']')
    });
    for name in needed {
        let own = ["libc.so", "libgcc_s.so", "ld-linux", "libdl.so", "libpthread.so"];
        assert!(own.iter().any(|own| name.starts_with(own)), "{name}");
    }
}

#[test]
fn the_library_exports_only_what_it_interposes() {
    let names = told("nm", &["-D", "--defined-only", "--format=just-symbols"]);
    let names: Vec<&str> = names.lines().collect();
    assert!(names.contains(&"X509_STORE_load_file"), "{names:?}");
    for name in &names {
        let openssl = name.starts_with("X509_") || name.starts_with("SSL_");
        assert!(openssl, "{name} may hide a function of the program's");
    }
}

#[test]
fn the_library_runs_nothing_when_it_is_loaded() {
    let section = told("readelf", &["-dW"]);
    for line in section.lines() {
        let code = ["(INIT", "(PREINIT", "(FINI"].iter().any(|kind| line.contains(kind));
        assert!(!code, "{line}");
    }
}

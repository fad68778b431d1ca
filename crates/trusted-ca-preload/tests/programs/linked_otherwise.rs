//! Programs that come by their OpenSSL in other ways: by dlopen(3), two of them at once, or linked
//! statically.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::material::{Bundles, MACHINE, PYTHON};
use crate::common::{MODES, compiled, installed, same_in_every_way};

/// How often `contexts.c` and `dlopened.c` load: contexts; rounds, each a context and a store.
const CONTEXTS: u64 = 5;
const LOADS_OF_A_COPY: u64 = 4 * 2;
/// What copies of libcrypto and libssl are called.
const OTHER_NAMES: [&str; 2] = ["libcrypto-other.so", "libssl-other.so"];

fn machines_bundle() -> (Bundles, PathBuf, usize) {
    let mut bundles = Bundles::new();
    let bundle = bundles.joined("machine", &[MACHINE.as_ref()]);
    bundles.settle();
    let text = fs::read_to_string(&bundle).expect("the machine's bundle");
    let certificates = text.matches("-----BEGIN CERTIFICATE-----").count();
    (bundles, bundle, certificates)
}

/// Where the OpenSSL lies that Python's `ssl` module uses, by the name it is known by.
fn machines_library(name: &str) -> PathBuf {
    let maps = "import ssl; print(open('/proc/self/maps').read())";
    let output = Command::new(PYTHON).args(["-I", "-c", maps]).output();
    let maps = String::from_utf8(output.expect("Python").stdout).expect("plain names");
    let path = maps.split_whitespace().find(|word| {
        let file = Path::new(word).file_name();
        file.is_some_and(|file| file.to_string_lossy().starts_with(name))
    });
    PathBuf::from(path.unwrap_or_else(|| panic!("Python has no {name}: {maps}")))
}

#[test]
fn linked_dynamically_it_takes_part() {
    let (_bundles, bundle, certificates) = machines_bundle();
    let program = compiled(
        "programs/contexts.c",
        "contexts-dynamic",
        &["-Wl,--no-as-needed", "-lssl", "-lcrypto"],
    );
    let ran = same_in_every_way(|| {
        let mut command = Command::new(&program);
        command.arg(&bundle);
        command
    });
    for (with, mode) in ran.iter().zip(MODES) {
        let expected = format!("{certificates}\n").repeat(CONTEXTS as usize);
        assert_eq!(with.stdout, expected, "{mode:?}");
        let counts = with.only_counts();
        assert_eq!(counts.loads, CONTEXTS, "{mode:?}");
        assert_eq!(counts.parses, 1, "{mode:?}");
        assert_eq!(counts.shared, CONTEXTS - 1, "{mode:?}");
    }
}

#[test]
fn a_static_openssl_is_left_alone() {
    let (_bundles, bundle, certificates) = machines_bundle();
    // The archives are searched before the source is read: `-u` says what it will want of them.
    let archives = [
        "-Wl,-u,TLS_client_method,-u,SSL_CTX_new,-u,X509_STORE_get0_objects",
        "-Wl,-u,ERR_peek_last_error,-u,ERR_reason_error_string,-u,OPENSSL_sk_num",
        "-Wl,--start-group,-l:libssl.a,-l:libcrypto.a,--end-group",
    ];
    let hidden = compiled("programs/contexts.c", "contexts-hidden", &archives);
    // Its OpenSSL can be seen by everybody, as that of Node.js can.
    let exported = [&archives[..], &["-rdynamic"]].concat();
    let exported = compiled("programs/contexts.c", "contexts-exported", &exported);
    for program in [hidden, exported] {
        let ran = same_in_every_way(|| {
            let mut command = Command::new(&program);
            command.arg(&bundle);
            command
        });
        for (with, mode) in ran.iter().zip(MODES) {
            let expected = format!("{certificates}\n").repeat(CONTEXTS as usize);
            assert_eq!(with.stdout, expected, "{mode:?}: {program:?}");
            assert_eq!(with.counts, [], "{mode:?}: {program:?}");
        }
    }
}

fn dlopened(bundle: &Path, copies: &[[PathBuf; 2]]) -> Command {
    let program = compiled("programs/dlopened.c", "dlopened", &["-ldl"]);
    let mut command = Command::new(program);
    command.arg(bundle).args(copies.as_flattened());
    command
}

#[test]
fn an_openssl_of_its_own_opened_privately() {
    let (_bundles, bundle, certificates) = machines_bundle();
    let copy = ["libcrypto.so", "libssl.so"].map(machines_library);
    let ran = same_in_every_way(|| dlopened(&bundle, std::slice::from_ref(&copy)));
    for (with, mode) in ran.iter().zip(MODES) {
        assert!(with.status.success(), "{mode:?}: {with:?}");
        let line = format!("copy 1: {certificates} certificates, 0 of another copy\n");
        assert_eq!(with.stdout, line.repeat(LOADS_OF_A_COPY as usize), "{mode:?}");
        let counts = with.only_counts();
        assert_eq!(counts.loads, LOADS_OF_A_COPY, "{mode:?}: {counts:?}");
        assert_eq!(counts.parses, 1, "{mode:?}: {counts:?}");
        assert_eq!(counts.shared, LOADS_OF_A_COPY - 1, "{mode:?}: {counts:?}");
    }
}

/// One change of an ELF file. Several in one run of patchelf 0.14 get into each other's way.
fn patched(file: &Path, change: &[&str]) {
    let status = Command::new("patchelf").args(change).arg(file).status();
    assert!(status.expect("patchelf").success(), "{change:?}");
}

/// The machine's OpenSSL under other names, so that the dynamic linker takes it for another one.
fn renamed(directory: &Path) -> [PathBuf; 2] {
    let [crypto, ssl] = ["libcrypto.so", "libssl.so"].map(|name| {
        let copy = directory.join(OTHER_NAMES[usize::from(name != "libcrypto.so")]);
        fs::copy(machines_library(name), &copy).expect("our own directory");
        copy
    });
    patched(&crypto, &["--set-soname", OTHER_NAMES[0]]);
    patched(&ssl, &["--set-soname", OTHER_NAMES[1]]);
    patched(&ssl, &["--replace-needed", &file_name("libcrypto.so"), OTHER_NAMES[0]]);
    [crypto, ssl]
}

/// What the machine's library is called in references to it.
fn file_name(name: &str) -> String {
    let path = machines_library(name);
    let name = path.file_name().expect("a library has a name");
    name.to_string_lossy().into_owned()
}

#[test]
fn two_openssls_in_one_process_are_kept_apart() {
    if !installed("patchelf") {
        return;
    }
    let (bundles, bundle, certificates) = machines_bundle();
    let copies =
        [["libcrypto.so", "libssl.so"].map(machines_library), renamed(bundles.directory())];
    let ran = same_in_every_way(|| dlopened(&bundle, &copies));
    for (with, mode) in ran.iter().zip(MODES) {
        assert!(with.status.success(), "{mode:?}: {with:?}");
        let line = |copy| format!("copy {copy}: {certificates} certificates, 0 of another copy\n");
        let round = line(1).repeat(2) + &line(2).repeat(2);
        assert_eq!(with.stdout, round.repeat(4), "{mode:?}");
        let counts = with.only_counts();
        assert_eq!(counts.loads, 2 * LOADS_OF_A_COPY, "{mode:?}: {counts:?}");
        assert!(counts.shared > 0, "{mode:?}: {counts:?}");
    }
}

/// The realistic case of two: plug-ins, each linked to an OpenSSL of its own.
#[test]
fn two_plug_ins_with_an_openssl_each() {
    if !installed("patchelf") {
        return;
    }
    let (bundles, bundle, certificates) = machines_bundle();
    renamed(bundles.directory());
    let linked = ["-shared", "-fPIC", "-Wl,--no-as-needed", "-lssl", "-lcrypto"];
    let usual = compiled("programs/plugin.c", "plugin-usual.so", &linked);
    let other = bundles.directory().join("plugin-other.so");
    fs::copy(&usual, &other).expect("our own directory");
    for (name, other_name) in ["libcrypto.so", "libssl.so"].into_iter().zip(OTHER_NAMES) {
        patched(&other, &["--replace-needed", &file_name(name), other_name]);
    }
    let host = compiled("programs/host.c", "host", &["-ldl"]);
    let ran = same_in_every_way(|| {
        let mut command = Command::new(&host);
        command.arg(&bundle).args([&usual, &other]).env("LD_LIBRARY_PATH", bundles.directory());
        command
    });
    for (with, mode) in ran.iter().zip(MODES) {
        let round = format!("plug-in 1: {certificates}\nplug-in 2: {certificates}\n");
        assert_eq!(with.stdout, round.repeat(2), "{mode:?}");
        let counts = with.only_counts();
        assert_eq!(counts.parses, 2, "{mode:?}: {counts:?}");
        assert_eq!(counts.shared, counts.loads - 2, "{mode:?}: {counts:?}");
    }
}

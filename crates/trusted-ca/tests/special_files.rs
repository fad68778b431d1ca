//! What is not a plain readable file: no file, a directory, a pipe, someone else's file, a path
//! with NUL, a huge file, a device.

use std::ffi::{CString, OsStr};
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use crate::common::{
    Outcome, assert_readers_agree, by_cycle, by_load, by_mapping, by_openssl, count, data, mapped,
    skip,
};
use trusted_ca::{Cycle, LoadStage, Nginx, ReadMethod, SslContext};

/// The stage that each way of loading reports for a file that none of them accepts.
fn stages(path: &Path) -> [LoadStage; 3] {
    let mut context = SslContext::new().expect("a context");
    let by_load = context.load_trusted(path, Nginx::Before1_27_2);
    // SAFETY: test files belong to one test, which does not change them while it loads them.
    let by_map = unsafe { context.load_trusted_mapped(path) };
    let by_cycle = context.load_trusted(path, Nginx::Since1_27_2(&mut Cycle::new()));
    assert_eq!(context.contents(), []);
    [
        by_load.expect_err("refused").stage,
        by_map.expect_err("refused").stage,
        by_cycle.expect_err("refused").stage,
    ]
}

#[test]
fn a_missing_file() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let path = dir.path().join("missing.pem");
    let outcome = assert_readers_agree("missing", &path);
    assert!(outcome.queue.concat().contains("No such file"), "{outcome:?}");
    assert_eq!(stages(&path), [LoadStage::Open; 3]);
    let error = SslContext::new()
        .expect("a context")
        .load_trusted(&path, Nginx::Before1_27_2)
        .expect_err("refused");
    let text = error.to_string();
    assert!(text.starts_with(&format!("{path:?} cannot be opened.")), "{text}");
    assert!(text.contains("Check that it exists"), "{text}");
}

#[test]
fn an_empty_path() {
    assert_readers_agree("empty path", Path::new(""));
    assert_eq!(stages(Path::new("")), [LoadStage::Open; 3]);
}

#[test]
fn an_empty_file_and_a_directory_are_named_as_such() {
    let dir = tempfile::tempdir().expect("temporary directory");
    assert_readers_agree("directory", dir.path());
    assert_eq!(stages(dir.path()), [LoadStage::Directory; 3]);
    let empty = dir.path().join("empty.pem");
    File::create(&empty).expect("created");
    assert_readers_agree("empty", &empty);
    assert_eq!(stages(&empty), [LoadStage::Empty; 3]);
}

#[test]
fn a_path_with_nul_never_reaches_openssl() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let file = dir.path().join("bundle.pem");
    fs::write(&file, data("alpha.pem")).expect("written");
    // For C this names the good file above.
    let mut bytes = file.as_os_str().as_bytes().to_vec();
    bytes.extend_from_slice(b"\0.bak");
    let path = PathBuf::from(OsStr::from_bytes(&bytes));
    assert_eq!(stages(&path), [LoadStage::NulInPath; 3]);
    let error = Cycle::new().bundle(&path).expect_err("refused");
    assert!(error.to_string().contains("\\0.bak\" contains a NUL byte"), "{error}");
}

#[test]
fn through_a_symbolic_link_and_a_name_that_is_not_utf8() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let file = dir.path().join(OsStr::from_bytes(b"b\xfcndel.pem"));
    fs::write(&file, data("alpha.pem")).expect("written");
    let link = dir.path().join("link.pem");
    std::os::unix::fs::symlink(&file, &link).expect("linked");
    for path in [&file, &link] {
        let outcome = assert_readers_agree("link", path);
        assert_eq!(count(&outcome.contents), (1, 0));
    }
}

#[test]
fn devices_and_files_without_a_length_are_streamed() {
    for path in ["/dev/null", "/dev/zero", "/proc/version", "/proc/self/mem"].map(Path::new) {
        let outcome = assert_readers_agree(&path.display().to_string(), path);
        assert!(!outcome.accepted);
    }
}

#[test]
fn a_pipe_is_read_once_and_gets_the_same_verdict() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let good = [data("alpha.pem"), data("beta.pem"), data("gamma.pem")].concat();
    let cut = good[..good.len() - 100].to_vec();
    let junk = fuzz_bundles::Dice(7).bytes(200_000);
    let with_nul = [data("alpha.pem"), b"\0\n".to_vec(), data("beta.pem")].concat();
    for (name, bytes) in
        [("good", good), ("cut", cut), ("junk", junk), ("NUL", with_nul), ("nothing", Vec::new())]
    {
        let file = dir.path().join("same.pem");
        fs::write(&file, &bytes).expect("written");
        let expected = by_openssl(&file);
        for (way, load) in [
            ("OpenSSL", by_openssl as fn(&Path) -> Outcome),
            ("load", by_load),
            ("mapping", by_mapping),
        ] {
            let outcome = through_pipe(dir.path(), &bytes, load);
            assert_eq!(outcome, expected, "{name}, {way}");
        }
        let since = through_pipe(dir.path(), &bytes, by_cycle);
        assert_eq!(since.contents, expected.contents, "{name}, since 1.27.2");
    }
    let bytes = data("alpha.pem");
    let (_, reading) = through_pipe(dir.path(), &bytes, mapped);
    assert_eq!(reading, Some(ReadMethod::Streamed));
}

/// Loads from a pipe while another thread writes to it.
///
/// Each time from a new one: fopen(3) opens without O_CLOEXEC, and a child that another test
/// starts meanwhile keeps that reading end. On the same pipe the next writer would find it, not
/// wait for its own reader, and be gone before that one opens: fifo(7) lets it wait for ever.
fn through_pipe<T>(dir: &Path, bytes: &[u8], load: impl FnOnce(&Path) -> T) -> T {
    let pipe = dir.join("pipe");
    let c_path = CString::new(pipe.as_os_str().as_bytes()).expect("no NUL");
    // SAFETY: a C string and a mode.
    let made = unsafe { libc::mkfifo(c_path.as_ptr(), 0o600) };
    assert_eq!(made, 0, "mkfifo: {}", std::io::Error::last_os_error());
    let loaded = thread::scope(|scope| {
        scope.spawn(|| {
            let mut writer = OpenOptions::new().write(true).open(&pipe).expect("opened");
            // The reader may stop early, at a line that starts with NUL or a damaged block, and
            // close its end: EPIPE, since Rust programs ignore SIGPIPE.
            if let Err(error) = writer.write_all(bytes) {
                assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe);
            }
        });
        load(&pipe)
    });
    fs::remove_file(&pipe).expect("removed");
    loaded
}

#[test]
fn sixty_four_mib_of_junk() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let path = dir.path().join("junk.pem");
    let mut file = File::create(&path).expect("created");
    // Printable, so that the parser has to go through all of it: one line of 1 MiB, 64 times.
    let mut block = vec![b'j'; 1 << 20];
    block[(1 << 20) - 1] = b'\n';
    for _ in 0..64 {
        file.write_all(&block).expect("written");
    }
    let outcome = assert_readers_agree("64 MiB of text", &path);
    assert!(!outcome.accepted);
    assert!(!by_cycle(&path).accepted);

    file.write_all(&data("alpha.pem")).expect("written");
    let outcome = assert_readers_agree("64 MiB of text and a certificate", &path);
    assert_eq!(count(&outcome.contents), (1, 0));
    assert_eq!(by_cycle(&path).contents, outcome.contents);
}

#[test]
fn three_gib_with_holes() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let path = dir.path().join("sparse.pem");
    let file = File::create(&path).expect("created");
    file.write_all_at(&data("alpha.pem"), 0).expect("written");
    let end = data("beta.pem");
    if let Err(error) = file.write_all_at(&end, 3 << 30) {
        return skip("three_gib_with_holes", &error.to_string());
    }
    // The hole reads as NUL, which ends parsing; what counts is that no length is cut to 32 bits.
    let (outcome, reading) = mapped(&path);
    let bytes = (3 << 30) + end.len() as u64;
    assert_eq!(reading, Some(ReadMethod::Mapped { bytes }));
    assert_eq!(outcome, by_openssl(&path));
    assert_eq!(count(&outcome.contents), (1, 0));
}

/// Set in the child that has given up root.
const AS_NOBODY: &str = "TRUSTED_CA_TEST_FILE";

#[test]
fn an_unreadable_file() {
    const NAME: &str = "an_unreadable_file";
    if let Some(path) = std::env::var_os(AS_NOBODY) {
        let path = PathBuf::from(path);
        let outcome = assert_readers_agree("unreadable", &path);
        assert!(outcome.queue.concat().contains("Permission denied"), "{outcome:?}");
        assert_eq!(stages(&path), [LoadStage::Open; 3]);
        return;
    }
    let dir = tempfile::tempdir().expect("temporary directory");
    let path = dir.path().join("secret.pem");
    fs::write(&path, data("alpha.pem")).expect("written");
    fs::set_permissions(&path, PermissionsExt::from_mode(0o000)).expect("mode");
    fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o755)).expect("mode");
    let mut child = Command::new(std::env::current_exe().expect("this test"));
    child.args(["--exact", &format!("special_files::{NAME}")]).env(AS_NOBODY, &path);
    // SAFETY: no precondition.
    let root = unsafe { libc::geteuid() } == 0;
    if root {
        // Root reads everything, so the test goes on as the user nobody.
        child.uid(65_534).gid(65_534).current_dir("/");
    }
    match child.output() {
        Ok(output) => assert!(output.status.success(), "{output:?}"),
        Err(error) if root => skip(NAME, &format!("cannot run as uid 65534: {error}")),
        Err(error) => panic!("{error}"),
    }
}

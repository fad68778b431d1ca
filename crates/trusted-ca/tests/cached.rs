//! A bundle that is parsed once is what OpenSSL's own loading makes of it every time; and contexts
//! that share it don't notice each other.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::common::{by_openssl, cached, count, data, data_path};
use fuzz_bundles::cases;
use fuzz_bundles::damaged::{self, BUNDLES, assert_neither_all_nor_none};
use tempfile::TempDir;
use trusted_ca::{BundleCache, Loaded, Nginx, PassedOn, Sharing, SslContext};

const BOTH: [Sharing; 2] = [Sharing::Objects, Sharing::Store];

/// Until files that were just written are old enough to be kept: more than two seconds.
fn let_files_settle() {
    std::thread::sleep(Duration::from_millis(2_200));
}

/// A directory with a file of these bytes for each name.
fn files<'a>(contents: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> (TempDir, Vec<PathBuf>) {
    let directory = tempfile::tempdir().expect("temporary directory");
    let paths = contents
        .into_iter()
        .map(|(name, bytes)| {
            let path = directory.path().join(name);
            fs::write(&path, bytes).expect("written");
            path
        })
        .collect();
    (directory, paths)
}

/// Loaded first, once more, and as a store for several: always what OpenSSL makes of it. Returns
/// whether the file is accepted, and whether it came out of the cache.
fn assert_as_by_openssl(what: &str, path: &Path) -> (bool, bool) {
    let cache = BundleCache::new();
    let expected = by_openssl(path);
    let mut from_cache = false;
    for sharing in [BOTH, BOTH].concat() {
        let (outcome, loaded, _context) = cached(path, &cache, sharing);
        assert_eq!(outcome, expected, "{what}, {sharing:?}: {loaded:?}");
        from_cache |= loaded == Some(Loaded::Shared);
    }
    (expected.accepted, from_cache)
}

#[test]
fn every_content_is_judged_as_openssl_judges_it() {
    let cases = cases::all();
    let names: Vec<String> = (0..cases.len()).map(|number| number.to_string()).collect();
    let contents = names.iter().zip(&cases);
    let (_directory, paths) =
        files(contents.map(|(name, case)| (name.as_str(), case.bytes.as_slice())));
    let_files_settle();
    for (case, path) in cases.iter().zip(&paths) {
        let (accepted, from_cache) = assert_as_by_openssl(case.name, path);
        assert_eq!(accepted, from_cache, "{}: what parses is kept", case.name);
    }
}

#[test]
fn damaged_bundles_are_judged_as_openssl_judges_them() {
    let bundles: Vec<_> = damaged::bundles(BUNDLES).collect();
    let (_directory, paths) =
        files(bundles.iter().map(|bundle| (bundle.name.as_str(), bundle.bytes.as_slice())));
    let_files_settle();
    let mut accepted = 0;
    let mut from_cache = 0;
    for (bundle, path) in bundles.iter().zip(&paths) {
        let (good, kept) = assert_as_by_openssl(&bundle.name, path);
        accepted += usize::from(good);
        from_cache += usize::from(kept);
    }
    assert_neither_all_nor_none(accepted, BUNDLES);
    // A few parse, but leave errors behind that a load out of the cache couldn't leave.
    assert!(from_cache * 10 >= accepted * 9, "{from_cache} of {accepted}");
}

#[test]
fn what_is_no_file_is_left_to_openssl() {
    let directory = tempfile::tempdir().expect("temporary directory");
    let missing = directory.path().join("missing");
    let empty = directory.path().join("empty");
    fs::write(&empty, b"").expect("written");
    for path in [directory.path(), &missing, &empty] {
        assert_as_by_openssl(&path.to_string_lossy(), path);
    }
}

#[test]
fn a_young_file_is_parsed_each_time() {
    let (_directory, paths) = files([("alpha", data("alpha.pem").as_slice())]);
    let cache = BundleCache::new();
    for _ in 0..3 {
        let (_, loaded, _) = cached(&paths[0], &cache, Sharing::Objects);
        assert_eq!(loaded, Some(Loaded::Parsed));
    }
}

#[test]
fn a_replaced_file_is_parsed_anew() {
    let [alpha, beta] = ["alpha.pem", "beta.pem"].map(data);
    let (directory, paths) = files([("bundle", alpha.as_slice()), ("next", beta.as_slice())]);
    let_files_settle();
    let cache = BundleCache::new();
    let subjects = |sharing| cached(&paths[0], &cache, sharing).2.subjects();
    for sharing in BOTH {
        assert_eq!(subjects(sharing), ["CN=Alpha Test CA,O=Example,C=XX"]);
    }
    // By rename(2), as update-ca-certificates(8) does it: another inode.
    fs::rename(&paths[1], &paths[0]).expect("renamed");
    for sharing in BOTH {
        assert_eq!(subjects(sharing), ["CN=Beta Test CA,O=Example,C=XX"]);
    }
    // In place: the same inode, and perhaps the same length.
    fs::write(directory.path().join("bundle"), &alpha).expect("written");
    for sharing in BOTH {
        assert_eq!(subjects(sharing), ["CN=Alpha Test CA,O=Example,C=XX"]);
    }
}

#[test]
fn what_one_context_adds_no_other_has() {
    let cache = BundleCache::new();
    let (alpha, beta) = (data_path("alpha.pem"), data_path("beta.pem"));
    let crl = data_path("alpha.crl.pem");
    for sharing in BOTH {
        let (_, _, mut changed) = cached(&alpha, &cache, sharing);
        let (_, _, bystander) = cached(&alpha, &cache, sharing);
        changed.load_trusted(&beta, Nginx::Before1_27_2).expect("loaded");
        changed.load_crl(&crl, Nginx::Before1_27_2).expect("loaded");
        assert_eq!(count(&changed.contents()), (2, 1), "{sharing:?}");
        assert_eq!(count(&bystander.contents()), (1, 0), "{sharing:?}");
        let (_, _, later) = cached(&alpha, &cache, sharing);
        assert_eq!(count(&later.contents()), (1, 0), "{sharing:?}");
    }
}

#[test]
fn contexts_outlive_the_cache_and_the_cache_them() {
    let path = data_path("gamma.pem");
    let cache = BundleCache::new();
    let contexts: Vec<_> = BOTH.map(|sharing| cached(&path, &cache, sharing).2).into();
    cache.clear();
    for context in &contexts {
        assert_eq!(context.certificate_count(), 1);
    }
    let (_, loaded, _) = cached(&path, &cache, Sharing::Store);
    assert_eq!(loaded, Some(Loaded::Parsed), "it was forgotten");
    drop(cache);
    assert_eq!(contexts[0].certificate_count(), 1);
    assert_eq!(contexts[1].certificate_count(), 1);
}

#[test]
fn more_bundles_than_it_keeps_are_parsed_when_they_come_back() {
    let alpha = data("alpha.pem");
    let names: Vec<String> = (0..17).map(|number| number.to_string()).collect();
    let (_directory, paths) = files(names.iter().map(|name| (name.as_str(), alpha.as_slice())));
    let_files_settle();
    let cache = BundleCache::new();
    let load = |path| cached(path, &cache, Sharing::Objects).1;
    for path in &paths {
        assert_eq!(load(path), Some(Loaded::Parsed));
    }
    assert_eq!(load(&paths[16]), Some(Loaded::Shared), "the newest is there");
    assert_eq!(load(&paths[0]), Some(Loaded::Parsed), "the oldest had to go");
}

#[test]
fn a_pipe_is_read_by_openssl_alone() {
    let directory = tempfile::tempdir().expect("temporary directory");
    let pipe = directory.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.expect("mkfifo is there").success());
    let writer = {
        let pipe = pipe.clone();
        std::thread::spawn(move || fs::write(pipe, data("alpha.pem")).expect("written"))
    };
    let mut context = SslContext::new().expect("a context");
    let cache = BundleCache::new();
    let loaded = context.load_trusted_cached(&pipe, &cache, Sharing::Store);
    assert_eq!(loaded, Ok(Loaded::ByOpenSsl(PassedOn::Unsuitable)));
    writer.join().expect("the pipe was read");
    assert_eq!(context.certificate_count(), 1);
}

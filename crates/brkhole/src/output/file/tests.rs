use std::os::unix::fs::symlink;

use super::*;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o777
}

#[test]
fn the_new_one_takes_the_place_of_the_old() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.prom");
    put(&path, "one\n", Readers::All).unwrap();
    assert_eq!(mode(&path), READ_BY_ALL);
    let first = fs::metadata(&path).unwrap().ino();
    // Held open, so that its inode isn't the next one's.
    let old = File::open(&path).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
    put(&path, "two\n", Readers::All).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "two\n");
    assert_eq!(io::read_to_string(&old).unwrap(), "one\n", "whole");
    assert_ne!(fs::metadata(&path).unwrap().ino(), first);
    assert_eq!(mode(&path), 0o640, "as it was");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
}

#[test]
fn what_has_several_names_keeps_them() {
    let directory = tempfile::tempdir().unwrap();
    let place = |name: &str| directory.path().join(name);
    fs::write(place("file"), "a longer text that was there\n").unwrap();
    fs::set_permissions(place("file"), Permissions::from_mode(0o600)).unwrap();
    symlink(place("file"), place("link")).unwrap();
    fs::hard_link(place("file"), place("other")).unwrap();
    for name in ["link", "other", "file"] {
        put(&place(name), name, Readers::All).unwrap();
        assert_eq!(fs::read_to_string(place("file")).unwrap(), name);
        assert_eq!(fs::read_to_string(place("other")).unwrap(), name);
        assert_eq!(mode(&place("file")), 0o600);
    }
    assert!(place("link").is_symlink());
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 3);
    symlink(place("new"), place("dangling")).unwrap();
    put(&place("dangling"), "as a shell does", Readers::Usual).unwrap();
    assert_eq!(fs::read_to_string(place("new")).unwrap(), "as a shell does");
}

#[test]
fn what_is_no_file_is_written_to() {
    put(Path::new("/dev/null"), "text", Readers::Usual).unwrap();
    let directory = tempfile::tempdir().unwrap();
    for path in [Path::new("/no/such/directory/a"), directory.path()] {
        assert!(put(path, "text", Readers::Usual).is_err(), "{path:?}");
        assert!(check(path).is_err(), "{path:?}");
    }
}

#[test]
fn a_check_leaves_nothing_behind() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("new");
    check(&path).unwrap();
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    fs::write(&path, "kept").unwrap();
    check(&path).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "kept");
}

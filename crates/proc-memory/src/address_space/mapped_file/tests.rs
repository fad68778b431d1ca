//! The kernel's own way is root's alone and always right: what is tested is mostly the other.

use std::fs;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use nix::unistd::mkfifo;
use tempfile::TempDir;

use super::*;
use crate::address_space::{AddressSpace, Mapping};

use suite::skipped;

/// A file that this process has mapped under a name of its own.
struct Mapped {
    directory: TempDir,
    path: PathBuf,
    mapping: Mapping,
}

impl Mapped {
    fn new() -> Self {
        // As the kernel calls it.
        let directory = tempfile::tempdir_in(std::env::temp_dir().canonicalize().unwrap()).unwrap();
        let path = directory.path().join("file");
        fs::write(&path, "contents").unwrap();
        let file = File::open(&path).unwrap();
        let (read, private) = (libc::PROT_READ, libc::MAP_PRIVATE);
        // SAFETY: without MAP_FIXED it takes no place that is in use; it stays to the end.
        let page = unsafe { libc::mmap(ptr::null_mut(), 8, read, private, file.as_raw_fd(), 0) };
        assert_ne!(page, libc::MAP_FAILED);
        let space = AddressSpace::of(std::process::id() as i32).unwrap();
        let mapping = space.mappings().iter().find(|m| m.start == page as u64);
        let mapping = mapping.unwrap().clone();
        Self { directory, path, mapping }
    }

    fn by_path(&self) -> Result<String, NotOpened> {
        by_path(own().pid(), &self.mapping)
    }

    fn open(&self) -> Result<String, NotOpened> {
        with(&self.mapping, |file| text(file.open(&own())?))
    }
}

fn own() -> Process {
    Process::open(std::process::id() as i32).unwrap()
}

fn by_path(pid: i32, mapping: &Mapping) -> Result<String, NotOpened> {
    let root = Process::open(pid).unwrap().root();
    with(mapping, |file| text(file.by_path(root)?))
}

fn with<T>(mapping: &Mapping, act: impl FnOnce(&MappedFile<'_>) -> T) -> T {
    act(&MappedFile {
        addresses: &(mapping.start..mapping.end),
        device: mapping.device,
        inode: mapping.inode,
        path: &mapping.path().unwrap(),
    })
}

fn text(mut file: File) -> Result<String, NotOpened> {
    let mut text = Vec::new();
    file.read_to_end(&mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

#[test]
fn the_mapped_file_is_opened() {
    let mapped = Mapped::new();
    assert_eq!(mapped.by_path().unwrap(), "contents");
    assert_eq!(mapped.open().unwrap(), "contents");
}

#[test]
fn what_took_its_place_is_not_opened() {
    let mapped = Mapped::new();
    let put = |what: &dyn Fn(&Path)| {
        let _ = fs::remove_file(&mapped.path);
        what(&mapped.path);
        mapped.by_path()
    };
    let moved = mapped.directory.path().join("moved");
    fs::rename(&mapped.path, &moved).unwrap();
    assert!(matches!(put(&|_| {}), Err(NotOpened::Gone)));
    // Opened, it would wait for a writer for ever.
    let fifo = put(&|path| mkfifo(path, Mode::S_IRWXU).unwrap());
    assert!(matches!(fifo, Err(NotOpened::NotRegular)));
    for target in [Path::new("/dev/zero"), &moved] {
        let link = put(&|path| symlink(target, path).unwrap());
        assert!(matches!(link, Err(NotOpened::NotRegular)), "{target:?}");
    }
    let other = put(&|path| fs::write(path, "other").unwrap());
    assert!(matches!(other, Err(NotOpened::OtherFile)));
    let directory = put(&|path| fs::create_dir(path).unwrap());
    assert!(matches!(directory, Err(NotOpened::NotRegular)));
}

#[test]
fn no_link_on_the_way_is_followed() {
    let mapped = Mapped::new();
    let (place, moved) = (mapped.directory.path(), mapped.path.with_file_name("d"));
    fs::create_dir(&moved).unwrap();
    fs::rename(&mapped.path, moved.join("file")).unwrap();
    symlink(&moved, place.join("link")).unwrap();
    let root = || directory(AT_FDCWD, place).unwrap();
    let opened = open_regular(root(), Path::new("d/file")).and_then(text);
    assert_eq!(opened.unwrap(), "contents");
    for path in ["link/file", "d/../d/file", "nowhere/file"] {
        let opened = open_regular(root(), Path::new(path));
        assert!(matches!(opened, Err(NotOpened::Gone)), "{path}");
    }
}

/// Opened without `O_NONBLOCK` it would wait for `/proc/sys/fs/lease-break-time`, 45 seconds.
#[test]
fn a_lease_is_not_waited_for() {
    /// Which signal the holder gets, as the default one would end this process.
    const F_SETSIG: i32 = 10;
    let mapped = Mapped::new();
    let path = mapped.directory.path().join("leased");
    fs::write(&path, "").unwrap();
    let holder = File::options().write(true).open(&path).unwrap();
    // SAFETY: changes nothing but the file's leases.
    let leased = unsafe { libc::fcntl(holder.as_raw_fd(), libc::F_SETLEASE, libc::F_WRLCK) };
    assert_eq!(leased, 0, "{}", Errno::last());
    // SAFETY: changes nothing but this file's signal.
    unsafe { libc::fcntl(holder.as_raw_fd(), F_SETSIG, libc::SIGURG) };
    let opened = open_regular(directory(AT_FDCWD, "/").unwrap(), &path);
    assert!(matches!(opened, Err(NotOpened::Leased)), "{opened:?}");
}

/// It takes a capability that also root may lack.
#[test]
fn a_file_without_a_name_is_had_by_the_kernels_way_alone() {
    let mapped = Mapped::new();
    fs::remove_file(&mapped.path).unwrap();
    assert!(matches!(mapped.by_path(), Err(NotOpened::Gone)));
    let Mapping { start, end, .. } = mapped.mapping;
    match File::open(format!("/proc/self/map_files/{start:x}-{end:x}")) {
        Ok(_) => assert_eq!(mapped.open().unwrap(), "contents"),
        Err(_) => assert!(matches!(mapped.open(), Err(NotOpened::Gone))),
    }
}

/// A program that was started in a mount namespace of its own and says `ready` in its first line.
struct Elsewhere(Child);

impl Elsewhere {
    /// `None`, and a word why, if this user may not mount.
    fn start(script: &str, place: &Path, name: &str) -> Option<Self> {
        if !nix::unistd::geteuid().is_root() {
            skipped("only root may mount");
            return None;
        }
        let mut command = Command::new("unshare");
        command.args(["-m", "sh", "-ec", script, "sh"]).arg(place).arg(name);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut said = [0; 6];
        let read = child.stdout.as_mut().unwrap().read_exact(&mut said);
        let elsewhere = Self(child);
        if read.is_err() {
            skipped("this file system can't be mounted here");
            return None;
        }
        Some(elsewhere)
    }

    /// What `stat` tells of a mapped file's path.
    fn metadata(&self, mapping: &Mapping) -> fs::Metadata {
        let path = mapping.path().unwrap();
        let path = path.strip_prefix("/").unwrap();
        fs::metadata(Path::new(&format!("/proc/{}/root", self.0.id())).join(path)).unwrap()
    }

    /// What it has mapped of a file of this name.
    fn mapping(&self, name: &str) -> Mapping {
        loop {
            let space = AddressSpace::of(self.0.id() as i32).unwrap();
            let mut mappings = space.mappings().iter();
            let found = mappings.find(|m| m.path().is_some_and(|path| path.ends_with(name)));
            if let Some(found) = found {
                return found.clone();
            }
            std::thread::yield_now();
        }
    }
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// There `stat` tells another device than the list of mappings does.
#[test]
fn on_overlayfs_the_mapped_file_is_known() {
    let script = "cd $1; mkdir a b both; mount -t tmpfs none a; mount -t tmpfs none b
        mkdir a/low b/up b/work; cp /bin/sleep a/low/one; cp /bin/sleep a/low/two
        mount -t overlay -o lowerdir=a/low,upperdir=b/up,workdir=b/work none both
        touch both/two; echo ready; exec both/$2 100";
    // The second is copied up by having been touched.
    for name in ["one", "two"] {
        let place = tempfile::tempdir().unwrap();
        let Some(elsewhere) = Elsewhere::start(script, place.path(), name) else {
            return;
        };
        let mapping = elsewhere.mapping(name);
        let pid = elsewhere.0.id() as i32;
        assert!(by_path(pid, &mapping).unwrap().starts_with("\x7fELF"));
        let stated = elsewhere.metadata(&mapping);
        let device = (libc::major(stated.dev()), libc::minor(stated.dev()));
        assert_ne!(device, (mapping.device.major, mapping.device.minor), "{name}");
        let process = Process::open(pid).unwrap();
        with(&mapping, |file| file.open(&process)).unwrap();
    }
}

/// The first file of each new tmpfs has the same inode.
#[test]
fn a_file_of_the_same_inode_elsewhere_is_another() {
    let script = "cd $1; mkdir d; mount -t tmpfs none d; cp /bin/sleep d/$2; exec 3<d/$2
        mount -t tmpfs none d; cp /bin/sleep d/$2; echo ready; exec /proc/self/fd/3 100";
    let place = tempfile::tempdir().unwrap();
    let Some(elsewhere) = Elsewhere::start(script, place.path(), "one") else {
        return;
    };
    let mapping = elsewhere.mapping("one");
    assert_eq!(elsewhere.metadata(&mapping).ino(), mapping.inode);
    let pid = elsewhere.0.id() as i32;
    let other = by_path(pid, &mapping);
    assert!(matches!(other, Err(NotOpened::OtherFile)), "{other:?}");
    let process = Process::open(pid).unwrap();
    with(&mapping, |file| file.open(&process)).unwrap();
}

/// Of a process that has changed its root alone the kernel tells paths as we see them.
#[test]
fn a_path_may_be_from_our_root() {
    let script = "cp /bin/sleep $1/$2; ldd /bin/sleep | grep -o '/[^ ]*' | while read -r library
        do mkdir -p $1/${library%/*}; cp $library $1/$library; done
        echo ready; exec chroot $1 /$2 100";
    let place = tempfile::tempdir().unwrap();
    let Some(elsewhere) = Elsewhere::start(script, place.path(), "one") else {
        return;
    };
    let mapping = elsewhere.mapping("one");
    let process = Process::open(elsewhere.0.id() as i32).unwrap();
    with(&mapping, |file| {
        assert!(matches!(file.by_path(process.root()), Err(NotOpened::Gone)));
        file.by_path(directory(AT_FDCWD, "/")).unwrap();
    });
}

//! What is a file's growth, and what merely came while it was open.

use super::*;

impl Told {
    fn open_with(&mut self, path: &str, flags: i32, fd: u64) -> &mut Self {
        self.call_by(1, 1, Syscall::Openat, &[0, 0, flags as u64], Ok(fd), Some(path))
    }

    fn map(&mut self, bytes: u64) -> &mut Self {
        self.mmap(AREA, bytes, RW, ANONYMOUS)
    }

    fn bytes(&self) -> Vec<(String, u64)> {
        let files = self.0.by_file().into_iter();
        let named = |file: &FileGrowth| String::from_utf8(file.path.clone()).unwrap();
        files.map(|file| (named(file), file.bytes())).collect()
    }
}

fn ended() -> What {
    What::Exited(Ending::Code(0))
}

#[test]
fn what_may_be_written_to_is_kept_not_read() {
    let mut told = Told::default();
    told.open_with("my.db", libc::O_RDWR, 3).map(8 * MIB).close(3);
    assert_eq!(told.bytes(), []);
    assert_eq!(told.0.without_file_bytes(), 8 * MIB as i64);
}

#[test]
fn a_file_kept_open_to_the_end_is_told_apart() {
    let mut told = Told::default();
    told.open("lib/modules", 3).map(8 * MIB);
    for is_over in [false, true] {
        if is_over {
            told.event(1, 1, ended());
        }
        assert_eq!(told.bytes(), [("lib/modules".to_owned(), 0)]);
        assert_eq!(told.0.without_file_bytes(), 8 * MIB as i64);
        let (file, bytes) = told.0.most_kept_open().unwrap();
        assert_eq!((&*file.path, bytes), (&b"lib/modules"[..], 8 * MIB as i64));
    }
}

#[test]
fn unless_what_was_read_of_it_explains_the_growth() {
    let mut told = Told::default();
    let read = |bytes| What::Read { fd: 3, bytes };
    told.open("big.json", 3).event(1, 1, read(MIB)).map(8 * MIB).event(1, 1, read(MIB)).event(
        1,
        1,
        ended(),
    );
    assert_eq!(told.bytes(), [("big.json".to_owned(), 8 * MIB)]);
    assert_eq!(told.0.by_file()[0].openings.read_bytes, 2 * MIB);
    assert!(told.0.most_kept_open().is_none());
}

#[test]
fn growth_by_files_and_without_is_all_there_is() {
    let mut told = Told::default();
    told.open("few.txt", 3)
        .event(1, 1, What::Read { fd: 3, bytes: 100 })
        .map(MIB)
        .close(3)
        .open("unknown.txt", 3)
        .mmap(AREA + 8 * MIB, 2 * MIB, RW, ANONYMOUS)
        .close(3);
    let by_file = [("unknown.txt".to_owned(), 2 * MIB), ("few.txt".to_owned(), 0)];
    assert_eq!(told.bytes(), by_file);
    assert_eq!(told.0.without_file_bytes(), MIB as i64);
    assert_eq!(told.0.by_kind().total(), 3 * MIB as i64);
}

#[test]
fn libraries_are_those_of_the_program_that_opened_it_most() {
    let mut told = Told::default();
    let libraries = |told: &Told| -> Vec<Vec<u8>> {
        let files = told.0.by_file();
        let file = files.iter().find(|file| file.path == b"/etc/bundle").unwrap();
        file.libraries().map(<[u8]>::to_vec).collect()
    };
    told.open("/lib/libssl.so.3", 3).close(3).open("/etc/bundle", 3).close(3);
    assert_eq!(libraries(&told), [b"/lib/libssl.so.3"]);
    let exec = What::Exec { by: Syscall::Execve, former_tid: 1 };
    told.event(1, 1, exec)
        .open("/lib/libgnutls.so.30", 3)
        .close(3)
        .open("/etc/bundle", 3)
        .open("/etc/bundle", 4);
    assert_eq!(libraries(&told), [b"/lib/libgnutls.so.30"]);
}

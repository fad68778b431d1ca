//! A bundle that was replaced is what the next reload loads.

use std::fs::{File, FileTimes};
use std::path::Path;
use std::time::{Duration, SystemTime};

use suite::nginx::{Master, Parts};

use super::probe::{ACCEPTED, location, verdict};
use super::site::Site;
use super::{AGE, in_every_way};
use crate::common::{Authority, Preload, Server};

/// How a file gets other contents.
#[derive(Debug, Clone, Copy)]
enum How {
    /// Another file takes its name, as package managers do.
    Renamed,
    /// It is written anew: the same inode.
    InPlace,
}

impl How {
    /// Gives the bundle these contents. Neither its size nor its time of modification tell: all
    /// contents are equally long, and the time is put back.
    fn replace(self, bundle: &Path, contents: &str) {
        let written = match self {
            Self::Renamed => bundle.with_extension("new"),
            Self::InPlace => bundle.to_owned(),
        };
        std::fs::write(&written, contents).expect("the test's own directory is writable");
        let file = File::options().write(true).open(&written);
        let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        file.and_then(|file| file.set_times(FileTimes::new().set_modified(long_ago)))
            .expect("one's own file");
        std::fs::rename(&written, bundle).expect("the same directory");
    }
}

/// Both texts, made equally long by empty lines, which mean nothing between certificates.
fn equally_long(one: &Path, other: &Path) -> [String; 2] {
    let mut texts = [one, other].map(|file| std::fs::read_to_string(file).expect("PEM"));
    let length = texts[0].len().max(texts[1].len());
    for text in &mut texts {
        text.push_str(&"\n".repeat(length - text.len()));
    }
    texts
}

fn the_next_reload_sees_it(preload: Preload, how: How) {
    let (known, other) = (Authority::new("known"), Authority::new("some other"));
    let [with, without] = equally_long(&known.certificate(), &other.certificate());
    let files = tempfile::tempdir().expect("a directory for the bundle");
    let bundle = files.path().join("bundle.pem");
    let site = Site::new(&Parts {
        http: format!("lua_ssl_trusted_certificate \"{}\";", bundle.display()),
        locations: ["one", "two", "three"].map(|name| location(name, "")).concat(),
        ..Parts::default()
    });
    let Some(site) = site else {
        return;
    };
    let server = Server::start(&known.issue("server"));
    how.replace(&bundle, &without);
    std::thread::sleep(AGE);
    let master = Master::start(&site, site.nginx(preload));
    let verdicts = |accepts: bool, when: &str| {
        for name in ["one", "two", "three"] {
            let found = verdict(&master, name, &server);
            let place = format!("{preload:?}, {how:?}, {when}, location {name}: {found}");
            assert_eq!(found == ACCEPTED, accepts, "{place}");
        }
    };
    verdicts(false, "at first");
    for (contents, accepts) in [(&with, true), (&without, false)] {
        how.replace(&bundle, contents);
        verdicts(!accepts, "replaced, but not loaded yet");
        master.reload();
        verdicts(accepts, "loaded at once");
        std::thread::sleep(AGE);
        master.reload();
        verdicts(accepts, "loaded when it was some time old");
        master.reload();
        verdicts(accepts, "loaded once more");
    }
    let pid = master.pid;
    master.stop();

    if preload != Preload::Without {
        let all = site.counts_in_all(pid);
        // Seven cycles of four contexts. All share one parse but those that found the file young,
        // two cycles at most, and the first to find it old.
        assert_eq!(all.loads, 28, "{all:?}");
        assert!(all.shared >= 28 - 2 * 4 - 3, "{all:?}");
        assert!(all.parses >= 3, "{all:?}");
    }
}

#[test]
fn a_bundle_that_another_file_replaced() {
    in_every_way(|preload| the_next_reload_sees_it(preload, How::Renamed));
}

#[test]
fn a_bundle_written_anew() {
    in_every_way(|preload| the_next_reload_sees_it(preload, How::InPlace));
}

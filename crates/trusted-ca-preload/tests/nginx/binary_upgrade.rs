//! The upgrade of nginx's binary on the fly: the new master gets the environment that the
//! configuration names, and nothing else.
//!
//! # References
//! nginx 1.22.1, `src/core/nginx.c`, `ngx_exec_new_binary` and `ngx_set_environment`; the directive
//! `env`.

use std::path::Path;

use suite::nginx::{Master, Parts, Signal};
use suite::waiting::eventually;

use super::site::Site;
use crate::common::{Counts, Preload, library};

const LOCATIONS: u64 = 3;

/// What became of the library in the new master.
#[derive(Debug)]
struct Upgraded {
    is_mapped: bool,
    said: Option<Counts>,
}

/// Upgrades the binary of a master that has the library; `main` are directives for its
/// configuration.
fn upgraded(main: &str) -> Option<Upgraded> {
    let locations = Parts::empty_locations(LOCATIONS, Some(suite::nginx::bundle()?));
    let site = Site::new(&Parts { main: main.to_owned(), ..locations })?;
    let old = Master::start(&site, site.nginx(Preload::SharedStore));
    assert!(maps(old.pid, &library()), "the old master has the library");
    old.signal(Signal::SIGUSR2);
    // The old master's file is out of the way before the new one writes its own.
    eventually("the upgrade", || site.path("nginx.pid.oldbin").exists());
    let new = Master::from_pid_file(&site);
    assert_ne!(old.pid, new.pid);
    let is_mapped = maps(new.pid, &library());
    let pid = new.pid;
    old.stop();
    new.stop();
    let said = site.counts().into_iter().find(|line| line.pid == pid);
    Some(Upgraded { is_mapped, said })
}

/// Whether a file of this name is mapped.
fn maps(pid: i32, file: &Path) -> bool {
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).expect("the master lives");
    let file = file.to_str().expect("plain names");
    maps.lines().any(|line| line.ends_with(file))
}

#[test]
fn an_upgraded_binary_loses_the_library() {
    if let Some(new) = upgraded("") {
        assert!(!new.is_mapped, "{new:?}");
        assert_eq!(new.said, None);
    }
}

#[test]
fn an_upgraded_binary_keeps_what_the_configuration_names() {
    if let Some(new) = upgraded("env LD_PRELOAD;\nenv TRUSTED_CA;\nenv TRUSTED_CA_LOG;") {
        assert!(new.is_mapped, "{new:?}");
        let said = new.said.expect("the new master found TRUSTED_CA_LOG");
        assert_eq!((said.loads, said.parses), (LOCATIONS + 1, 1), "{said:?}");
    }
}

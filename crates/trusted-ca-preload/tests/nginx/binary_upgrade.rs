//! The upgrade of nginx's binary on the fly: the new master gets the environment that the
//! configuration names, and nothing else.
//!
//! # References
//! nginx 1.22.1, `src/core/nginx.c`, `ngx_exec_new_binary` and `ngx_set_environment`; the directive
//! `env`.

use super::master::{Master, wait_for};
use super::site::{BUNDLE, Parts, Site, bundle_is_there, empty_locations};
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
    if !bundle_is_there() {
        return None;
    }
    let site =
        Site::new(&Parts { main: main.to_owned(), ..empty_locations(LOCATIONS, Some(BUNDLE)) })?;
    let old = Master::start(&site, Preload::SharedStore);
    assert!(old.maps(&library()), "the old master has the library");
    old.signal(libc::SIGUSR2);
    // The old master's file is out of the way before the new one writes its own.
    wait_for("the upgrade", || site.path("nginx.pid.oldbin").exists().then_some(()));
    let new = Master::from_pid_file(&site);
    assert_ne!(old.pid, new.pid);
    let is_mapped = new.maps(&library());
    let pid = new.pid;
    old.stop();
    new.stop();
    let said = site.counts().into_iter().find(|line| line.pid == pid);
    Some(Upgraded { is_mapped, said })
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

//! A real nginx: what is told of its master, and when.

use std::process::Command;

use serde_json::Value;
use suite::nginx::{Master, Site};
use suite::waiting::until;

use crate::common::{compiled, kinds, locations, output, processes};
use crate::inspect::target::Keeps;

fn inspected(master: &Master<'_>) -> Value {
    processes(&["inspect", &master.pid.to_string()])[0].clone()
}

#[test]
fn a_master_that_has_reloaded_holds_its_old_configuration() {
    let Some(site) = Site::with_the_line(locations()) else {
        return;
    };
    let master = Master::start(&site, site.command());
    let fresh = inspected(&master);
    assert_eq!(fresh["comm"], "nginx");
    assert!(!kinds(&fresh).contains(&"old-configuration-held"), "{fresh}");

    master.reload();
    master.reload();
    let reloaded = inspected(&master);
    let kinds = kinds(&reloaded);
    assert!(kinds.contains(&"old-configuration-held"), "{reloaded}");
    assert!(!kinds.contains(&"memory-returnable"), "{kinds:?}");
    let findings = reloaded["findings"].as_array().unwrap();
    let held = findings.iter().find(|each| each["kind"] == "old-configuration-held").unwrap();
    let returnable = held["evidence"]["returnable_bytes"].as_u64();
    assert_eq!(returnable, reloaded["malloc"]["returnable_bytes"].as_u64());
    // Contexts of about 800 KiB each, of which some stay in use.
    assert!(returnable > Some(locations() * (32 << 20) / 60), "{held}");
    assert_eq!(held["evidence"]["workers"], 1);
    let remedy = held["remedy"].as_str().unwrap();
    for words in [&format!("brkhole trim {}", master.pid), "1.27.2", "libtrusted_ca_preload.so"] {
        assert!(remedy.contains(words), "{words}: {remedy}");
    }

    // A worker that has only just begun is still busy.
    let (pid, worker) = (master.pid.to_string(), suite::waiting::children(master.pid)[0]);
    let inherited = until("what the worker holds", || {
        let both = processes(&["inspect", &pid, &worker.to_string()]);
        let findings = both[1]["findings"].as_array()?;
        findings.first().cloned()
    });
    assert_eq!(inherited["kind"], "memory-returnable", "{inherited}");
    assert_eq!(inherited["evidence"]["master"], master.pid);
    let remedy = inherited["remedy"].as_str().unwrap();
    let both = format!("brkhole trim {0} $(pgrep -P {0})", master.pid);
    assert!(remedy.contains(&both), "{remedy}");

    let table = output(&["inspect", "--comm", "nginx"]);
    let table = String::from_utf8(table.stdout).unwrap();
    let row = format!("{} ", master.pid);
    let row = table.lines().find(|line| line.trim_start().starts_with(&row)).unwrap();
    assert!(row.contains("old-configuration-held"), "{table}");
}

#[test]
fn the_page_of_an_openresty_of_old() {
    let directory = tempfile::tempdir().unwrap();
    let program = directory.path().join("openresty");
    let status = Command::new("cp").arg(compiled("keeps")).arg(&program).status();
    assert!(status.unwrap().success());
    let remedy = |target: &Keeps| {
        let process = &processes(&["inspect", &target.number()])[0];
        let findings = process["findings"].as_array().unwrap();
        let blocked = findings
            .iter()
            .find(|each| each["kind"] == "break-blocked")
            .unwrap_or_else(|| panic!("{process}"));
        blocked["remedy"].as_str().unwrap().to_owned()
    };
    let openresty = Keeps::start(&program, "hole", 64, 0);
    let told = remedy(&openresty);
    for words in [
        "lua-nginx-module 0.10.3 to 0.10.7",
        "lua_malloc_trim",
        &format!("brkhole trim {}", openresty.number()),
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }
    let other = remedy(&Keeps::blocked(64));
    assert!(!other.contains("lua-nginx-module"), "{other}");
}

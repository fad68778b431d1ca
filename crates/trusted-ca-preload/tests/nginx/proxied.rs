//! nginx's own HTTPS beside Lua's, from the same bundle: `proxy_ssl_trusted_certificate`.

use suite::nginx::{Master, Parts};

use super::probe::{ACCEPTED, location, verdict};
use super::site::Site;
use super::{AGE, in_every_way};
use crate::common::{Authority, Preload, Server, concatenated};

/// A location that passes on to this server if it can be verified.
fn proxy(name: &str, server: &Server, directives: &str) -> String {
    let port = server.port;
    format!("location = /{name} {{ proxy_pass https://127.0.0.1:{port}/; {directives} }}\n")
}

fn a_proxy_verifies(preload: Preload) {
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let [good, revoked] = ["good", "revoked"].map(|name| ours.issue(name));
    let list = ours.revocations(&[&revoked]);
    let [good, revoked] = [good, revoked].map(|issued| Server::start(&issued));
    let foreign = Server::start(&theirs.issue("foreign"));

    let files = tempfile::tempdir().expect("a directory for bundles");
    let bundle = files.path().join("bundle.pem");
    let unused = Authority::new("unused");
    concatenated(&bundle, &[&ours.certificate(), &unused.certificate()]);
    let shown = bundle.display();
    let crl = format!("proxy_ssl_crl \"{}\";", list.display());
    let locations = [
        proxy("good", &good, ""),
        proxy("revoked-listed", &revoked, &crl),
        proxy("revoked", &revoked, ""),
        proxy("foreign", &foreign, ""),
        proxy("good-listed", &good, &crl),
        location("lua", ""),
    ];
    let site = Site::new(&Parts {
        http: format!(
            "lua_ssl_trusted_certificate \"{shown}\";\n\
             proxy_ssl_trusted_certificate \"{shown}\";\n\
             proxy_ssl_verify on;\nproxy_ssl_name localhost;\nproxy_ssl_session_reuse off;"
        ),
        locations: locations.concat(),
        ..Parts::default()
    });
    let Some(site) = site else {
        return;
    };
    std::thread::sleep(AGE);

    let master = Master::start(&site, site.nginx(preload));
    for round in ["after the start", "after a reload"] {
        let names = ["good", "revoked-listed", "revoked", "foreign", "good-listed"];
        let passed = names.map(|name| (name, master.get(&format!("/{name}")).is_ok()));
        let expected = names.into_iter().zip([true, false, true, false, true]);
        assert!(expected.eq(passed), "{preload:?}, {round}: {passed:?}");
        let lua = [&good, &revoked].map(|server| verdict(&master, "lua", server));
        assert_eq!(lua, [ACCEPTED, ACCEPTED], "{preload:?}, {round}");
        master.reload();
    }
    let pid = master.pid;
    master.stop();
    if preload != Preload::Without {
        let all = site.counts_in_all(pid);
        assert_eq!(all.parses, 2, "the bundle, the list; {preload:?}: {all:?}");
    }
}

#[test]
fn a_proxy_verifies_from_the_same_bundle() {
    in_every_way(a_proxy_verifies);
}

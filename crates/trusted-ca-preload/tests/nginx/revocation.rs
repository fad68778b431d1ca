//! A revocation list acts where it was asked for, and nowhere else.

use suite::nginx::{Master, Parts};

use super::probe::{ACCEPTED, location, verdict};
use super::site::Site;
use super::{AGE, in_every_way};
use crate::common::{Authority, Preload, Server, concatenated};

/// `X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE`: the last of what is found when the issuer is
/// unknown (nginx has OpenSSL go on after each).
const UNKNOWN_ISSUER: &str = "21: unable to verify the first certificate";
const REVOKED: &str = "23: certificate revoked";

/// Locations that trust one bundle, with and without a list, in turns, so that each kind has the
/// other before it and after it; and one that trusts another authority.
const LOCATIONS: [(&str, Kind); 6] = [
    ("first", Kind::Plain),
    ("second", Kind::List),
    ("third", Kind::Plain),
    ("fourth", Kind::Elsewhere),
    ("fifth", Kind::List),
    ("sixth", Kind::Plain),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain,
    List,
    Elsewhere,
}

/// What each kind of location says of the three servers: good, revoked, of another authority.
fn expected(kind: Kind) -> [&'static str; 3] {
    match kind {
        Kind::Plain => [ACCEPTED, ACCEPTED, UNKNOWN_ISSUER],
        Kind::List => [ACCEPTED, REVOKED, UNKNOWN_ISSUER],
        Kind::Elsewhere => [UNKNOWN_ISSUER, UNKNOWN_ISSUER, ACCEPTED],
    }
}

fn lists_act_where_they_are_asked_for(preload: Preload) {
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let unused = Authority::new("unused");
    let issued = [ours.issue("good"), ours.issue("revoked"), theirs.issue("foreign")];
    let list = ours.revocations(&[&issued[1]]);

    let files = tempfile::tempdir().expect("a directory for bundles");
    let bundle = files.path().join("bundle.pem");
    concatenated(&bundle, &[&unused.certificate(), &ours.certificate()]);
    let locations = LOCATIONS.map(|(name, kind)| {
        let directives = match kind {
            Kind::Plain => String::new(),
            Kind::List => format!("lua_ssl_crl \"{}\";", list.display()),
            Kind::Elsewhere => {
                let other = theirs.certificate();
                format!("lua_ssl_trusted_certificate \"{}\";", other.display())
            }
        };
        location(name, &directives)
    });
    let site = Site::new(&Parts {
        http: format!("lua_ssl_trusted_certificate \"{}\";", bundle.display()),
        locations: locations.concat(),
        ..Parts::default()
    });
    let Some(site) = site else {
        return;
    };
    let servers = issued.each_ref().map(Server::start);
    // A bundle that was just written isn't shared.
    std::thread::sleep(AGE);

    let master = Master::start(&site, site.nginx(preload));
    for round in ["after the start", "after a reload", "after another"] {
        for (name, kind) in LOCATIONS {
            let found = servers.each_ref().map(|server| verdict(&master, name, server));
            let place = format!("{preload:?}, {round}, the {name} location ({kind:?})");
            assert_eq!(found, expected(kind), "{place}");
        }
        master.reload();
    }
    let pid = master.pid;
    master.stop();

    if preload != Preload::Without {
        let all = site.counts_in_all(pid);
        // The start and three reloads: a bundle for each context, and the lists; parsed are two
        // bundles and a list.
        let lists = LOCATIONS.iter().filter(|(_, kind)| *kind == Kind::List).count();
        let loads = 4 * (LOCATIONS.len() + 1 + lists) as u64;
        assert_eq!((all.loads, all.parses), (loads, 3), "{all:?}");
    }
}

#[test]
fn a_list_acts_where_it_is_asked_for() {
    in_every_way(lists_act_where_they_are_asked_for);
}

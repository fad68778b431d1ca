//! Real nginx with its Lua module, as the distribution made it, with and without the library.

use suite as _;

mod common;

#[path = "nginx/binary_upgrade.rs"]
mod binary_upgrade;
#[path = "nginx/cost.rs"]
mod cost;
#[path = "nginx/many_locations.rs"]
mod many_locations;
#[path = "nginx/master.rs"]
mod master;
#[path = "nginx/probe.rs"]
mod probe;
#[path = "nginx/proxied.rs"]
mod proxied;
#[path = "nginx/reloads.rs"]
mod reloads;
#[path = "nginx/replaced_bundle.rs"]
mod replaced_bundle;
#[path = "nginx/revocation.rs"]
mod revocation;
#[path = "nginx/site.rs"]
mod site;

use std::time::Duration;

use common::Preload;

/// A bundle younger than two full seconds isn't shared: its timestamps can't prove that it stays
/// what it is.
const AGE: Duration = Duration::from_millis(3_200);

/// Runs a test without the library, which has to give the same, and with it in its two ways; all
/// at once, since they mostly wait for a bundle to get old enough.
fn in_every_way(test: impl Fn(Preload) + Sync) {
    let ways = [Preload::Without, Preload::Private, Preload::SharedStore];
    let test = &test;
    std::thread::scope(|scope| {
        for preload in ways {
            scope.spawn(move || test(preload));
        }
    });
}

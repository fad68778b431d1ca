//! Real nginx with its Lua module, as the distribution made it, with and without the library.

mod binary_upgrade;
mod cost;
mod many_locations;
mod probe;
mod proxied;
mod reloads;
mod replaced_bundle;
mod revocation;
mod site;

use std::time::Duration;

use crate::common::Preload;

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

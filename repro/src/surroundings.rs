//! What a report says of the machine, the libraries and the bundle.

use anyhow::Context;
use brk_hole::Vm;
use heap_meter::environment::Environment;
use std::path::{Path, PathBuf};
use trusted_ca::BundleInfo;

/// The bundle that was named, or the machine's.
///
/// # Errors
///
/// When there is none; the error lists the places that were tried.
pub(crate) fn bundle(named: Option<&Path>) -> anyhow::Result<PathBuf> {
    let path = match named {
        Some(path) => path.to_owned(),
        None => trusted_ca::default_bundle()
            .map_err(|reason| anyhow::anyhow!("{reason}, or with --bundle PATH"))?,
    };
    // The children may run elsewhere, and a report should tell which file it was.
    std::path::absolute(&path).with_context(|| format!("{}", path.display()))
}

/// The environment, with OpenSSL, LuaJIT and the bundle that this binary works with.
///
/// # Errors
///
/// When the bundle can't be loaded, or no Lua state can be made.
pub(crate) fn describe(bundle: Option<&Path>) -> anyhow::Result<Environment> {
    let luajit = Vm::new().and_then(|vm| vm.version())?;
    let mut environment = Environment::here()
        .with("openssl", trusted_ca::openssl_version())
        .with("luajit", luajit);
    if let Some(bundle) = bundle {
        let info = BundleInfo::read(bundle)?;
        environment = environment.with(
            "bundle",
            serde_json::json!({
                "path": info.path.to_string_lossy(),
                "bytes": info.bytes,
                "certificates": info.certificates,
            }),
        );
    }
    Ok(environment)
}

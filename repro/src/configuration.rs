//! What an nginx master keeps of a configuration: its locations' contexts, and the Lua state.

use anyhow::Context;
use brk_hole::Vm;
use trusted_ca::SslContext;

/// A configuration, made and freed in nginx's order.
///
/// The contexts come while the configuration is read, the Lua state when all of it has been read. On
/// dropping they go backwards: the state first, then the contexts, the newest first. nginx gives
/// each of them a handler in the cycle's pool, and puts a new handler before the earlier ones.
///
/// # References
///
/// lua-nginx-module `src/ngx_http_lua_module.c` (`ngx_http_lua_set_ssl` merges a location's settings,
/// `ngx_http_lua_init` is the module's postconfiguration); nginx `src/core/ngx_palloc.c`
/// (`ngx_pool_cleanup_add`, `ngx_destroy_pool`).
pub(crate) struct Configuration {
    contexts: Vec<SslContext>,
    vm: Option<Vm>,
}

impl Configuration {
    /// One in which nothing is read yet. So many locations take no memory for book-keeping later.
    pub(crate) fn new(locations: u64) -> anyhow::Result<Self> {
        Ok(Self {
            contexts: Vec::with_capacity(usize::try_from(locations)?),
            vm: None,
        })
    }

    /// A location was read.
    pub(crate) fn add(&mut self, context: SslContext) {
        self.contexts.push(context);
    }

    /// All was read: Lua begins.
    pub(crate) fn complete(&mut self) -> anyhow::Result<()> {
        self.vm = Some(Vm::new().context("can't make the Lua state")?);
        Ok(())
    }
}

impl Drop for Configuration {
    fn drop(&mut self) {
        self.vm = None;
        while let Some(context) = self.contexts.pop() {
            drop(context);
        }
    }
}

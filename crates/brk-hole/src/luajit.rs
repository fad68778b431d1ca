//! The Lua virtual machine for which the hole was made.
//!
//! # Safety
//! `unsafe` is needed to make a Lua state with the C API and to close it: `Lua::new()` can't be
//! used, because it passes an allocator of its own, which LuaJIT with 32-bit GC pointers refuses.
#![allow(unsafe_code)]

use luajit_gc32_sys as _;
use mlua::{FromLuaMulti, IntoLuaMulti, Lua, ffi};
use std::mem::ManuallyDrop;

/// A LuaJIT state set up as lua-nginx-module sets up its own (`ngx_http_lua_new_state`): with
/// LuaJIT's own allocator, all standard libraries, and the module's tables.
#[derive(Debug)]
pub struct Vm {
    lua: ManuallyDrop<Lua>,
    state: *mut ffi::lua_State,
}

/// Whether Lua had no memory left where it needs it.
pub fn is_out_of_memory(error: &mlua::Error) -> bool {
    matches!(error, mlua::Error::MemoryError(_))
}

/// The tables that the module keeps: name here, slots it reserves for named fields.
///
/// lua-nginx-module v0.10.7, `ngx_http_lua_init_registry`.
const MODULE_TABLES: [(&str, usize); 5] = [
    ("coroutines", 32),
    ("ctx_tables", 32),
    ("socket_pool", 8),
    ("regex_cache", 16),
    ("code_cache", 8),
];

impl Vm {
    /// Makes the state, and in it the module's tables.
    ///
    /// # Errors
    /// When LuaJIT finds no memory where it needs it (below 2 GiB with 32-bit GC pointers), or a
    /// table can't be made.
    pub fn new() -> mlua::Result<Self> {
        // SAFETY: makes a state of its own; null is the only failure.
        let state = unsafe { ffi::luaL_newstate() };
        if state.is_null() {
            return Err(mlua::Error::MemoryError(
                "luaL_newstate found no memory in LuaJIT's address range".into(),
            ));
        }
        // SAFETY: `state` is new, its stack empty; opening the libraries leaves it so.
        unsafe { ffi::luaL_openlibs(state) };
        // SAFETY: `state` is valid, used by this thread alone, and outlives the `Lua`: `drop` closes
        // it last.
        let lua = unsafe { Lua::get_or_init_from_ptr(state) }.clone();
        let vm = Self { lua: ManuallyDrop::new(lua), state };
        vm.make_module_tables()?;
        Ok(vm)
    }

    /// Runs Lua code with `arguments` as its `...`, and gives what it returns.
    ///
    /// # Errors
    /// What Lua raised: a syntax error, a runtime error, "not enough memory".
    pub fn run<R: FromLuaMulti>(
        &self,
        code: &str,
        arguments: impl IntoLuaMulti,
    ) -> mlua::Result<R> {
        self.lua.load(code).call(arguments)
    }

    /// The state as mlua knows it, for what [`run`](Self::run) can't do.
    ///
    /// # Safety
    /// No clone of the `Lua` may be used after this `Vm` was dropped: the state is closed then,
    /// which a clone doesn't notice.
    pub unsafe fn lua(&self) -> &Lua {
        &self.lua
    }

    /// Where C's `malloc(bytes)` allocates, asked from Lua as the module's own test does:
    /// `ffi.C.malloc(1)`. The block is freed again.
    ///
    /// # Errors
    /// When Lua fails, for instance for want of memory.
    pub fn malloc_address(&self, bytes: u32) -> mlua::Result<usize> {
        let address: String = self.run(
            r#"
                local ffi = require "ffi"
                ffi.cdef "void *malloc(size_t size); void free(void *p);"
                local p = ffi.C.malloc(...)
                -- A Lua number holds 53 bits, so the address travels as text.
                local text = tostring(ffi.cast("uintptr_t", p))
                ffi.C.free(p)
                return text
            "#,
            bytes,
        )?;
        address.trim_end_matches("ULL").parse().map_err(mlua::Error::external)
    }

    /// What LuaJIT this is, for reports: its version, architecture and the width of its GC pointers.
    ///
    /// # Errors
    /// When Lua fails, for instance for want of memory.
    pub fn version(&self) -> mlua::Result<String> {
        let code = "local jit = require 'jit'; return jit.version .. ' ' .. jit.arch";
        let version: String = self.run(code, ())?;
        let width = if self.has_64_bit_gc_pointers()? { 64 } else { 32 };
        Ok(format!("{version}, {width}-bit GC pointers"))
    }

    /// Whether GC pointers have 64 bits, so that Lua's objects may lie anywhere.
    ///
    /// # Errors
    /// When Lua fails, for instance for want of memory.
    ///
    /// # References
    /// LuaJIT 2.1, `src/lj_alloc.c`, `LJ_ALLOC_MBITS`: with 32 bits all objects lie below 2 GiB on
    /// x86-64, "due to limitations in the x64 non-GC64 VM".
    pub fn has_64_bit_gc_pointers(&self) -> mlua::Result<bool> {
        self.run("return require('ffi').abi('gc64')", ())
    }

    fn make_module_tables(&self) -> mlua::Result<()> {
        for (name, slots) in MODULE_TABLES {
            let table = self.lua.create_table_with_capacity(0, slots)?;
            self.lua.set_named_registry_value(name, table)?;
        }
        Ok(())
    }
}

impl Drop for Vm {
    fn drop(&mut self) {
        // SAFETY: dropped once, here, and not used afterwards.
        unsafe { ManuallyDrop::drop(&mut self.lua) };
        // SAFETY: `new` made the state, and nobody uses it any more: values that `run` returned hold
        // it weakly, and who called `lua` promised to keep no clone.
        unsafe { ffi::lua_close(self.state) };
    }
}

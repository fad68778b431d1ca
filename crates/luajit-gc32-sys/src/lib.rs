//! Builds and links the LuaJIT for which nginx's Lua module kept the lowest 2 GiB free: one with
//! 32-bit GC pointers, as every LuaJIT on x86-64 was until 2022. The feature `gc64` builds today's.
//!
//! It exports nothing. Name it beside `mlua` with its feature `luajit`, and without `vendored`:
//!
//! ```
//! use luajit_gc32_sys as _;
//! use mlua_sys::{lua_close, luaL_newstate};
//!
//! // SAFETY: the state is this test's own, and closed once.
//! let state = unsafe { luaL_newstate() };
//! assert!(!state.is_null());
//! // SAFETY: `state` is valid and not used again.
//! unsafe { lua_close(state) };
//! ```
//!
//! Make states with `luaL_newstate`: a LuaJIT with 32-bit GC pointers refuses any allocator but its
//! own, so mlua's `Lua::new()` complains and falls back.
#![no_std]

use mlua_sys as _;

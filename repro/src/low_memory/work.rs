//! The child's side: takes heap in C, and lets Lua make objects until it has no more memory.

use super::flags::{BLOCK_BYTES, LuaCase, VmMade};
use crate::child::{Child, first_victim, word};
use crate::process::MallocBlocks;
use anyhow::Context;
use brk_hole::{Vm, is_out_of_memory};
use heap_meter::environment::Environment;
use std::ffi::OsString;
use std::mem;

/// Makes the objects and counts them; its head says how.
const FILL: &str = include_str!("fill.lua");

/// Before anything is taken.
const START: &str = "start";
/// C has taken its heap.
const FILLED: &str = "filled";
/// Lua has taken what it gets.
pub(super) const FULL: &str = "full";

/// How a run ended.
const NOT_ENOUGH: &str = "not enough memory";
pub(super) const REACHED: &str = "reached";

/// What the child tells, by these names.
pub(super) mod told {
    pub(in super::super) const LUA_BYTES: &str = "lua_bytes";
    pub(in super::super) const OBJECTS_HELD: &str = "objects_held";
    pub(in super::super) const OBJECT_BYTES: &str = "object_bytes";
    pub(in super::super) const ENDED: &str = "ended";
    pub(in super::super) const ASLR: &str = "aslr";
}

pub(super) fn run(arguments: &[OsString], child: &Child) -> anyhow::Result<()> {
    let (case, most_bytes) = LuaCase::from_arguments(arguments)?;
    let checkpoints = child.checkpoints;
    first_victim();
    if let Some(aslr) = Environment::here().aslr {
        let aslr = serde_json::to_value(aslr)?;
        let aslr = aslr.as_str().unwrap_or_default();
        checkpoints.tell(told::ASLR, format_args!("{aslr}"))?;
    }
    if !child.counts(0)? {
        return Ok(());
    }
    checkpoints.reach(START)?;
    let made_before = match case.vm {
        VmMade::Before => Some(Vm::new().context("can't make the Lua state")?),
        VmMade::After => None,
    };
    let chain = MallocBlocks::take(case.fill_bytes / BLOCK_BYTES as u64, BLOCK_BYTES)
        .with_context(|| format!("malloc gave out less than {} bytes", case.fill_bytes))?;
    checkpoints.reach(FILLED)?;
    let vm = match made_before {
        Some(vm) => Some(vm),
        None => vm_or_no_memory()?,
    };
    let (out_of_memory, lua_bytes, objects_held, object_bytes): (bool, f64, f64, f64) = match &vm {
        Some(vm) => vm
            .run(FILL, (word(&case.objects), most_bytes as f64))
            .context("Lua failed otherwise than for want of memory")?,
        // Not even a VM.
        None => (true, 0.0, 0.0, 0.0),
    };
    checkpoints.tell(told::LUA_BYTES, format_args!("{lua_bytes:.0}"))?;
    checkpoints.tell(told::OBJECTS_HELD, format_args!("{objects_held:.0}"))?;
    checkpoints.tell(told::OBJECT_BYTES, format_args!("{object_bytes:.0}"))?;
    let ended = if out_of_memory { NOT_ENOUGH } else { REACHED };
    checkpoints.tell(told::ENDED, format_args!("{ended}"))?;
    checkpoints.reach(FULL)?;
    if !checkpoints.is_watched() {
        println!("{case}: {lua_bytes:.0} bytes of Lua objects: {ended}");
    }
    // The kernel takes both back faster than their owners could, object by object.
    mem::forget(vm);
    mem::forget(chain);
    Ok(())
}

/// A VM; `None` when C has taken all that Lua could have.
fn vm_or_no_memory() -> anyhow::Result<Option<Vm>> {
    match Vm::new() {
        Ok(vm) => Ok(Some(vm)),
        Err(error) if is_out_of_memory(&error) => Ok(None),
        Err(error) => Err(error).context("can't make the Lua state"),
    }
}

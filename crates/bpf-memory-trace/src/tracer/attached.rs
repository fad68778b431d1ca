//! The programs, loaded and attached.

use std::io;

use super::{Hook, Missed, Options};
use crate::asm::Code;
use crate::btf::Btf;
use crate::layout::{Layout, kernel_types};
use crate::map::Map;
use crate::program::{AttachPoint, Link, Program};
use crate::programs::{
    Abi, Context, Scope, Wanted, any_returned, executed, exited, forked, functions, nothing,
    returned, uring,
};
use crate::refusal::Refusal;

/// The lives of processes.
const LIFE: [&str; 3] = ["sched_process_fork", "sched_process_exec", "sched_process_exit"];
const SYS_EXIT: &str = "sys_exit";
/// What io_uring does.
const URING: [&str; 2] = ["io_openat2", "io_close"];
/// Largest part of a stack, and its steps.
const STACK_BYTES: u16 = 16 << 10;
const STACK_STEP_BYTES: u16 = 1024;

/// Programs and their links. All goes when it is dropped.
#[derive(Debug)]
pub struct Attached {
    programs: Vec<Program>,
    links: Vec<Link>,
    pub tells_uring: bool,
}

impl Attached {
    pub fn new(hook: Hook, options: Options, maps: &[&Map]) -> Result<Self, Refusal> {
        let mut functions = functions();
        let names = functions.iter().map(|(name, _)| &**name).chain(URING).collect::<Vec<_>>();
        let tracepoints = [LIFE.as_slice(), &[SYS_EXIT]].concat();
        let btf = kernel_types(&names, &tracepoints)?;
        // A kernel may be without a way in for 32-bit code.
        functions.retain(|(name, call)| call.abi == Abi::Native || btf.function(name).is_some());
        let layout = Layout::of(&btf)?;
        let stack_bytes = options.stack_bytes.min(STACK_BYTES);
        let scope = options.scope;
        let wanted = Wanted {
            scope,
            stack_bytes: stack_bytes.next_multiple_of(STACK_STEP_BYTES),
            full_bytes: options.ring_bytes / 2,
        };
        let mut attached = Self { programs: Vec::new(), links: Vec::new(), tells_uring: false };
        match hook {
            Hook::Fexit => {
                for (function, call) in &functions {
                    let code = returned(&layout, wanted, *call);
                    attached.add(call.name(), &code, fexit(&btf, function)?, maps)?;
                }
            }
            Hook::SysExit => {
                let code = any_returned(&layout, wanted, Context::Arguments);
                attached.add(SYS_EXIT, &code, tracepoint(&btf, SYS_EXIT)?, maps)?;
            }
            Hook::KprobeMulti => {
                let code = any_returned(&layout, wanted, Context::Registers);
                let program = load("returns", &code, AttachPoint::KprobeMulti, maps)?;
                let names: Vec<_> = functions.into_iter().map(|(name, _)| name).collect();
                let link = Link::kprobe_multi(&program, &names);
                let refused = |error| Refusal::of("kretprobe.multi links", error, String::new());
                attached.links.push(link.map_err(refused)?);
                attached.programs.push(program);
            }
        }
        let lives = [forked, executed, exited].map(|life| life(&layout, scope));
        for (name, code) in LIFE.into_iter().zip(&lives) {
            attached.add(name, code, tracepoint(&btf, name)?, maps)?;
        }
        // Where the kernel refuses it, the rest is told all the same.
        attached.tells_uring = attached.add_uring(&btf, &layout, scope, maps).is_some();
        Ok(attached)
    }

    fn add_uring(&mut self, btf: &Btf, layout: &Layout, scope: Scope, maps: &[&Map]) -> Option<()> {
        let offsets = layout.uring.as_ref()?;
        let [open, close] = URING.map(|name| btf.function(name));
        let (open, close) = (open?, close?);
        for (code, point) in [
            (uring::asks(layout, offsets, scope), AttachPoint::Fentry { btf_id: open }),
            (uring::opens(layout, offsets, scope), AttachPoint::Fexit { btf_id: open }),
            (uring::closes(layout, offsets, scope), AttachPoint::Fexit { btf_id: close }),
        ] {
            self.add("io_uring", &code, point, maps).ok()?;
        }
        Some(())
    }

    /// What the kernel has counted, to be added to what the programs have.
    pub fn add_missed(&self, missed: &mut Missed) -> io::Result<()> {
        for program in &self.programs {
            missed.skipped += program.recursion_misses()?;
        }
        for link in &self.links {
            missed.no_return_slot += link.missed()?;
        }
        Ok(())
    }

    fn add(
        &mut self,
        name: &str,
        code: &Code,
        point: AttachPoint,
        maps: &[&Map],
    ) -> Result<(), Refusal> {
        let program = load(name, code, point, maps)?;
        let refused = |error| Refusal::of(of(point), error, String::new());
        self.links.push(Link::attach(&program).map_err(refused)?);
        self.programs.push(program);
        Ok(())
    }
}

/// Whether the kernel accepts fexit programs at all: one that does nothing is loaded, and not
/// attached.
pub fn accepts_fexit() -> Result<(), Refusal> {
    let function = "__x64_sys_brk";
    let btf = kernel_types(&[function], &[])?;
    load("probe", &nothing(), fexit(&btf, function)?, &[]).map(drop)
}

fn load(name: &str, code: &Code, point: AttachPoint, maps: &[&Map]) -> Result<Program, Refusal> {
    let loaded = Program::load(name, code, point, maps);
    loaded.map_err(|error| Refusal::of(of(point), error.source, error.log))
}

/// What the kernel refuses if it refuses this.
fn of(point: AttachPoint) -> &'static str {
    match point {
        AttachPoint::Tracepoint { .. } => "programs at tracepoints",
        AttachPoint::Fentry { .. } => "fentry programs",
        AttachPoint::Fexit { .. } => "fexit programs",
        AttachPoint::KprobeMulti => "kretprobe.multi programs",
    }
}

fn tracepoint(btf: &Btf, name: &str) -> Result<AttachPoint, Refusal> {
    let missing = || Refusal::NotInBtf(format!("tracepoint {name}"));
    let btf_id = btf.tracepoint(name).ok_or_else(missing)?;
    Ok(AttachPoint::Tracepoint { btf_id })
}

fn fexit(btf: &Btf, function: &str) -> Result<AttachPoint, Refusal> {
    let missing = || Refusal::NotInBtf(function.to_owned());
    let btf_id = btf.function(function).ok_or_else(missing)?;
    Ok(AttachPoint::Fexit { btf_id })
}

//! The programs as they read, for a kernel of these offsets: a change of one is seen as such.
//! `BLESS=1` writes them anew.

use super::*;
use crate::layout::UringLayout;

const LAYOUT: Layout = Layout {
    arguments: [112, 104, 96, 56, 72, 64],
    i386_arguments: [40, 88, 96, 104, 112, 32],
    number: 120,
    result: 80,
    unwind: [128, 152, 32, 40, 24, 16, 8, 0],
    status: 16,
    task_tid: 2000,
    task_pid: 2004,
    task_exit_code: 1960,
    task_signal: 2400,
    task_leader: 2080,
    signal_exit_code: 88,
    signal_flags: 104,
    signal_live: 4,
    binprm_filename: 96,
    binprm_secure: (44, 4),
    uring: None,
};
const PLAIN: Wanted = Wanted { scope: Scope::Watched, stack_bytes: 0, full_bytes: 8 << 20 };
const SCOPES: [Scope; 3] = [Scope::Watched, Scope::Cgroup, Scope::Everybody];
const STACKS: Wanted = Wanted { stack_bytes: 2048, ..PLAIN };

#[track_caller]
fn reads(name: &str, code: &Code) {
    let path = format!("{}/tests/golden/{name}.txt", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, code.to_string()).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(code.to_string(), golden, "{path}");
}

/// The call of this function.
fn call(function: &str) -> ToldCall {
    let mut functions = functions().into_iter();
    functions.find(|(name, _)| name == function).unwrap_or_else(|| panic!("{function}")).1
}

#[test]
fn calls() {
    for (name, function, wanted) in [
        ("close", "__x64_sys_close", PLAIN),
        ("brk", "__x64_sys_brk", PLAIN),
        ("brk-with-stack", "__x64_sys_brk", STACKS),
        ("openat", "__x64_sys_openat", PLAIN),
        ("close-of-cgroup", "__x64_sys_close", Wanted { scope: Scope::Cgroup, ..PLAIN }),
        ("close-of-everybody", "__x64_sys_close", Wanted { scope: Scope::Everybody, ..PLAIN }),
        ("i386-brk", "__ia32_sys_brk", STACKS),
        ("i386-old-mmap", "__ia32_compat_sys_ia32_mmap", STACKS),
    ] {
        reads(name, &returned(&LAYOUT, wanted, call(function)));
    }
}

/// At `sys_exit`, it is asked in another order.
#[test]
fn any_call() {
    let code = any_returned(&LAYOUT, PLAIN, Context::Registers);
    reads("kretprobe.multi", &code);
}

#[test]
fn lives() {
    reads("sched_process_fork", &forked(&LAYOUT, Scope::Watched));
    reads("sched_process_exec", &executed(&LAYOUT, Scope::Watched));
    reads("sched_process_exit", &exited(&LAYOUT, Scope::Watched));
}

const URING: UringLayout = UringLayout {
    open_directory: 8,
    open_slot: 12,
    open_name: 16,
    open_flags: 24,
    open_mode: 32,
    close_fd: 8,
    close_slot: 12,
    result: 80,
    name: 0,
    asker: Vec::new(),
};

#[test]
fn uring() {
    let uring = UringLayout { asker: vec![104, 0], ..URING };
    reads("io_openat2-fentry", &uring::asks(&LAYOUT, &uring, Scope::Watched));
    reads("io_openat2", &uring::opens(&LAYOUT, &uring, Scope::Watched));
    reads("io_close", &uring::closes(&LAYOUT, &uring, Scope::Watched));
}

/// What differs between calls of one shape is their kind alone.
#[test]
fn a_call_differs_from_another_of_its_shape_by_its_number() {
    let of = |function| returned(&LAYOUT, PLAIN, call(function)).to_string();
    let [close, munmap] = [of("__x64_sys_close"), of("__x64_sys_munmap")];
    let differing: Vec<_> = close.lines().zip(munmap.lines()).filter(|(a, b)| a != b).collect();
    let kinds = ("   1: *(u32 *)(r10 -8) = 10", "   1: *(u32 *)(r10 -8) = 2");
    assert_eq!(differing, [kinds]);
}

#[test]
fn every_program_names_the_maps_that_there_are() {
    for (_, call) in functions() {
        let code = returned(&LAYOUT, STACKS, call);
        assert_eq!(code.maps().collect::<Vec<_>>(), [LOST, RING, WATCHED]);
    }
}

/// The verifier's verdict on each. Where the kernel refuses fexit programs as such, the same ones
/// are loaded at `sys_exit`, which gives them the same context.
mod verdict {
    use super::*;
    use crate::layout::kernel_types;
    use crate::map::{Map, MapKind};
    use crate::program::{AttachPoint, LoadError, Program};

    fn judge(judge: impl FnOnce(&Layout, &dyn Fn(&str) -> AttachPoint, &[&Map])) {
        let tracepoints =
            ["sys_exit", "sched_process_fork", "sched_process_exec", "sched_process_exit"];
        let types = kernel_types(&[], &tracepoints);
        let kernel = types.and_then(|types| Ok((Layout::of(&types)?, types)));
        let (layout, types) = match kernel {
            Ok(kernel) => kernel,
            Err(refusal) => return suite::skipped(refusal),
        };
        let maps = [
            Map::new(WATCHED, MapKind::PidFlags),
            Map::new(LOST, MapKind::Counter),
            Map::new(RING, MapKind::RingBuffer { bytes: 1 << 16 }),
            Map::new(CGROUP, MapKind::Cgroup),
        ];
        let maps: std::io::Result<Vec<_>> = maps.into_iter().collect();
        let maps = match maps {
            Ok(maps) => maps,
            Err(error) => return suite::skipped(format_args!("no maps: {error}")),
        };
        let tracepoint = |name: &str| AttachPoint::Tracepoint {
            btf_id: types.tracepoint(name).expect("this kernel has it"),
        };
        judge(&layout, &tracepoint, &maps.iter().collect::<Vec<_>>());
    }

    #[track_caller]
    fn accepted(loaded: Result<Program, LoadError>, what: &str) {
        if let Err(LoadError { source, log }) = loaded {
            panic!("{what}: {source}\n{log}");
        }
    }

    #[test]
    fn calls() {
        judge(|layout, tracepoint, maps| {
            let wanted = |stack_bytes| SCOPES.map(|scope| Wanted { scope, stack_bytes, ..PLAIN });
            for wanted in [0, 1024, 16 << 10].map(wanted).as_flattened().iter().copied() {
                for (function, call) in functions() {
                    let code = returned(layout, wanted, call);
                    let loaded = Program::load("call", &code, tracepoint("sys_exit"), maps);
                    accepted(loaded, &function);
                }
                let code = any_returned(layout, wanted, Context::Arguments);
                let loaded = Program::load("any", &code, tracepoint("sys_exit"), maps);
                accepted(loaded, "sys_exit");
                let code = any_returned(layout, wanted, Context::Registers);
                let loaded = Program::load("multi", &code, AttachPoint::KprobeMulti, maps);
                match loaded {
                    // No such attach point here: not the program's fault.
                    Err(error) if error.log.is_empty() => suite::skipped(error),
                    loaded => accepted(loaded, "kretprobe.multi"),
                }
            }
        });
    }

    #[test]
    fn lives() {
        judge(|layout, tracepoint, maps| {
            for scope in SCOPES {
                for (name, code) in [
                    ("sched_process_fork", forked(layout, scope)),
                    ("sched_process_exec", executed(layout, scope)),
                    ("sched_process_exit", exited(layout, scope)),
                ] {
                    accepted(Program::load(name, &code, tracepoint(name), maps), name);
                }
            }
        });
    }

    /// At a tracepoint with three arguments: two and a result.
    #[test]
    fn uring() {
        judge(|layout, tracepoint, maps| {
            let Some(offsets) = &layout.uring else {
                return suite::skipped("this kernel has no io_uring");
            };
            for scope in SCOPES {
                for (name, code) in [
                    ("asks", uring::asks(layout, offsets, scope)),
                    ("opens", uring::opens(layout, offsets, scope)),
                    ("closes", uring::closes(layout, offsets, scope)),
                ] {
                    let point = tracepoint("sched_process_exec");
                    accepted(Program::load(name, &code, point, maps), name);
                }
            }
        });
    }

    #[test]
    fn a_program_that_reads_what_it_has_not_is_refused_with_the_verifiers_words() {
        judge(|_, tracepoint, maps| {
            let mut asm = crate::Assembler::default();
            asm.mov(R0, R5);
            asm.exit();
            let code = asm.assemble().unwrap();
            let refused = Program::load("wrong", &code, tracepoint("sys_exit"), maps);
            let error = refused.unwrap_err();
            assert!(error.log.contains("R5 !read_ok"), "{error}");
        });
    }
}

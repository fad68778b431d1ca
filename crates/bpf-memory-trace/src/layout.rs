//! Where in the kernel's structures lies what the programs read.

use std::io;

use crate::btf::Btf;
use crate::refusal::Refusal;

/// Offsets in bytes.
#[derive(Clone, Debug)]
pub struct Layout {
    /// The six arguments of a system call in `struct pt_regs`.
    pub arguments: [i16; 6],
    /// The same of a call that 32-bit code makes, of 32 bits each.
    pub i386_arguments: [i16; 6],
    /// Its number.
    pub number: i16,
    /// A function's result.
    pub result: i16,
    /// ip, sp, bp, bx, r12 to r15: what an unwinder begins with.
    pub unwind: [i16; 8],
    /// `task_struct.thread_info.status`, which marks a call that 32-bit code makes.
    pub status: i16,
    pub task_tid: i16,
    pub task_pid: i16,
    pub task_exit_code: i16,
    pub task_signal: i16,
    pub task_leader: i16,
    pub signal_exit_code: i16,
    pub signal_flags: i16,
    pub signal_live: i16,
    pub binprm_filename: i16,
    /// `linux_binprm.secureexec`: its byte, and the bit in it.
    pub binprm_secure: (i16, u8),
    /// Where the kernel has io_uring, as it is known here.
    pub uring: Option<UringLayout>,
}

/// Of io_uring's requests, from their beginning.
#[derive(Clone, Debug)]
pub struct UringLayout {
    pub open_directory: i16,
    pub open_slot: i16,
    pub open_name: i16,
    pub open_flags: i16,
    pub open_mode: i16,
    pub close_fd: i16,
    pub close_slot: i16,
    pub result: i16,
    /// In the name: its text.
    pub name: i16,
    /// From pointer to pointer, to the task that has asked.
    pub asker: Vec<i16>,
}

impl UringLayout {
    /// # References
    /// `include/linux/io_uring_types.h`; `io_uring/openclose.c`
    fn of(btf: &Btf) -> Option<Self> {
        let own = btf.offset("io_kiocb", "cmd")?;
        let of = |of: &str, member: &str| Some(own + btf.offset(of, member)?);
        let how = of("io_open", "how")?;
        let asker = match btf.offset("io_kiocb", "task") {
            Some(task) => vec![task],
            // Since Linux 6.13.
            None => vec![btf.offset("io_kiocb", "tctx")?, btf.offset("io_uring_task", "task")?],
        };
        Some(Self {
            open_directory: of("io_open", "dfd")?,
            open_slot: of("io_open", "file_slot")?,
            open_name: of("io_open", "filename")?,
            open_flags: how + btf.offset("open_how", "flags")?,
            open_mode: how + btf.offset("open_how", "mode")?,
            close_fd: of("io_close", "fd")?,
            close_slot: of("io_close", "file_slot")?,
            result: btf.offset("io_kiocb", "cqe")? + btf.offset("io_cqe", "res")?,
            name: btf.offset("filename", "name")?,
            asker,
        })
    }
}

/// The structures among [`Btf::of_kernel`]'s names.
pub const STRUCTURES: [&str; 12] = [
    "pt_regs",
    "task_struct",
    "thread_info",
    "signal_struct",
    "linux_binprm",
    "io_kiocb",
    "io_open",
    "io_close",
    "io_cqe",
    "io_uring_task",
    "filename",
    "open_how",
];

impl Layout {
    /// # Errors
    /// [`Refusal::NotInBtf`] names what this kernel lacks.
    ///
    /// # References
    /// syscall(2), “Architecture calling conventions”
    pub fn of(btf: &Btf) -> Result<Self, Refusal> {
        let offset = |of: &str, member: &str| {
            let missing = || Refusal::NotInBtf(format!("{of}.{member}"));
            btf.offset(of, member).ok_or_else(missing)
        };
        let register = |name| offset("pt_regs", name);
        Ok(Self {
            arguments: [
                register("di")?,
                register("si")?,
                register("dx")?,
                register("r10")?,
                register("r8")?,
                register("r9")?,
            ],
            i386_arguments: [
                register("bx")?,
                register("cx")?,
                register("dx")?,
                register("si")?,
                register("di")?,
                register("bp")?,
            ],
            number: register("orig_ax")?,
            result: register("ax")?,
            unwind: [
                register("ip")?,
                register("sp")?,
                register("bp")?,
                register("bx")?,
                register("r12")?,
                register("r13")?,
                register("r14")?,
                register("r15")?,
            ],
            status: offset("task_struct", "thread_info")? + offset("thread_info", "status")?,
            task_tid: offset("task_struct", "pid")?,
            task_pid: offset("task_struct", "tgid")?,
            task_exit_code: offset("task_struct", "exit_code")?,
            task_signal: offset("task_struct", "signal")?,
            task_leader: offset("task_struct", "group_leader")?,
            signal_exit_code: offset("signal_struct", "group_exit_code")?,
            signal_flags: offset("signal_struct", "flags")?,
            signal_live: offset("signal_struct", "live")?,
            binprm_filename: offset("linux_binprm", "filename")?,
            binprm_secure: btf
                .bit("linux_binprm", "secureexec")
                .ok_or_else(|| Refusal::NotInBtf("linux_binprm.secureexec".to_owned()))?,
            uring: UringLayout::of(btf),
        })
    }
}

/// The running kernel's types, with everything in them that this crate asks for.
pub fn kernel_types(functions: &[&str], tracepoints: &[&str]) -> Result<Btf, Refusal> {
    let tracepoints: Vec<_> = tracepoints.iter().map(|name| format!("btf_trace_{name}")).collect();
    let mut names: Vec<&str> = STRUCTURES.to_vec();
    names.extend(functions.iter().copied().chain(tracepoints.iter().map(String::as_str)));
    Btf::of_kernel(&names).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Refusal::NoBtf,
        _ => Refusal::BtfUnreadable(error),
    })
}

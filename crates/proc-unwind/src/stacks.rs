//! Stacks of threads that are stopped, or were copied: the way from a register set to named functions.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use framehop::{FrameAddress, Unwinder};

use super::chain::Chain;
use super::images::UnwindImages;
use super::memory::{self, Registers, StackMemory};
use super::names::{FunctionNames, NamedFunction};
use super::space::CodeSpace;
use memory_event::Stack;

/// A stack is cut off after so many frames.
pub const MOST_FRAMES: usize = 128;
/// So many processes' mappings are remembered.
const MOST_PROCESSES: usize = 64;

/// Looks at the stacks of stopped threads, and remembers what is worth remembering: per process
/// its executable mappings, per file its symbols, per address its name, each within bounds.
pub struct Stacks {
    spaces: HashMap<i32, CodeSpace>,
    images: UnwindImages,
    names: FunctionNames,
    cache: framehop::CacheNative<framehop::MayAllocateDuringUnwind>,
    unreadable: u64,
    /// Processes of copied stacks, that is.
    ended: u64,
}

impl Stacks {
    /// The symbols of stripped files are looked for where distributions put them, `/usr/lib/debug`.
    pub fn new() -> Self {
        Self::with_names(FunctionNames::new(None))
    }

    /// The symbols of stripped files are looked for in these directories (by build id in their
    /// `.build-id`, or by the name that the file gives) and beside the file.
    pub fn with_debug_directories(directories: Vec<PathBuf>) -> Self {
        Self::with_names(FunctionNames::new(Some(directories)))
    }

    fn with_names(names: FunctionNames) -> Self {
        Self {
            spaces: HashMap::new(),
            images: UnwindImages::default(),
            names,
            cache: framehop::CacheNative::new(),
            unreadable: 0,
            ended: 0,
        }
    }

    /// The stack of thread `tid` of process `pid`, which the calling thread has stopped under
    /// ptrace. `None` if its registers or mappings can't be read (it was killed meanwhile, or runs
    /// 32-bit code): [`notes`](Self::notes) count it.
    ///
    /// What a process has mapped is read at the first call, and again when a frame lies where
    /// nothing executable was known, or in a file that isn't there any more (by its build id or,
    /// where it has none, by its code).
    pub fn of(&mut self, pid: i32, tid: i32) -> Option<Arc<Stack>> {
        let registers = tracee::registers(tid).ok().flatten();
        let stack = registers.and_then(|it| self.look(pid, &it, &mut StackMemory::of(pid)));
        self.unreadable += u64::from(stack.is_none());
        stack.map(Arc::new)
    }

    /// The stack of a thread of process `pid`, which runs on, from a copy that was made of it.
    /// `None` if the process's mappings can't be read (it has ended), and on other machines than
    /// x86-64: [`notes`](Self::notes) count it.
    ///
    /// A stack that goes on where nothing was copied ends with the frame `[stack not copied]`. A process that maps and
    /// unmaps code may have other functions where its thread was: mappings are those of this moment.
    #[cfg_attr(not(target_arch = "x86_64"), expect(unused_variables))]
    pub fn copied(&mut self, pid: i32, copy: CopiedStack<'_>) -> Option<Arc<Stack>> {
        #[cfg(target_arch = "x86_64")]
        let stack = self.look_at_copy(pid, copy);
        #[cfg(not(target_arch = "x86_64"))]
        let stack = None;
        self.ended += u64::from(stack.is_none());
        stack.map(Arc::new)
    }

    #[cfg(target_arch = "x86_64")]
    fn look_at_copy(&mut self, pid: i32, copy: CopiedStack<'_>) -> Option<Stack> {
        let registers = memory::registers_of(copy.registers, copy.resized_bytes);
        let mut memory = StackMemory::copied(copy.parts);
        let mut stack = self.look(pid, &registers, &mut memory)?;
        if stack.truncated && memory.lacks {
            stack.frames.push("[stack not copied]".into());
        }
        Some(stack)
    }

    /// Reads now what a process has mapped, so that looking at its stopped threads takes no longer
    /// than it must.
    ///
    /// # Errors
    /// If its list of mappings can't be read: it has ended, or may not be looked at.
    pub fn learn(&mut self, pid: i32) -> std::io::Result<()> {
        let space = CodeSpace::read(pid, &mut self.images)?;
        if self.spaces.len() >= MOST_PROCESSES {
            self.spaces.clear();
        }
        self.spaces.insert(pid, space);
        Ok(())
    }

    /// The calls that a thread of process `pid` is in, by unwind tables alone. All its threads have
    /// to stand still meanwhile, whoever has stopped them, and these have to be its registers, by
    /// their numbers in unwind tables (rax, rdx, rcx, rbx, rsi, rdi, rbp, rsp, r8 to r15, rip).
    /// `None` if its mappings can't be read, and on other machines than x86-64.
    ///
    /// What the process has mapped is read only if [`learn`](Self::learn) never was called for it;
    /// what it has mapped since makes the chain [`outdated`](Chain::outdated).
    ///
    /// # References
    /// System V ABI, AMD64 supplement, figure 3.36
    #[cfg_attr(not(target_arch = "x86_64"), expect(unused_variables))]
    pub fn chain(&mut self, pid: i32, registers: &[u64; 17]) -> Option<Chain> {
        #[cfg(target_arch = "x86_64")]
        return self.follow(pid, registers);
        #[cfg(not(target_arch = "x86_64"))]
        None
    }

    #[cfg(target_arch = "x86_64")]
    fn follow(&mut self, pid: i32, registers: &[u64; 17]) -> Option<Chain> {
        if !self.spaces.contains_key(&pid) {
            self.learn(pid).ok()?;
        }
        let mut memory = StackMemory::of(pid);
        let mut chain = super::chain::of(registers, self.spaces.get(&pid)?, &mut memory);
        let addresses: Vec<_> = chain.calls.iter().map(|call| call.address).collect();
        if !chain.outdated && !self.is_up_to_date(pid, &addresses) {
            (chain.outdated, chain.complete) = (true, false);
        }
        Some(chain)
    }

    /// The file whose code is mapped at an address, once [`learn`](Self::learn) has been called.
    /// `None` if nothing executable was mapped there, or if the file can't be opened.
    pub fn file(&self, pid: i32, address: u64) -> Option<CodeFile> {
        let module = self.spaces.get(&pid)?.module(address)?;
        Some(CodeFile { path: module.image.path()?, bias: module.bias })
    }

    /// Whether the code at an address is what its file has there: nobody has patched it, and it is
    /// where the file's functions were taken to be.
    pub fn is_as_in_file(&self, pid: i32, address: u64) -> bool {
        const CODE_BYTES: u64 = 32;
        let module = self.spaces.get(&pid).and_then(|space| space.module(address));
        let code = module
            .and_then(|module| module.image.code(address.wrapping_sub(module.bias), CODE_BYTES));
        code.is_some_and(|code| memory::holds(pid, &[(address, code.into())]))
    }

    /// What a frame with this address is called, as in [`Stack::frames`]. `None` if nothing
    /// executable is known to be mapped there.
    pub fn name(&mut self, pid: i32, address: u64) -> Option<String> {
        let part = self.spaces.get(&pid)?.part(address)?;
        Some(self.names.of(part, address).text.to_string())
    }

    /// Forgets what a process has mapped: it executed another program or has ended. What is known
    /// of the files is kept.
    pub fn forget(&mut self, pid: i32) {
        self.spaces.remove(&pid);
    }

    /// What could not be done, a sentence each.
    pub fn notes(&self) -> Vec<String> {
        let unreadable = (self.unreadable > 0).then(|| {
            format!(
                "{} stacks could not be read: their threads had been killed, or ran 32-bit code",
                self.unreadable
            )
        });
        let ended = (self.ended > 0).then(|| {
            format!(
                "{} stacks have no names: their processes had ended before their files could be \
                 looked up",
                self.ended
            )
        });
        let notes = [unreadable, ended, self.images.note(), self.names.note()];
        notes.into_iter().flatten().collect()
    }

    fn look(&mut self, pid: i32, registers: &Registers, memory: &mut StackMemory) -> Option<Stack> {
        let mut fresh = false;
        if !self.spaces.contains_key(&pid) {
            self.learn(pid).ok()?;
            fresh = true;
        }
        let mut walk = self.walk(pid, registers, memory)?;
        if !fresh && (walk.unknown || !self.is_up_to_date(pid, &walk.addresses)) {
            self.learn(pid).ok()?;
            walk = self.walk(pid, registers, memory)?;
        }
        let space = self.spaces.get(&pid)?;
        let named: Vec<_> = walk
            .addresses
            .iter()
            .map(|&address| Some(self.names.of(space.part(address)?, address)))
            .collect::<Option<_>>()?;
        let requested_bytes = requested(registers, space, memory, &walk.addresses, &named);
        let frames = named.into_iter().map(|named| named.text).collect();
        Some(Stack::new(frames, walk.truncated, requested_bytes))
    }

    /// Whether the files that a stack leads through are still those that are mapped there.
    fn is_up_to_date(&self, pid: i32, addresses: &[u64]) -> bool {
        let Some(space) = self.spaces.get(&pid) else {
            return false;
        };
        let mut seen = Vec::new();
        let mut marks = Vec::new();
        for &address in addresses {
            if let Some(module) = space.module(address)
                && !seen.contains(&(module.image.id, module.bias))
            {
                seen.push((module.image.id, module.bias));
                let mark = module.image.mark(address.wrapping_sub(module.bias));
                marks.extend(mark.map(|(at, bytes)| (at.wrapping_add(module.bias), bytes)));
            }
        }
        memory::holds(pid, &marks)
    }

    fn walk(
        &mut self,
        pid: i32,
        registers: &Registers,
        memory: &mut StackMemory,
    ) -> Option<StackWalk> {
        let space = self.spaces.get(&pid)?;
        let start = memory::for_unwinding(registers, space.unwinder.max_known_code_address());
        let instruction = memory::instruction(registers);
        let mut read = |address| memory.word(address).ok_or(());
        let mut frames = space.unwinder.iter_frames(instruction, start, &mut self.cache, &mut read);
        let mut walk = StackWalk { addresses: Vec::new(), truncated: false, unknown: false };
        loop {
            match frames.next() {
                Ok(None) => return Some(walk),
                Ok(Some(_)) if walk.addresses.len() == MOST_FRAMES => {
                    walk.truncated = true;
                    return Some(walk);
                }
                Ok(Some(frame)) => {
                    let address = lookup(frame);
                    if space.part(address).is_none() {
                        (walk.truncated, walk.unknown) = (true, true);
                        return Some(walk);
                    }
                    walk.addresses.push(address);
                    if space.module(address).is_some_and(|module| {
                        module.image.is_beginning(address.wrapping_sub(module.bias))
                    }) {
                        return Some(walk);
                    }
                }
                Err(_) => {
                    walk.truncated = true;
                    return Some(walk);
                }
            }
        }
    }
}

impl Default for Stacks {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Stacks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stacks").field("processes", &self.spaces.len()).finish_non_exhaustive()
    }
}

/// What was copied of a thread as it came back from a system call.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct CopiedStack<'a> {
    /// rip, rsp, rbp, rbx, r12, r13, r14, r15.
    pub registers: [u64; 8],
    /// Addresses from about `rsp` upwards, and what stood there.
    pub parts: &'a [(u64, Vec<u8>)],
    /// If the call was `mremap`: the length that it was asked for.
    pub resized_bytes: Option<u64>,
}

impl<'a> CopiedStack<'a> {
    /// Behind another call than `mremap`.
    pub fn new(registers: [u64; 8], parts: &'a [(u64, Vec<u8>)]) -> Self {
        Self { registers, parts, resized_bytes: None }
    }
}

/// A file whose code a process has mapped.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CodeFile {
    /// By which this program opens the very file that is mapped, for as long as the [`Stacks`] that
    /// gave it lives.
    pub path: PathBuf,
    /// Address in the process, less that in the file.
    pub bias: u64,
}

/// The code addresses of a stack, innermost first; of a caller, an address within its call.
struct StackWalk {
    addresses: Vec<u64>,
    truncated: bool,
    /// It ended at an address that nothing executable is known to be mapped at.
    unknown: bool,
}

/// The address that belongs to the frame's own function: that of a caller's return may already be
/// the next one's.
fn lookup(frame: FrameAddress) -> u64 {
    match frame {
        FrameAddress::InstructionPointer(address) => address,
        FrameAddress::ReturnAddress(address) => address.get() - 1,
    }
}

#[cfg(target_arch = "x86_64")]
fn requested(
    registers: &Registers,
    space: &CodeSpace,
    memory: &mut StackMemory,
    addresses: &[u64],
    named: &[NamedFunction],
) -> Option<u64> {
    let innermost = &addresses[..addresses.len().min(super::request::MOST_FRAMES)];
    let frames = super::recover::innermost(registers, space, memory, innermost);
    let allocators: Vec<_> = named.iter().map(|named| named.allocator).collect();
    let resized = (registers.orig_rax == libc::SYS_mremap as u64).then_some(registers.rdx);
    super::request::requested(&frames, &allocators, resized)
}

/// Which registers glibc's functions use was looked into on x86-64 alone.
#[cfg(not(target_arch = "x86_64"))]
fn requested(
    _: &Registers,
    _: &CodeSpace,
    _: &mut StackMemory,
    _: &[u64],
    _: &[NamedFunction],
) -> Option<u64> {
    None
}

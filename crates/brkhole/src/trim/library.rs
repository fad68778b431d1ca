//! Where malloc's code is in a process: the function that gives memory back, and all others.

#[cfg(test)]
mod tests;

use std::fs::{self, File};
use std::io;
use std::ops::Range;
use std::os::unix::fs::MetadataExt;

use anyhow::{Context, anyhow, bail};
use proc_memory::{AddressSpace, Mapping, Process};
use proc_unwind::{Function, Stacks, SymbolTable, Symbols};
use ptmalloc::Allocator;

use super::allocators::{self, Offer};

/// Functions of glibc's `malloc.o`, by which its place among the library's code is known; besides
/// them those whose names begin with `malloc_`. Some versions have names that others don't.
///
/// # References
/// glibc `malloc/Versions`, 2.27 to 2.44
const MALLOC: [&str; 17] = [
    "aligned_alloc",
    "calloc",
    "cfree",
    "default_morecore",
    "free",
    "free_aligned_sized",
    "free_sized",
    "mallinfo",
    "mallinfo2",
    "malloc",
    "mallopt",
    "memalign",
    "morecore",
    "posix_memalign",
    "pvalloc",
    "realloc",
    "valloc",
];
/// These have to lie in the range that is found, or it isn't the one.
const NEEDED: [&str; 5] = ["malloc", "free", "calloc", "realloc", "malloc_trim"];
/// They move the break: what malloc would read of it may be old while one of them runs.
const BREAK: [&str; 2] = ["brk", "sbrk"];
/// `malloc.o` has some 32 KiB of code; beyond this something else has been found.
const MOST_BYTES: u64 = 512 * 1024;

/// While a thread is in one of these, it may have all locks of an allocator that registered for that
/// (pthread_atfork(3)).
const FORK: [&str; 2] = ["fork", "Fork"];
/// A thread that waits in one of these has let go of its one lock.
const WAITS: [&str; 3] = ["pthread_cond_wait", "pthread_cond_timedwait", "pthread_cond_clockwait"];

/// Malloc's code in one process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TrimLibrary {
    /// What is called.
    pub(super) offer: &'static Offer,
    /// Where that is.
    pub(super) trim: u64,
    /// The function that tells what another allocator counts, where the library names it.
    pub(super) statistics: Option<u64>,
    /// `__errno_location`, where the library names it.
    pub(super) errno_location: Option<u64>,
    /// All code of malloc, and perhaps some of its neighbours'.
    pub(super) malloc: Range<u64>,
    /// The first function in it that the library names. Before it are functions of malloc's that
    /// only malloc calls, and those of neighbours.
    pub(super) first_named: u64,
    /// `brk` and `sbrk`; of another allocator, `fork` and the dynamic loader.
    pub(super) others: Vec<Range<u64>>,
    /// Where a thread of the allocator's own waits for work.
    pub(super) waits: Vec<Range<u64>>,
    /// Where its file is mapped, data and all.
    pub(super) mapped: Vec<Range<u64>>,
    /// What is mapped where `malloc_trim` is.
    place: Option<Mapping>,
}

impl TrimLibrary {
    /// That of a process, whose files it learns first.
    ///
    /// # Errors
    /// If it can't be read, isn't laid out as glibc's is, or is another allocator's that can't be
    /// told from the program.
    pub(super) fn of(
        process: &Process,
        stacks: &mut Stacks,
        allocator: Option<&Allocator>,
    ) -> anyhow::Result<Self> {
        let pid = process.pid();
        stacks.learn(pid).context("can't read its mappings")?;
        let space = AddressSpace::of_process(process)?;
        let other =
            allocator.and_then(|allocator| Some((allocator, allocators::offer(allocator)?)));
        let library = match other.filter(|(_, offer)| offer.is_anothers()) {
            Some((allocator, offer)) => Self::of_other(pid, &space, stacks, allocator, offer),
            None => Self::of_glibc(pid, &space, stacks),
        }?;
        let called = [Some(library.trim), library.statistics, library.errno_location];
        match called.into_iter().flatten().all(|address| stacks.is_as_in_file(pid, address)) {
            true => Ok(library),
            false => bail!(
                "the code of {} or of what else would be called isn't what its library's file has \
                 there (a breakpoint, or it was patched)",
                library.offer.called
            ),
        }
    }

    /// That of an allocator that is a shared library. All its code counts as the allocator's.
    fn of_other(
        pid: i32,
        space: &AddressSpace,
        stacks: &Stacks,
        allocator: &Allocator,
        offer: &'static Offer,
    ) -> anyhow::Result<Self> {
        let named = |is: &dyn Fn(&[u8]) -> bool| -> Vec<&Mapping> {
            code(space).filter(|mapping| is(mapping.file_name())).collect()
        };
        let code = named(&|name| Allocator::of_library(name).as_ref() == Some(allocator));
        let Some(first) = code.first() else {
            bail!(
                "its {allocator} is no shared library but linked into the program, where its code \
                 can't be told from the program's, so that whether a thread is inside it isn't \
                 known; have the program itself call {}",
                offer.called
            );
        };
        let (file, bias, name) = opened(pid, &code, stacks)?;
        let symbols = exported(&file).with_context(|| name.clone())?;
        let functions: Vec<_> = symbols.functions().collect();
        let find = |symbols: &[&str]| {
            let found = symbols.iter().find_map(|wanted| {
                functions.iter().find(|function| function.is_global && function.name == *wanted)
            })?;
            Some(found.addresses.start.wrapping_add(bias))
        };
        let trim = find(offer.symbols);
        let trim = trim.with_context(|| format!("{name} has no symbol {}", offer.symbols[0]))?;
        let place = code.iter().find(|mapping| (mapping.start..mapping.end).contains(&trim));
        let place = place.with_context(|| format!("{name}: {} isn't code", offer.called))?;
        let mut library = Self {
            offer,
            trim,
            statistics: offer.statistics.as_ref().and_then(|asked| find(asked.symbols)),
            errno_location: None,
            malloc: place.start..place.end,
            first_named: place.start,
            others: Vec::new(),
            waits: Vec::new(),
            mapped: of_file(space, first),
            place: Some((*place).clone()),
        };
        let glibc = named(&|name| is_libc(name) || name.starts_with(b"libpthread"));
        if glibc.is_empty() {
            bail!("its C library isn't glibc, so that where it forks isn't known");
        }
        for part in glibc {
            let (file, bias, name) = opened(pid, &[part], stacks)?;
            for function in exported(&file).context(name)?.functions() {
                let bare = function.name.trim_start_matches('_');
                let bare = bare.strip_prefix("libc_").unwrap_or(bare);
                let addresses = moved(&function.addresses, bias);
                if FORK.contains(&bare) {
                    library.others.push(addresses);
                } else if WAITS.contains(&bare) {
                    library.waits.push(addresses);
                } else if bare == "errno_location" {
                    library.errno_location = Some(addresses.start);
                }
            }
        }
        // A thread in the dynamic loader may have it in the middle of what a first call needs.
        let more = code.iter().filter(|mapping| mapping.start != place.start).copied();
        let loader = named(&|name| name.starts_with(b"ld-linux") || name.starts_with(b"ld-2."));
        library.others.extend(more.chain(loader).map(|mapping| mapping.start..mapping.end));
        Ok(library)
    }

    /// That of the C library that a process has mapped or, without one, of the program itself.
    fn of_glibc(pid: i32, space: &AddressSpace, stacks: &Stacks) -> anyhow::Result<Self> {
        let code: Vec<_> = code(space).filter(|mapping| is_libc(mapping.file_name())).collect();
        let code = match code.as_slice() {
            [] => main_program(pid, space)?,
            _ => code,
        };
        let (file, bias, name) = opened(pid, &code, stacks)?;
        let symbols =
            symbols(&file).with_context(|| format!("can't read the symbols of {name}"))?;
        let mut library = Self::among(&symbols).map_err(|why| anyhow!("{name}: {why}"))?.at(bias);
        library.mapped = of_file(space, code[0]);
        let place = code.iter().find(|mapping| {
            let range = mapping.start..mapping.end;
            range.contains(&library.trim) && range.contains(&(library.malloc.end - 1))
        });
        let place = place.with_context(|| format!("{name}: its malloc isn't mapped as one"))?;
        library.place = Some((*place).clone());
        Ok(library)
    }

    /// Whether the very part of the very file is mapped there still.
    pub(super) fn is_there(&self, process: &Process) -> bool {
        let now = AddressSpace::mapping_at(process, self.trim);
        now.is_ok_and(|now| now.is_some() && now == self.place)
    }

    /// One of these parts, for tests.
    #[cfg(test)]
    pub(super) fn made(malloc: Range<u64>, first_named: u64, others: Vec<Range<u64>>) -> Self {
        Self {
            offer: &allocators::GLIBC,
            waits: Vec::new(),
            trim: first_named,
            statistics: None,
            errno_location: None,
            malloc,
            first_named,
            others,
            mapped: Vec::new(),
            place: None,
        }
    }

    /// Finds malloc among the functions that a library names to others.
    fn among(symbols: &Symbols) -> Result<Self, String> {
        let (global, local): (Vec<_>, Vec<_>) =
            symbols.functions().partition(|function| function.is_global);
        let is_malloc = |function: &Function<'_>| function.name == "malloc";
        if !global.iter().any(is_malloc) && local.iter().any(is_malloc) {
            return Err("its symbols are all local, as in a static-pie program, so that where \
                        malloc's code ends isn't known"
                .to_owned());
        }
        Self::laid_out(&global)
    }

    fn laid_out(functions: &[Function<'_>]) -> Result<Self, String> {
        let find = |name: &str| functions.iter().find(|function| function.name == name);
        let missing = |name: &str| {
            format!(
                "it has no symbol {name}, so its malloc_trim can't be called (a static program \
                 that was stripped?)"
            )
        };
        let starts = |of: fn(&str) -> bool| {
            let chosen = functions.iter().filter(move |function| of(function.name));
            chosen.map(|function| function.addresses.start)
        };
        let own: Vec<u64> = starts(is_mallocs).collect();
        let malloc = find("malloc").ok_or_else(|| missing("malloc"))?.addresses.start;
        let trim = find("malloc_trim").ok_or_else(|| missing("malloc_trim"))?;
        let neighbours = || {
            let all = functions.iter().map(|function| &function.addresses);
            all.filter(|range| !own.contains(&range.start))
        };
        let below = neighbours().filter(|range| range.start < malloc);
        let above = neighbours().filter(|range| range.start > malloc);
        let (Some(start), Some(end)) =
            (below.map(|range| range.end).max(), above.map(|range| range.start).min())
        else {
            return Err("its malloc has no neighbours".to_owned());
        };
        let range = start..end;
        let first_named = own.iter().copied().filter(|start| range.contains(start));
        for name in NEEDED {
            let function = find(name).ok_or_else(|| missing(name))?;
            if !range.contains(&function.addresses.start) || function.addresses.end > range.end {
                return Err(format!(
                    "its malloc is not laid out as glibc's is: {name} is not beside the others"
                ));
            }
        }
        if end - start > MOST_BYTES {
            return Err("its malloc is not laid out as glibc's is: it has too much code".to_owned());
        }
        let others = functions
            .iter()
            .filter(|function| BREAK.contains(&function.name.trim_start_matches('_')))
            .map(|function| function.addresses.clone());
        Ok(Self {
            offer: &allocators::GLIBC,
            waits: Vec::new(),
            trim: trim.addresses.start,
            statistics: None,
            errno_location: find("__errno_location").map(|function| function.addresses.start),
            first_named: first_named.min().unwrap_or(malloc),
            malloc: range,
            others: others.collect(),
            mapped: Vec::new(),
            place: None,
        })
    }

    /// The same, where a process has mapped it.
    fn at(self, bias: u64) -> Self {
        let moved = |range: Range<u64>| moved(&range, bias);
        Self {
            trim: self.trim.wrapping_add(bias),
            errno_location: self.errno_location.map(|address| address.wrapping_add(bias)),
            first_named: self.first_named.wrapping_add(bias),
            malloc: moved(self.malloc),
            others: self.others.into_iter().map(moved).collect(),
            mapped: self.mapped.into_iter().map(moved).collect(),
            ..self
        }
    }

    /// Whether an address is in its data (or code).
    pub(super) fn has(&self, address: u64) -> bool {
        self.mapped.iter().any(|range| range.contains(&address))
    }

    /// Whether code at an address may be changing what `malloc_trim` would read.
    pub(super) fn is_inside(&self, address: u64) -> bool {
        self.malloc.contains(&address) || self.others.iter().any(|range| range.contains(&address))
    }
}

/// What a library names to others.
fn exported(file: &File) -> anyhow::Result<Symbols> {
    Symbols::read(file, SymbolTable::Dynsym).context("can't read the symbols")
}

/// The same; of a static program, what its parts name to each other.
fn symbols(file: &File) -> io::Result<Symbols> {
    let exported = Symbols::read(file, SymbolTable::Dynsym)?;
    if exported.functions().any(|function| function.name == "malloc") {
        return Ok(exported);
    }
    Symbols::read(file, SymbolTable::Symtab)
}

fn code(space: &AddressSpace) -> impl Iterator<Item = &Mapping> {
    let mappings = space.mappings().iter();
    mappings.filter(|mapping| mapping.permissions.execute && mapping.inode != 0)
}

/// Whether a file is the C library, by its name: `libc.so.6`, before 2.34 also `libc-2.31.so`.
fn is_libc(name: &[u8]) -> bool {
    name.starts_with(b"libc.so") || name.starts_with(b"libc-2.")
}

/// The file that all of this code is of, where it lies, and its name.
fn opened(pid: i32, code: &[&Mapping], stacks: &Stacks) -> anyhow::Result<(File, u64, String)> {
    let first = *code.first().context("it has no code")?;
    let name = String::from_utf8_lossy(&first.name).into_owned();
    let files: Option<Vec<_>> =
        code.iter().map(|mapping| stacks.file(pid, mapping.start)).collect();
    let Some([file, others @ ..]) = files.as_deref() else {
        bail!(
            "the file that its malloc comes from ({name}) can't be opened: if it was replaced \
             since the process began, only root can reach it (with CAP_SYS_ADMIN); or restart the process"
        );
    };
    let is_another = |mapping: &&Mapping| !is_same_file(mapping, first);
    if others.iter().any(|other| other.bias != file.bias) || code.iter().any(is_another) {
        bail!("{name} is mapped more than once, and whose malloc to call isn't clear");
    }
    let opened = File::open(&file.path).with_context(|| format!("can't open {name}"))?;
    Ok((opened, file.bias, name))
}

fn moved(range: &Range<u64>, bias: u64) -> Range<u64> {
    range.start.wrapping_add(bias)..range.end.wrapping_add(bias)
}

/// The code of the program itself.
fn main_program(pid: i32, space: &AddressSpace) -> anyhow::Result<Vec<&Mapping>> {
    let program = fs::metadata(format!("/proc/{pid}/exe")).context("can't look at its program")?;
    // Some file systems tell another device here than in `maps`.
    let is_program = |mapping: &&Mapping| mapping.inode == program.ino();
    Ok(code(space).filter(is_program).collect())
}

/// Where a mapping's file is mapped, data and all.
fn of_file(space: &AddressSpace, one: &Mapping) -> Vec<Range<u64>> {
    let all = space.mappings().iter().filter(|mapping| is_same_file(mapping, one));
    all.map(|mapping| mapping.start..mapping.end).collect()
}

fn is_same_file(one: &Mapping, other: &Mapping) -> bool {
    (one.device, one.inode) == (other.device, other.inode)
}

/// Whether a name is one of `malloc.o`'s: such as `malloc`, `__libc_malloc`, `malloc_info`.
fn is_mallocs(name: &str) -> bool {
    let name = name.trim_start_matches('_');
    let name = name.strip_prefix("libc_").unwrap_or(name);
    MALLOC.contains(&name) || name.starts_with("malloc_")
}

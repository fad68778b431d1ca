//! Where a cgroup may be made, without changing anything that is there.
//!
//! v1: below this process's own memory cgroup. v2: below the first of its own cgroup and those
//! above it that hands the memory controller down (`cgroup.subtree_control`) and lets this user
//! make a directory and move its own child in. A cgroup that holds processes hands nothing down
//! (the kernel's rule against internal processes), so in a systemd scope or session this is the
//! slice around it.

use super::guard::{CgroupGuard, processes};
use super::hierarchy::{self, CgroupVersion, OwnCgroup, RefusalReason, field};
use super::refused::CgroupRefused;
use anyhow::{Context, ensure};
use heap_meter::environment::available_memory_bytes;
use human_text::Bytes;
use proc_memory::Process;
use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// Makes a cgroup for a child with this budget, told to the guard before. Gives its directory, and the
/// names of cgroups of earlier runs that were removed before.
///
/// # Errors
/// [`CgroupRefused`] when there is no place for it; that the budget isn't to be had there; that the
/// guard has ended.
pub(super) fn make(
    budget: u64,
    guard: &mut CgroupGuard,
) -> anyhow::Result<(CgroupVersion, PathBuf, Vec<String>)> {
    let own = own()?;
    // From the own cgroup on, though the new one may not come to lie below it: who limited this
    // process meant its children too.
    ensure_headroom(budget, own.version, &own.directory, &own.top)?;
    let maker = CgroupMaker::this().context("can't read this process's own /proc files")?;
    let mut tried = Vec::new();
    for place in candidates(&own) {
        if let Err(why) = usable(place, own.version) {
            tried.push((place.to_owned(), why));
            continue;
        }
        let removed = remove_leftovers(place);
        let directory = place.join(maker.new_name());
        guard.keep(&directory)?;
        match fs::create_dir(&directory) {
            Ok(()) => return Ok((own.version, directory, removed)),
            Err(error) => tried.push((place.to_owned(), format!("mkdir: {error}"))),
        }
    }
    Err(CgroupRefused::new(RefusalReason::Tried(own.version, tried)).into())
}

/// This process's own cgroup: the first directory that says that this process is in it.
fn own() -> anyhow::Result<OwnCgroup> {
    let read = |path: &str| fs::read(path).with_context(|| path.to_owned());
    let mountinfo = read("/proc/self/mountinfo")?;
    let cgroups = read("/proc/self/cgroup")?;
    let this = i32::try_from(std::process::id())?;
    let mut not_ours = None;
    let ours = hierarchy::own(&mountinfo, &cgroups).and_then(|seen| {
        let mut seen = seen.into_iter();
        let ours = seen.find(|own| {
            not_ours.get_or_insert_with(|| (own.version, own.directory.clone()));
            processes(&own.directory).contains(&this)
        });
        ours.ok_or(match not_ours {
            Some((version, directory)) => RefusalReason::NotMounted(version, directory),
            None => RefusalReason::NoController,
        })
    });
    ours.map_err(|why| CgroupRefused::new(why).into())
}

/// The own cgroup and, in v2, those above it that can be seen.
fn candidates(own: &OwnCgroup) -> Vec<&Path> {
    let all = own.directory.ancestors();
    let seen = all.take_while(|group| group.starts_with(&own.top));
    match own.version {
        CgroupVersion::V1 => seen.take(1).collect(),
        CgroupVersion::V2 => seen.collect(),
    }
}

/// Whether a child may be moved below it and limited there; else the reason.
fn usable(place: &Path, version: CgroupVersion) -> Result<(), String> {
    if version == CgroupVersion::V2 {
        let handed_down = fs::read_to_string(place.join("cgroup.subtree_control"))
            .map_err(|error| format!("cgroup.subtree_control: {error}"))?;
        if !handed_down.split_whitespace().any(|name| name == "memory") {
            return Err("its cgroup.subtree_control doesn't hand the memory controller down".into());
        }
        // A process is moved by leave of the cgroup that is above both its old and its new one.
        // Opening changes nothing.
        OpenOptions::new()
            .write(true)
            .open(place.join("cgroup.procs"))
            .map_err(|error| format!("cgroup.procs: {error}"))?;
    }
    Ok(())
}

const PREFIX: &str = "brkhole-oom";

/// Who made a cgroup. A process id is given anew some day, together with the time of its start it
/// isn't; and it means something only in its own namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CgroupMaker {
    pid_namespace: u64,
    pid: u32,
    /// Clock ticks since the machine's start.
    started: u64,
}

impl CgroupMaker {
    /// This process.
    pub(super) fn this() -> io::Result<Self> {
        let pid = std::process::id();
        let started = started(pid).ok_or_else(|| {
            io::Error::other("/proc/self/stat is not as proc_pid_stat(5) describes it")
        })?;
        Ok(Self { pid_namespace: pid_namespace()?, pid, started })
    }

    /// A name that nobody else gives, and that is new each time.
    pub(super) fn new_name(self) -> String {
        static NUMBER: AtomicU32 = AtomicU32::new(1);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let (namespace, pid, started) = (self.pid_namespace, self.pid, self.started);
        format!("{PREFIX}-{namespace}-{pid}-{started}-{number}")
    }

    /// Who gave this name; `None` when none of us did.
    pub(super) fn of(name: &str) -> Option<Self> {
        let mut fields = name.strip_prefix(PREFIX)?.strip_prefix('-')?.split('-');
        let maker = Self {
            pid_namespace: fields.next()?.parse().ok()?,
            pid: fields.next()?.parse().ok()?,
            started: fields.next()?.parse().ok()?,
        };
        fields.next()?.parse::<u32>().ok()?;
        fields.next().is_none().then_some(maker)
    }

    /// Whether it is certain that this process doesn't exist any more: of another namespace's
    /// processes that can't be known here.
    pub(super) fn is_gone(self) -> bool {
        pid_namespace().is_ok_and(|here| here == self.pid_namespace)
            && started(self.pid) != Some(self.started)
    }
}

/// Removes the cgroups at this place whose maker was killed together with its guard, and only them.
/// Gives their names.
///
/// Their process is dead too, since it dies with its parent, so they are empty. Only rmdir(2) is
/// tried, which the kernel refuses for a cgroup that holds a process.
pub(super) fn remove_leftovers(place: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(place) else {
        return Vec::new();
    };
    entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| CgroupMaker::of(name).is_some_and(CgroupMaker::is_gone))
        .filter(|name| fs::remove_dir(place.join(name)).is_ok())
        .collect()
}

fn pid_namespace() -> io::Result<u64> {
    Ok(fs::metadata("/proc/self/ns/pid")?.ino())
}

/// When it started; `None` for a process that is gone or has ended.
fn started(pid: u32) -> Option<u64> {
    let process = Process::open(pid.cast_signed()).ok()?;
    let started = process.stat().ok()?.started_ticks;
    process.is_alive().then_some(started)
}

/// What is to stay free beside the budget.
const MARGIN_BYTES: u64 = 64 << 20;

/// If a cgroup further up, or the machine, ran out of memory before the child met its own limit, the
/// kernel would look for a victim there, among other people's processes. So it refuses a budget that
/// the machine, or a cgroup from `own` up to `top`, hasn't got.
fn ensure_headroom(
    budget: u64,
    version: CgroupVersion,
    own: &Path,
    top: &Path,
) -> anyhow::Result<()> {
    let needed = budget.saturating_add(MARGIN_BYTES);
    let available = available_memory_bytes().context("/proc/meminfo has no MemAvailable")?;
    ensure!(
        available >= needed,
        "the machine has {} available, and a budget of {} with {} to spare is asked for: with less \
         the kernel might end other processes. Give a smaller --budget",
        Bytes(available),
        Bytes(budget),
        Bytes(MARGIN_BYTES)
    );
    for group in own.ancestors().take_while(|group| group.starts_with(top)) {
        let Some(left) = left_bytes(group, version) else {
            continue;
        };
        ensure!(
            left >= needed,
            "the cgroup {} has {} left, and a budget of {} with {} to spare is asked for: with less \
             the kernel might end other processes of it. Give a smaller --budget",
            group.display(),
            Bytes(left),
            Bytes(budget),
            Bytes(MARGIN_BYTES)
        );
    }
    Ok(())
}

/// What may still be charged; `None` without a limit. The page cache of files gives way.
fn left_bytes(group: &Path, version: CgroupVersion) -> Option<u64> {
    let read = |name: &str| fs::read_to_string(group.join(name)).ok();
    let number = |name: &str| read(name)?.trim().parse::<u64>().ok();
    let statistics = read("memory.stat").unwrap_or_default();
    let counted = |name: &str| field(&statistics, name).unwrap_or(0);
    let (usage, inactive, active) = match version {
        CgroupVersion::V1 => ("memory.usage_in_bytes", "total_inactive_file", "total_active_file"),
        CgroupVersion::V2 => ("memory.current", "inactive_file", "active_file"),
    };
    let (limit, usage) = (number(version.limit_file())?, number(usage)?);
    let cache = counted(inactive) + counted(active);
    Some(limit.saturating_sub(usage.saturating_sub(cache)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own_at(version: CgroupVersion, top: &Path) -> OwnCgroup {
        OwnCgroup {
            version,
            top: top.to_owned(),
            directory: top.join("user.slice/app.slice/run.scope"),
        }
    }

    #[test]
    fn v2_goes_up_to_the_mount_point_and_no_further() {
        let own = own_at(CgroupVersion::V2, Path::new("/sys/fs/cgroup"));
        let ends: Vec<_> = candidates(&own)
            .into_iter()
            .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
            .collect();
        assert_eq!(ends, ["run.scope", "app.slice", "user.slice", "cgroup"]);
        let v1 = own_at(CgroupVersion::V1, Path::new("/sys/fs/cgroup/memory"));
        assert_eq!(candidates(&v1), [v1.directory.as_path()]);
    }

    #[test]
    fn a_place_hands_the_memory_controller_down() {
        let place = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(place.path().join(name), text).unwrap();
        assert!(usable(place.path(), CgroupVersion::V2).is_err());
        write("cgroup.subtree_control", "cpu pids\n");
        write("cgroup.procs", "");
        let why = usable(place.path(), CgroupVersion::V2).unwrap_err();
        assert!(why.contains("memory controller"), "{why}");
        write("cgroup.subtree_control", "cpu memory pids\n");
        assert_eq!(usable(place.path(), CgroupVersion::V2), Ok(()));
    }

    #[test]
    fn a_name_tells_its_maker() {
        let this = CgroupMaker::this().unwrap();
        let name = this.new_name();
        assert_ne!(this.new_name(), name);
        assert_eq!(CgroupMaker::of(&name), Some(this));
        assert!(!this.is_gone());
        let ended = CgroupMaker { started: this.started + 1, ..this };
        assert!(ended.is_gone(), "the id was given anew");
        let elsewhere = CgroupMaker { pid_namespace: 1, ..ended };
        assert!(!elsewhere.is_gone(), "that can't be known from here");
    }

    #[test]
    fn other_names_are_nobodys() {
        for name in [
            "system.slice",
            "brkhole-oom",
            "brkhole-oom-1-2-3",
            "brkhole-oom-1-2-3-4-5",
            "brkhole-oom-1-2-3-x",
        ] {
            assert_eq!(CgroupMaker::of(name), None, "{name}");
        }
    }

    #[test]
    fn a_group_above_with_too_little_left_is_refused_by_name() {
        let top = tempfile::tempdir().unwrap();
        let place = top.path().join("place");
        fs::create_dir(&place).unwrap();
        let write = |name: &str, text: &str| fs::write(top.path().join(name), text).unwrap();
        write("memory.max", "134217728\n");
        write("memory.current", "104857600\n");
        write("memory.stat", "inactive_file 52428800\nactive_file 0\n");
        // 128 MiB of which 50 are taken for good: 78 left.
        assert!(ensure_headroom(10 << 20, CgroupVersion::V2, &place, top.path()).is_ok());
        let error = ensure_headroom(20 << 20, CgroupVersion::V2, &place, top.path()).unwrap_err();
        let text = error.to_string();
        assert!(text.contains(&*top.path().to_string_lossy()), "{text}");
        write("memory.max", "max\n");
        assert!(ensure_headroom(20 << 20, CgroupVersion::V2, &place, top.path()).is_ok());
    }

    #[test]
    fn more_than_the_machine_has_is_refused() {
        let top = tempfile::tempdir().unwrap();
        assert!(ensure_headroom(1 << 50, CgroupVersion::V2, top.path(), top.path()).is_err());
    }
}

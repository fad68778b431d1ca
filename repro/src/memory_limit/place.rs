//! Where a cgroup may be made, without changing anything that is there.
//!
//! v1: below this process's own memory cgroup. v2: below the first of its own cgroup and those
//! above it that hands the memory controller down (`cgroup.subtree_control`) and lets this user
//! make a directory and move its own child in. A cgroup that holds processes hands nothing down
//! (the kernel's rule against internal processes), so in a systemd scope or session this is the
//! slice around it.

use super::guard::{CgroupGuard, processes};
use super::headroom;
use super::hierarchy::{self, CgroupVersion, OwnCgroup, RefusalReason};
use super::maker::{CgroupMaker, remove_leftovers};
use super::refused::CgroupRefused;
use anyhow::Context;
use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};

/// Makes a cgroup for a child with this budget, told to the guard before. Gives its directory, and the
/// names of cgroups of earlier runs that were removed before.
///
/// # Errors
///
/// [`CgroupRefused`] when there is no place for it; that the budget isn't to be had there; that the
/// guard has ended.
pub(super) fn make(
    budget: u64,
    guard: &mut CgroupGuard,
) -> anyhow::Result<(CgroupVersion, PathBuf, Vec<String>)> {
    let own = own()?;
    // From the own cgroup on, though the new one may not come to lie below it: who limited this
    // process meant its children too.
    headroom::check(budget, own.version, &own.directory, &own.top)?;
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
            return Err(
                "its cgroup.subtree_control doesn't hand the memory controller down".into(),
            );
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
}

//! A limit on the memory of one child: a cgroup of its own, or a resource limit.
//!
//! A cgroup is what a container or a systemd unit is limited by, and what ends in the OOM killer.
//! It is made beneath a place where that is allowed and which is not changed by it, nothing but the
//! one child ever enters it, and it is removed however this program ends ([`guard`]). The resource
//! limit `RLIMIT_DATA` needs no permission, and is another thing: a refused allocation.
//!
//! # References
//!
//! Linux `Documentation/admin-guide/cgroup-v2.rst` and `cgroup-v1/memory.rst`; cgroups(7);
//! getrlimit(2), `RLIMIT_DATA`.

mod cgroup;
pub(crate) mod guard;
mod hierarchy;
pub(crate) mod kernel_log;
mod place;
mod refused;

pub use cgroup::CgroupCounters;
pub(crate) use cgroup::{MemoryCgroup, enter_before_exec};
pub use hierarchy::CgroupVersion;

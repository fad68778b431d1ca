//! The limits on a process's memory, and what counts towards them.

use memory_event::{Refusal, Resource, SoftLimit};

/// A limit that refused a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limited {
    /// `RLIMIT_DATA`, `RLIMIT_AS`, `vm.max_map_count`.
    pub name: &'static str,
    /// The limit: bytes, of `vm.max_map_count` mappings.
    pub limit: u64,
    /// What counted towards it.
    pub used: u64,
    /// Whether that is exact. A log tells only what came since it began.
    pub exact: bool,
}

/// `vm.max_map_count`, as [`Limited`] has it.
pub(super) const MAPPINGS: &str = "vm.max_map_count";

/// What there is of both kinds, and how much there may be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Accounts {
    data: Account,
    address_space: Account,
    exact: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Account {
    used_bytes: u64,
    limit_bytes: Option<u64>,
}

impl Accounts {
    /// As `/proc` had them.
    pub(super) fn read(surroundings: &Refusal) -> Self {
        Self {
            data: Account {
                used_bytes: surroundings.data_bytes,
                limit_bytes: surroundings.data_limit_bytes,
            },
            address_space: Account {
                used_bytes: surroundings.address_space_bytes,
                limit_bytes: surroundings.address_space_limit_bytes,
            },
            exact: true,
        }
    }

    /// As the calls told: these limits, and the bytes that are writable and mapped at all.
    pub(super) fn told(limits: SoftLimits, writable_bytes: u64, mapped_bytes: u64) -> Self {
        let account = |used_bytes, limit_bytes| Account { used_bytes, limit_bytes };
        Self {
            data: account(writable_bytes, limits.data),
            address_space: account(mapped_bytes, limits.address_space),
            exact: false,
        }
    }

    /// The limit of this name, if so many bytes more would pass it.
    pub(super) fn refuses(&self, resource: Resource, bytes: u64) -> Option<Limited> {
        let Account { used_bytes, limit_bytes } = match resource {
            Resource::Data => self.data,
            Resource::AddressSpace => self.address_space,
            _ => return None,
        };
        let limit = limit_bytes.filter(|limit| used_bytes.saturating_add(bytes) > *limit)?;
        Some(Limited { name: resource.name(), limit, used: used_bytes, exact: self.exact })
    }
}

/// Limits that the calls told of; `None` for none, or not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct SoftLimits {
    data: Option<u64>,
    address_space: Option<u64>,
}

impl SoftLimits {
    /// Whether there is any.
    pub(super) fn any(&self) -> bool {
        *self != Self::default()
    }

    /// One of them is this from now on.
    pub(super) fn set(&mut self, limit: SoftLimit) {
        match limit.resource {
            Resource::Data => self.data = limit.bytes,
            Resource::AddressSpace => self.address_space = limit.bytes,
            _ => {}
        }
    }
}

//! A limit on a process's memory.

/// A soft limit, the one that holds, as a call set it or was told it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SoftLimit {
    /// On what.
    pub resource: Resource,
    /// How much; `None` for no limit.
    pub bytes: Option<u64>,
}

/// What a limit is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Resource {
    /// `RLIMIT_DATA`: the break and, since Linux 4.7, all private writable memory but stacks.
    Data,
    /// `RLIMIT_AS`: all mappings.
    AddressSpace,
}

impl Resource {
    /// The name in setrlimit(2).
    pub const fn name(self) -> &'static str {
        match self {
            Self::Data => "RLIMIT_DATA",
            Self::AddressSpace => "RLIMIT_AS",
        }
    }

    /// The resource of this name, if it is one of memory.
    pub fn from_name(name: &[u8]) -> Option<Self> {
        [Self::Data, Self::AddressSpace]
            .into_iter()
            .find(|resource| resource.name().as_bytes() == name)
    }
}

//! What one run does: how much heap C takes, what Lua makes, and when its VM came.

use crate::child::number;
use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::fmt;

/// What Lua makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Objects {
    /// Tables of 64 slots
    Tables,
    /// Strings of 16 KiB
    Strings,
}

/// When the VM is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum VmMade {
    /// When C has taken its heap: as in a process that starts a VM anew
    After,
    /// Before C takes its heap: as nginx does, whose configuration is read with the VM there
    Before,
}

/// A set-up that both arms are run with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LuaCase {
    /// What Lua makes.
    pub objects: Objects,
    /// When the VM is made.
    pub vm: VmMade,
    /// Heap that C takes, in bytes.
    pub fill_bytes: u64,
}

impl Objects {
    /// As the command line and the Lua code have it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Tables => "tables",
            Self::Strings => "strings",
        }
    }
}

impl VmMade {
    /// As the command line has it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::After => "after",
            Self::Before => "before",
        }
    }
}

impl LuaCase {
    /// Whether another one differs in C's heap alone.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        (self.objects, self.vm) == (other.objects, other.vm)
    }

    /// Its name in the comparison: `tables_vm_after_fill_1024`, the fill in MiB.
    pub(super) fn metric(&self) -> String {
        format!(
            "{}_vm_{}_fill_{}",
            self.objects.name(),
            self.vm.name(),
            self.fill_bytes >> 20
        )
    }

    /// The arguments that tell a child to run it, with at most `most_bytes` of Lua objects.
    pub(super) fn arguments(&self, most_bytes: u64) -> Vec<OsString> {
        vec![
            self.objects.name().into(),
            self.vm.name().into(),
            self.fill_bytes.to_string().into(),
            most_bytes.to_string().into(),
        ]
    }

    /// Reads what [`arguments`](Self::arguments) wrote: the case, and the most bytes of Lua objects.
    pub(super) fn from_arguments(arguments: &[OsString]) -> anyhow::Result<(Self, u64)> {
        let [objects, vm, fill_bytes, most_bytes] = arguments else {
            anyhow::bail!(
                "a child expects what Lua makes (tables, strings), when the VM is made (after, \
                 before), the bytes of C's heap, and the most bytes of Lua objects"
            );
        };
        let case = Self {
            objects: choice(objects)?,
            vm: choice(vm)?,
            fill_bytes: number(fill_bytes, "a number of bytes")?,
        };
        Ok((case, number(most_bytes, "a number of bytes")?))
    }
}

/// For people: `tables, VM after 1024 MiB of C heap`.
impl fmt::Display for LuaCase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}, VM {} {} MiB of C heap",
            self.objects.name(),
            self.vm.name(),
            self.fill_bytes >> 20
        )
    }
}

fn choice<T: ValueEnum>(text: &OsString) -> anyhow::Result<T> {
    let text = text.to_string_lossy();
    T::from_str(&text, false).map_err(|reason| anyhow::anyhow!("{reason}: {text}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_reads_the_case_it_was_given() {
        let case = LuaCase {
            objects: Objects::Strings,
            vm: VmMade::Before,
            fill_bytes: 256 << 20,
        };
        assert_eq!(case.metric(), "strings_vm_before_fill_256");
        let read = LuaCase::from_arguments(&case.arguments(6 << 30)).unwrap();
        assert_eq!(read, (case, 6 << 30));
        let wrong = ["tables", "now", "0", "1"].map(OsString::from);
        let error = LuaCase::from_arguments(&wrong).unwrap_err();
        assert!(error.to_string().contains("now"), "{error}");
    }
}

//! The flags of `low-memory`, and what one run does: how much heap C takes, what Lua makes, and when its VM
//! came.

use crate::child::{choice, number, word};
use crate::output::OutputFlags;
use clap::{Parser, ValueEnum};
use human_text::{Bytes, NotBytes};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

/// A block of C's heap: what a request pool of nginx takes at a time.
pub(super) const BLOCK_BYTES: usize = 16 << 10;

/// Name of the experiment, and of the binary.
pub(super) const NAME: &str = "low-memory";

/// How much memory Lua gets when C has taken some, with the program break free (control) and blocked
/// (hole)
#[derive(Clone, Debug, Parser)]
#[command(name = NAME, version, after_help = EXAMPLES)]
pub(super) struct LowMemoryFlags {
    /// Heap that C takes, in MiB; several with commas between them
    #[arg(long, value_name = "MIB", value_delimiter = ',', default_value = "0,256,512,1024,1536", value_parser = clap::value_parser!(u64).range(..=1 << 20))]
    pub(super) fill: Vec<u64>,

    /// What Lua makes
    #[arg(long, value_enum, value_delimiter = ',', default_value = "tables,strings")]
    pub(super) objects: Vec<Objects>,

    /// Whether the VM is made after C has taken its heap, or before
    #[arg(long, value_enum, value_delimiter = ',', default_value = "after,before")]
    pub(super) vm: Vec<VmMade>,

    /// Where a run ends if Lua's memory doesn't: bytes of Lua objects, such as 512MiB or 6GiB
    #[arg(long, value_name = "BYTES", default_value = "6GiB", value_parser = most)]
    pub(super) most: u64,

    /// Leave address randomisation on: where the break begins then decides more than the hole does
    #[arg(long)]
    pub(super) aslr: bool,

    /// How often each arm is run with each set-up
    #[arg(long, value_name = "R", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) repeats: u32,

    /// Write a chart of Lua's memory over C's (- for standard output, in place of the table)
    #[arg(long, value_name = "FILE.svg")]
    pub(super) chart: Option<PathBuf>,

    #[command(flatten)]
    pub(super) output: OutputFlags,
}

const EXAMPLES: &str = "Examples:
  cargo run --release --bin low-memory
  cargo run --release --bin low-memory -- --fill 0,512 --objects tables --vm after --repeats 5
  cargo run --release --features gc64 --bin low-memory -- --fill 1024 --most 3GiB";

impl LowMemoryFlags {
    /// Every set-up that was asked for, once.
    pub(super) fn cases(&self) -> Vec<LuaCase> {
        let mut cases = Vec::new();
        for &objects in &self.objects {
            for &vm in &self.vm {
                for &mib in &self.fill {
                    let case = LuaCase { objects, vm, fill_bytes: mib << 20 };
                    if !cases.contains(&case) {
                        cases.push(case);
                    }
                }
            }
        }
        cases
    }

    /// What was asked for, for the report.
    pub(super) fn parameters(&self) -> BTreeMap<String, Value> {
        let objects: Vec<_> = self.objects.iter().map(word).collect();
        let vm: Vec<_> = self.vm.iter().map(word).collect();
        BTreeMap::from([
            ("fill_mib".to_owned(), Value::from(self.fill.clone())),
            ("objects".to_owned(), objects.into()),
            ("vm".to_owned(), vm.into()),
            ("most_bytes".to_owned(), self.most.into()),
            ("block_bytes".to_owned(), BLOCK_BYTES.into()),
            ("aslr".to_owned(), self.aslr.into()),
            ("repeats".to_owned(), self.repeats.into()),
        ])
    }
}

fn most(text: &str) -> Result<u64, String> {
    let Bytes(bytes) = text.parse().map_err(|error: NotBytes| error.to_string())?;
    match bytes {
        0 => Err("Lua would make nothing; give more than 0".to_owned()),
        bytes => Ok(bytes),
    }
}

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

impl LuaCase {
    /// Whether another one differs in C's heap alone.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        (self.objects, self.vm) == (other.objects, other.vm)
    }

    /// Its name in the comparison: `tables_vm_after_fill_1024`, the fill in MiB.
    pub(super) fn metric(&self) -> String {
        format!("{}_vm_{}_fill_{}", word(&self.objects), word(&self.vm), self.fill_bytes >> 20)
    }

    /// The arguments that tell a child to run it, with at most `most_bytes` of Lua objects.
    pub(super) fn arguments(&self, most_bytes: u64) -> Vec<OsString> {
        vec![
            word(&self.objects).into(),
            word(&self.vm).into(),
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
            word(&self.objects),
            word(&self.vm),
            self.fill_bytes >> 20
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lua_is_to_make_something() {
        assert_eq!(most("6GiB"), Ok(6 << 30));
        assert!(most("0").is_err());
        assert!(most("6GB").unwrap_err().contains("6GB"));
    }

    #[test]
    fn a_set_up_named_twice_is_run_once() {
        let flags =
            LowMemoryFlags::parse_from(["low-memory", "--fill", "0,0,64", "--objects", "tables"]);
        assert_eq!(flags.cases().len(), 4);
    }

    #[test]
    fn a_child_reads_the_case_it_was_given() {
        let case = LuaCase { objects: Objects::Strings, vm: VmMade::Before, fill_bytes: 256 << 20 };
        assert_eq!(case.metric(), "strings_vm_before_fill_256");
        let read = LuaCase::from_arguments(&case.arguments(6 << 30)).unwrap();
        assert_eq!(read, (case, 6 << 30));
        let wrong = ["tables", "now", "0", "1"].map(OsString::from);
        let error = LuaCase::from_arguments(&wrong).unwrap_err();
        assert!(error.to_string().contains("now"), "{error}");
    }
}

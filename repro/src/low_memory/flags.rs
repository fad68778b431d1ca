//! The flags of `low-memory`.

use super::case::{LuaCase, Objects, VmMade};
use crate::chapter::ReportFormat;
use clap::Parser;
use human_text::{Bytes, NotBytes};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;

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
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_value = "tables,strings"
    )]
    pub(super) objects: Vec<Objects>,

    /// Whether the VM is made after C has taken its heap, or before
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_value = "after,before"
    )]
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

    /// Write a chart of Lua's memory over C's
    #[arg(long, value_name = "FILE.svg")]
    pub(super) chart: Option<PathBuf>,

    /// How results are printed on standard output
    #[arg(long, value_enum, default_value_t = ReportFormat::Table)]
    pub(super) format: ReportFormat,

    /// Keep the raw results and the chart in this directory; written after every run
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
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
                    let case = LuaCase {
                        objects,
                        vm,
                        fill_bytes: mib << 20,
                    };
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
        let objects: Vec<_> = self.objects.iter().map(|objects| objects.name()).collect();
        let vm: Vec<_> = self.vm.iter().map(|vm| vm.name()).collect();
        BTreeMap::from([
            ("fill_mib".to_owned(), Value::from(self.fill.clone())),
            ("objects".to_owned(), objects.into()),
            ("vm".to_owned(), vm.into()),
            ("most_bytes".to_owned(), self.most.into()),
            ("block_bytes".to_owned(), super::work::BLOCK_BYTES.into()),
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
}

//! What an allocator other than glibc's counts of itself. It is asked by calls of its own, while the
//! process stands still.

use remote_call::{Argument, Call, CallError, Returned};
use serde::Serialize;

/// Room for a name; behind it lie its value and, where a call wants that, the value's size.
const NAME_BYTES: usize = 64;
const WORD_BYTES: usize = 8;
const DATA_BYTES: usize = NAME_BYTES + 2 * WORD_BYTES;
pub(super) const NAME: Argument = Argument::Data(0);
pub(super) const VALUE: Argument = Argument::Data(NAME_BYTES);
pub(super) const VALUE_BYTES: Argument = Argument::Data(NAME_BYTES + WORD_BYTES);

/// How an allocator is asked for numbers by their names.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Statistics {
    /// What its code may call the function; the first that there is.
    pub(super) symbols: &'static [&'static str],
    pub(super) arguments: &'static [Argument],
    /// Whether it returns an error's number, or 0; otherwise it is 0 where a name is unknown.
    pub(super) returns_error: bool,
    /// What has the others be of now.
    pub(super) refresh: Option<(&'static str, &'static [Argument])>,
    pub(super) allocated: &'static str,
    pub(super) resident: &'static str,
    /// Added up, and times `unit` where there is one.
    pub(super) returnable: &'static [&'static str],
    pub(super) unit: Option<&'static str>,
}

/// What an allocator says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct AllocatorStatistics {
    /// What the program has, as it counts that.
    allocated_bytes: u64,
    /// What it takes to be resident.
    resident_bytes: u64,
    /// What the call would give back, as far as it is resident.
    pub(super) returnable_bytes: u64,
}

/// Why nothing is known.
pub(super) enum Unanswered {
    /// The name it has no number for.
    Unknown(&'static str),
    Call(CallError),
}

impl Statistics {
    /// Asks. `make` has the process make a call of the function.
    pub(super) fn ask(
        &self,
        function: u64,
        make: impl Fn(Call<'_>) -> Result<Returned, CallError>,
    ) -> Result<AllocatorStatistics, Unanswered> {
        let ask = |name: &'static str, arguments: &[Argument]| {
            let returned = make(Call::of(function).with_data(&data(name)).with(arguments));
            let Returned { value, data, .. } = returned.map_err(Unanswered::Call)?;
            let answer = data.get(NAME_BYTES..).and_then(<[u8]>::first_chunk::<WORD_BYTES>);
            match (value as i32 == 0) == self.returns_error {
                true => Ok(answer.map_or(0, |answer| u64::from_le_bytes(*answer))),
                false => Err(Unanswered::Unknown(name)),
            }
        };
        let number = |name| ask(name, self.arguments);
        if let Some((name, arguments)) = self.refresh {
            ask(name, arguments)?;
        }
        let parts = self
            .returnable
            .iter()
            .try_fold(0_u64, |sum, name| Ok(sum.saturating_add(number(name)?)))?;
        let unit = self.unit.map_or(Ok(1), number)?;
        Ok(AllocatorStatistics {
            allocated_bytes: number(self.allocated)?,
            resident_bytes: number(self.resident)?,
            returnable_bytes: parts.saturating_mul(unit),
        })
    }
}

/// A name and, as the value that a refresh sets, a one.
fn data(name: &str) -> [u8; DATA_BYTES] {
    let mut data = [0; DATA_BYTES];
    data[..name.len()].copy_from_slice(name.as_bytes());
    data[NAME_BYTES] = 1;
    data[NAME_BYTES + WORD_BYTES] = WORD_BYTES as u8;
    data
}

impl std::fmt::Display for AllocatorStatistics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        use human_text::Bytes;
        write!(
            f,
            "{} allocated, {} resident, {} returnable",
            Bytes(self.allocated_bytes),
            Bytes(self.resident_bytes),
            Bytes(self.returnable_bytes)
        )
    }
}

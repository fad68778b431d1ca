//! What stood in the way of a refused break, read from `/proc`.

use crate::address_space::AddressSpace;
use crate::event::Refusal;
use crate::limits::{Counted, Limit, Limits};
use crate::process::Process;

/// The surroundings of a refusal in the process `pid`, as they are now. `None` if nothing can be
/// read of it.
pub(in crate::source) fn of(pid: i32) -> Option<Refusal> {
    let process = Process::open(pid).ok()?;
    let limits = Limits::of(&process).ok()?;
    let counted = Counted::of(&process).ok()?;
    let limit_bytes = |limit: Option<Limit>| limit.map(|limit| limit.limit_bytes);
    let space = AddressSpace::of_process(&process).ok();
    Some(Refusal {
        program_break: space.and_then(|space| space.program_break().cloned()),
        data_limit_bytes: limit_bytes(limits.data),
        data_bytes: counted.data_bytes,
        address_space_limit_bytes: limit_bytes(limits.address_space),
        address_space_bytes: counted.address_space_bytes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn surroundings_of_this_process() {
        let refusal = of(std::process::id() as i32).unwrap();
        assert!(refusal.program_break.is_some());
        assert!(refusal.data_bytes > 0);
        assert!(refusal.address_space_bytes >= refusal.data_bytes);
        assert_eq!(of(0), None);
    }
}

//! What stood in the way of a refused break, read from `/proc`.

use crate::address_space::AddressSpace;
use crate::event::Refusal;
use crate::limits::Limits;
use crate::process::Process;

/// The surroundings of a refusal in the process `pid`, as they are now. `None` if nothing can be
/// read of it.
pub(in crate::source) fn of(pid: i32) -> Option<Refusal> {
    let process = Process::open(pid).ok()?;
    let Limits {
        data,
        address_space,
    } = Limits::of(&process).ok()?;
    let space = AddressSpace::of_process(&process).ok();
    Some(Refusal {
        program_break: space.and_then(|space| space.program_break().cloned()),
        data_limit_bytes: data.limit_bytes,
        data_bytes: data.used_bytes,
        address_space_limit_bytes: address_space.limit_bytes,
        address_space_bytes: address_space.used_bytes,
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

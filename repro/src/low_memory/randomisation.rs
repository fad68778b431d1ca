//! Address randomisation of the children.
//!
//! Where the break begins is drawn anew for each process, anywhere in a GiB, and that would decide
//! more about Lua's share than the hole does. The wish not to randomise is a property of a process
//! that its children inherit and that counts when they execute their program; the parent itself, at
//! whose program nothing changes any more, needn't care.
//!
//! # Safety
//!
//! `unsafe` is needed for the call itself.
#![allow(unsafe_code)]

use std::io;

/// What the report says about randomisation; it is switched off unless it is wanted.
pub(super) fn note(wanted: bool) -> String {
    if wanted {
        return "address randomisation was left on (--aslr): where the break begins moves the \
                figures too"
            .to_owned();
    }
    match switch_off() {
        Ok(()) => "address randomisation was off in the children (personality(2), \
                   ADDR_NO_RANDOMIZE); --aslr leaves it on"
            .to_owned(),
        Err(error) => format!(
            "address randomisation was ON in the children, because the kernel refused to switch it \
             off (personality(2), ADDR_NO_RANDOMIZE): {error}; where the break begins moves the \
             figures too. Outside a container, or with its seccomp filter off, it can be"
        ),
    }
}

/// Has programs that this thread's children execute from now on run without randomisation.
///
/// # Errors
///
/// When the kernel refuses, as the seccomp filters of containers have it do.
///
/// # References
///
/// personality(2), `ADDR_NO_RANDOMIZE`.
fn switch_off() -> io::Result<()> {
    const ASK: libc::c_ulong = 0xffff_ffff;
    // SAFETY: this number changes nothing.
    let present = unsafe { libc::personality(ASK) };
    if present == -1 {
        return Err(io::Error::last_os_error());
    }
    if present & libc::ADDR_NO_RANDOMIZE != 0 {
        return Ok(());
    }
    let wanted = present | libc::ADDR_NO_RANDOMIZE;
    // SAFETY: the flag is looked at when a program is executed; this process goes on as it is.
    if unsafe { libc::personality(libc::c_ulong::from(wanted.cast_unsigned())) } == -1 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

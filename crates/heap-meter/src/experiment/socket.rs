//! The socket between a program and the parent that weighs it: how it comes about, and what is read
//! from the parent's end.

use super::protocol::{PACKET_BYTES, SOCKET_VARIABLE};
use super::run_error::RunError;
use memtrace::Target;
use nix::sys::socket::{
    AddressFamily, ControlMessageOwned, MsgFlags, SockFlag, SockType, UnixCredentials, recvmsg,
    setsockopt, socketpair, sockopt,
};
use std::io::{self, IoSliceMut};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;

/// Our end of a new socket, and the target that will find the other one.
pub(super) fn connected(target: &Target) -> Result<(OwnedFd, Target), RunError> {
    let (ours, theirs) = socketpair(
        AddressFamily::Unix,
        SockType::SeqPacket,
        None,
        SockFlag::SOCK_CLOEXEC,
    )
    .map_err(io::Error::from)?;
    setsockopt(&ours, sockopt::PassCred, &true).map_err(io::Error::from)?;
    let variable = SOCKET_VARIABLE.to_string_lossy().into_owned();
    let number = theirs.as_raw_fd().to_string();
    let target = target
        .clone()
        .env(variable, number)
        .inherit(Arc::new(theirs));
    Ok((ours, target))
}

/// A packet's length, and the process that sent it. A program may fork on its way, as one that
/// becomes a daemon does: the kernel says which of its processes speaks.
///
/// # References
///
/// unix(7), `SO_PASSCRED`
pub(super) struct Received {
    pub(super) length: usize,
    pub(super) pid: i32,
}

/// Takes the next packet; `None` when no process holds the other end any more.
pub(super) fn receive(
    socket: &OwnedFd,
    packet: &mut [u8; PACKET_BYTES],
) -> Result<Option<Received>, nix::Error> {
    let mut space = nix::cmsg_space!(UnixCredentials);
    let mut parts = [IoSliceMut::new(packet)];
    let message = match recvmsg::<()>(
        socket.as_raw_fd(),
        &mut parts,
        Some(&mut space),
        MsgFlags::empty(),
    ) {
        Err(nix::Error::ECONNRESET) => return Ok(None),
        message => message?,
    };
    if message.bytes == 0 {
        return Ok(None);
    }
    let pid = message.cmsgs()?.find_map(|control| match control {
        ControlMessageOwned::ScmCredentials(sender) => Some(sender.pid()),
        _ => None,
    });
    Ok(Some(Received {
        length: message.bytes,
        pid: pid.ok_or(nix::Error::ENOMSG)?,
    }))
}

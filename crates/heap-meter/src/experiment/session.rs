//! The parent's side: serves the program's socket, weighs it, takes the time; and may be asked to
//! stop.

use super::error::RunError;
use super::protocol::{self, Message, PACKET_BYTES, SOCKET_VARIABLE};
use super::results::Checkpoint;
use memory_trace::Target;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    AddressFamily, ControlMessageOwned, MsgFlags, SockFlag, SockType, UnixCredentials, recvmsg,
    send, setsockopt, socketpair, sockopt,
};
use proc_memory::Snapshot;
use ptmalloc::{HeapState, Unknown};
use std::collections::BTreeMap;
use std::io::{self, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long a wish to stop may wait. What a run is waited for by comes at once.
pub(super) const TICK: Duration = Duration::from_millis(20);

/// A wish to stop, shared with a signal handler.
#[derive(Clone, Debug, Default)]
pub struct StopFlag(Arc<AtomicBool>);

impl StopFlag {
    /// Nobody wishes to stop yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The flag itself, for a signal handler to set.
    pub fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.0)
    }

    /// Ends the present run as soon as may be.
    pub fn request(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether somebody wished to stop.
    pub fn is_wanted(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// How long a process that doesn't answer is waited for before the wish to stop is looked at again.
const TICK_MILLISECONDS: u8 = 100;

/// What the parent writes down while it serves the socket.
pub(super) struct Session<'a> {
    pub(super) checkpoints: Vec<Checkpoint>,
    pub(super) facts: BTreeMap<String, String>,
    pub(super) void: Option<String>,
    pub(super) weighing: Duration,
    started: Instant,
    /// Since when the program works undisturbed.
    working_since: Instant,
    /// Work between the first checkpoint and the latest.
    worked: Duration,
    reached: usize,
    progress: &'a mut dyn FnMut(u64, u64),
}

impl<'a> Session<'a> {
    pub(super) fn new(started: Instant, progress: &'a mut dyn FnMut(u64, u64)) -> Self {
        Self {
            checkpoints: Vec::new(),
            facts: BTreeMap::new(),
            void: None,
            weighing: Duration::ZERO,
            started,
            working_since: started,
            worked: Duration::ZERO,
            reached: 0,
            progress,
        }
    }

    /// Work since the latest checkpoint.
    pub(super) fn unfinished(&self, ended: Instant) -> Duration {
        ended.saturating_duration_since(self.working_since)
    }

    pub(super) fn wall(&self, ended: Instant) -> Duration {
        if self.reached == 0 { ended - self.started } else { self.worked }
    }
}

/// What was found at a checkpoint, and whether malloc was to be looked at.
pub(super) struct CheckpointWeight {
    pub(super) snapshot: Snapshot,
    pub(super) malloc: Option<Result<HeapState, Unknown>>,
}

/// Answers the program until nobody holds its end of the socket. `weigh` weighs the process that
/// waits; with `true`, it looks into its malloc after that.
pub(super) fn serve(
    socket: &OwnedFd,
    stop: &StopFlag,
    session: &mut Session<'_>,
    mut weigh: impl FnMut(i32, bool) -> Result<Option<CheckpointWeight>, RunError>,
) -> Result<(), RunError> {
    let mut packet = [0_u8; PACKET_BYTES];
    loop {
        if stop.is_wanted() {
            return Err(RunError::Interrupted);
        }
        let mut watched = [PollFd::new(socket.as_fd(), PollFlags::POLLIN)];
        match poll(&mut watched, PollTimeout::from(TICK_MILLISECONDS)) {
            Ok(0) | Err(nix::Error::EINTR) => continue,
            Ok(_) => {}
            Err(error) => return Err(io::Error::from(error).into()),
        }
        let arrived = Instant::now();
        match receive(socket, &mut packet) {
            Ok(None) => return Ok(()),
            Ok(Some(Received { length, pid })) => {
                let mut weigh = |examined| weigh(pid, examined);
                take(&packet[..length], arrived, socket, session, &mut weigh)?;
            }
            Err(nix::Error::EINTR) => {}
            Err(error) => return Err(io::Error::from(error).into()),
        }
    }
}

fn take(
    packet: &[u8],
    arrived: Instant,
    socket: &OwnedFd,
    session: &mut Session<'_>,
    weigh: &mut dyn FnMut(bool) -> Result<Option<CheckpointWeight>, RunError>,
) -> Result<(), RunError> {
    match protocol::parse(packet) {
        Some(Message::Fact { key, value }) => {
            session.facts.insert(key.to_owned(), value.to_owned());
        }
        Some(Message::Void(reason)) => session.void = Some(reason.to_owned()),
        Some(Message::Progress { done, total }) => (session.progress)(done, total),
        Some(message @ (Message::Checkpoint(label) | Message::Examined(label))) => {
            let examined = matches!(message, Message::Examined(_));
            let worked = arrived - session.working_since;
            if session.reached > 0 {
                session.worked += worked;
            }
            session.reached += 1;
            if let Some(CheckpointWeight { snapshot, malloc }) = weigh(examined)? {
                let (malloc, malloc_unknown) = match malloc {
                    Some(Ok(state)) => (Some(state), None),
                    Some(Err(unknown)) => (None, Some(unknown.to_string())),
                    None => (None, None),
                };
                session.checkpoints.push(Checkpoint {
                    label: label.to_owned(),
                    worked_seconds: worked.as_secs_f64(),
                    snapshot,
                    malloc,
                    malloc_unknown,
                });
            }
            session.weighing += arrived.elapsed();
            session.working_since = Instant::now();
            // A program that went away instead of waiting shows in its exit status.
            let _ = send(socket.as_raw_fd(), b"\n", MsgFlags::MSG_NOSIGNAL);
        }
        None => {
            let error = io::Error::other("a packet that no checkpoint sends");
            return Err(RunError::Socket(error));
        }
    }
    Ok(())
}

/// Our end of a new socket, and the target that will find the other one.
pub(super) fn connected(target: &Target) -> Result<(OwnedFd, Target), RunError> {
    let (ours, theirs) =
        socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)
            .map_err(io::Error::from)?;
    setsockopt(&ours, sockopt::PassCred, &true).map_err(io::Error::from)?;
    let variable = SOCKET_VARIABLE.to_string_lossy().into_owned();
    let number = theirs.as_raw_fd().to_string();
    let target = target.clone().env(variable, number).inherit(Arc::new(theirs));
    Ok((ours, target))
}

/// A packet's length, and the process that sent it. A program may fork on its way, as one that
/// becomes a daemon does: the kernel says which of its processes speaks.
///
/// # References
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
    let message =
        match recvmsg::<()>(socket.as_raw_fd(), &mut parts, Some(&mut space), MsgFlags::empty()) {
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
    Ok(Some(Received { length: message.bytes, pid: pid.ok_or(nix::Error::ENOMSG)? }))
}

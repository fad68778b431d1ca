//! The program's side: says where it is, waits to be weighed.
//!
//! # Safety
//!
//! `unsafe` is needed for getenv(3): `std::env::var` would put a copy on the heap that is measured.
#![allow(unsafe_code)]

use super::protocol::{Message, Packet, SOCKET_VARIABLE};
use nix::sys::socket::{MsgFlags, recv, send};
use std::ffi::CStr;
use std::fmt;
use std::io;
use std::os::fd::RawFd;

/// Marks the moments at which this process is to be weighed.
///
/// In a process that no experiment started, nothing listens and every call returns at once: the
/// same program can be run by hand or under strace. No call touches the heap.
#[derive(Clone, Copy, Debug)]
pub struct Checkpoints {
    socket: Option<RawFd>,
}

impl Checkpoints {
    /// Finds the experiment that started this process, by the environment.
    pub fn from_environment() -> Self {
        // SAFETY: the name ends in NUL; nobody changes the environment of a program that is told
        // its checkpoints at its start.
        let found = unsafe { libc::getenv(SOCKET_VARIABLE.as_ptr()) };
        if found.is_null() {
            return Self { socket: None };
        }
        // SAFETY: getenv answers with a string of the environment, which ends in NUL.
        let text = unsafe { CStr::from_ptr(found) };
        Self { socket: text.to_str().ok().and_then(|text| text.parse().ok()) }
    }

    /// Whether an experiment listens.
    pub fn is_watched(&self) -> bool {
        self.socket.is_some()
    }

    /// Says that the checkpoint `label` is reached and waits until the parent has weighed.
    ///
    /// # Errors
    /// When the parent is gone; the caller should end then.
    pub fn reach(&self, label: &str) -> io::Result<()> {
        self.wait_at(&Message::Checkpoint(label))
    }

    /// As [`reach`](Self::reach); the parent looks into this process's malloc, too, once it has
    /// weighed: what it keeps free, and what malloc_trim(3) would give back.
    ///
    /// # Errors
    /// When the parent is gone; the caller should end then.
    pub fn reach_examined(&self, label: &str) -> io::Result<()> {
        self.wait_at(&Message::Examined(label))
    }

    fn wait_at(&self, checkpoint: &Message<'_>) -> io::Result<()> {
        self.send(checkpoint)?;
        let Some(socket) = self.socket else {
            return Ok(());
        };
        let mut answer = [0_u8];
        loop {
            match recv(socket, &mut answer, MsgFlags::empty()) {
                Ok(0) => return Err(io::ErrorKind::BrokenPipe.into()),
                Ok(_) => return Ok(()),
                Err(nix::Error::EINTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Puts a fact about this run into the report.
    ///
    /// # Errors
    /// When the parent is gone.
    pub fn tell(&self, key: &str, value: fmt::Arguments<'_>) -> io::Result<()> {
        let text = Packet::of_text(value);
        let value = text.as_text();
        self.send(&Message::Fact { key, value })
    }

    /// Says that this run doesn't count, and why: its condition could not be made.
    ///
    /// # Errors
    /// When the parent is gone.
    pub fn void(&self, reason: fmt::Arguments<'_>) -> io::Result<()> {
        self.send(&Message::Void(Packet::of_text(reason).as_text()))
    }

    /// Says how far the work is, for a progress bar.
    ///
    /// # Errors
    /// When the parent is gone.
    pub fn progress(&self, done: u64, total: u64) -> io::Result<()> {
        self.send(&Message::Progress { done, total })
    }

    fn send(&self, message: &Message<'_>) -> io::Result<()> {
        let Some(socket) = self.socket else {
            return Ok(());
        };
        let packet = Packet::of(message);
        loop {
            match send(socket, packet.as_bytes(), MsgFlags::MSG_NOSIGNAL) {
                Ok(_) => return Ok(()),
                Err(nix::Error::EINTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

//! What a program and the parent that weighs it say to each other.
//!
//! They share a `SOCK_SEQPACKET` socket, so a message is a packet: its kind in one byte, then its
//! content. After a checkpoint the parent answers with one byte, and the program goes on. Messages
//! are written and read in buffers on the stack; neither side's heap is touched for them.

use std::fmt;
use std::io::Write;

/// Environment variable that holds the number of the program's end of the socket.
pub(super) const SOCKET_VARIABLE: &std::ffi::CStr = c"HEAP_METER_SOCKET";

/// Longest packet. Labels and facts are short; what is longer is cut.
pub(super) const PACKET_BYTES: usize = 512;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Message<'a> {
    /// The program waits at the checkpoint of this label.
    Checkpoint(&'a str),
    /// The same, and what its malloc keeps is asked for, too.
    Examined(&'a str),
    /// Something about this run that belongs into the report.
    Fact {
        key: &'a str,
        value: &'a str,
    },
    Progress {
        done: u64,
        total: u64,
    },
    /// This run doesn't count, and why.
    Void(&'a str),
}

/// Bytes on the stack; what doesn't fit into a packet is cut.
pub(super) struct Packet {
    bytes: [u8; PACKET_BYTES],
    filled: usize,
}

impl Packet {
    pub(super) fn of(message: &Message<'_>) -> Self {
        match message {
            Message::Checkpoint(label) => Self::of_text(format_args!("C{label}")),
            Message::Examined(label) => Self::of_text(format_args!("E{label}")),
            Message::Fact { key, value } => Self::of_text(format_args!("F{key}\0{value}")),
            Message::Progress { done, total } => Self::of_text(format_args!("P{done} {total}")),
            Message::Void(reason) => Self::of_text(format_args!("V{reason}")),
        }
    }

    /// A text, formatted without the heap.
    pub(super) fn of_text(text: fmt::Arguments<'_>) -> Self {
        let mut bytes = [0; PACKET_BYTES];
        let mut rest = &mut bytes[..];
        // The only error is the one for text that was cut.
        let _ = rest.write_fmt(text);
        let filled = PACKET_BYTES - rest.len();
        Self { bytes, filled }
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.filled]
    }

    pub(super) fn as_text(&self) -> &str {
        text(self.as_bytes())
    }
}

/// Reads a packet; `None` for one that no [`Packet`] would be.
pub(super) fn parse(packet: &[u8]) -> Option<Message<'_>> {
    let (kind, content) = packet.split_first()?;
    let content = text(content);
    match kind {
        b'C' => Some(Message::Checkpoint(content)),
        b'E' => Some(Message::Examined(content)),
        b'V' => Some(Message::Void(content)),
        b'F' => {
            let (key, value) = content.split_once('\0')?;
            Some(Message::Fact { key, value })
        }
        b'P' => {
            let (done, total) = content.split_once(' ')?;
            Some(Message::Progress { done: done.parse().ok()?, total: total.parse().ok()? })
        }
        _ => None,
    }
}

/// The text up to where it stops being UTF-8, as it does where a long one was cut.
fn text(bytes: &[u8]) -> &str {
    match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_arrives_as_it_was_sent() {
        for message in [
            Message::Checkpoint("loaded"),
            Message::Examined("freed"),
            Message::Fact { key: "hole", value: "made at 0x1000" },
            Message::Progress { done: 3, total: 7 },
            Message::Void("no hole made"),
        ] {
            assert_eq!(parse(Packet::of(&message).as_bytes()), Some(message));
        }
    }

    #[test]
    fn what_is_too_long_is_cut_between_characters() {
        let long = "é".repeat(PACKET_BYTES);
        let packet = Packet::of(&Message::Void(&long));
        let Some(Message::Void(cut)) = parse(packet.as_bytes()) else {
            panic!("not a void message");
        };
        assert!(long.starts_with(cut));
        assert_eq!(cut.len(), PACKET_BYTES - 2);
    }

    #[test]
    fn foreign_packets_are_refused() {
        for packet in [&b""[..], b"X", b"Fno separator", b"P1234"] {
            assert_eq!(parse(packet), None);
        }
    }
}

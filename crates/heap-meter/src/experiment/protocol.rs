//! What a program and the parent that weighs it say to each other.
//!
//! They share a `SOCK_SEQPACKET` socket, so a message is a packet: its kind in one byte, then its
//! content. After a checkpoint the parent answers with one byte, and the program goes on. Messages
//! are written and read in buffers on the stack; neither side's heap is touched for them.

/// Environment variable that holds the number of the program's end of the socket.
pub(super) const SOCKET_VARIABLE: &std::ffi::CStr = c"HEAP_METER_SOCKET";

/// Longest packet. Labels and facts are short; what is longer is cut.
pub(super) const PACKET_BYTES: usize = 512;

/// A packet from the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Message<'a> {
    /// The program waits at the checkpoint of this label.
    Checkpoint(&'a str),
    /// The same, and what its malloc keeps is asked for, too.
    Examined(&'a str),
    /// Something about this run that belongs into the report.
    Fact { key: &'a str, value: &'a str },
    /// How far the work is.
    Progress { done: u64, total: u64 },
    /// This run doesn't count, and why.
    Void(&'a str),
}

const CHECKPOINT: u8 = b'C';
const EXAMINED: u8 = b'E';
const FACT: u8 = b'F';
const PROGRESS: u8 = b'P';
const VOID: u8 = b'V';

/// A packet under construction.
pub(super) struct Packet {
    bytes: [u8; PACKET_BYTES],
    filled: usize,
}

impl Packet {
    pub(super) fn of(message: &Message<'_>) -> Self {
        let mut packet = Self {
            bytes: [0; PACKET_BYTES],
            filled: 0,
        };
        match message {
            Message::Checkpoint(label) => packet.push(CHECKPOINT, &[label.as_bytes()]),
            Message::Examined(label) => packet.push(EXAMINED, &[label.as_bytes()]),
            Message::Fact { key, value } => {
                packet.push(FACT, &[key.as_bytes(), b"\0", value.as_bytes()]);
            }
            Message::Progress { done, total } => {
                packet.push(PROGRESS, &[&done.to_le_bytes(), &total.to_le_bytes()]);
            }
            Message::Void(reason) => packet.push(VOID, &[reason.as_bytes()]),
        }
        packet
    }

    fn push(&mut self, kind: u8, parts: &[&[u8]]) {
        for part in [&[kind][..]].iter().chain(parts) {
            let taken = part.len().min(PACKET_BYTES - self.filled);
            self.bytes[self.filled..self.filled + taken].copy_from_slice(&part[..taken]);
            self.filled += taken;
        }
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.filled]
    }
}

/// Reads a packet; `None` for one that no [`Packet`] would be.
pub(super) fn parse(packet: &[u8]) -> Option<Message<'_>> {
    let (kind, content) = packet.split_first()?;
    match *kind {
        CHECKPOINT => Some(Message::Checkpoint(text(content))),
        EXAMINED => Some(Message::Examined(text(content))),
        VOID => Some(Message::Void(text(content))),
        FACT => {
            let end = content.iter().position(|byte| *byte == 0)?;
            Some(Message::Fact {
                key: text(&content[..end]),
                value: text(&content[end + 1..]),
            })
        }
        PROGRESS => {
            let (done, total) = content.split_at_checked(8)?;
            Some(Message::Progress {
                done: u64::from_le_bytes(done.try_into().ok()?),
                total: u64::from_le_bytes(total.try_into().ok()?),
            })
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
            Message::Fact {
                key: "hole",
                value: "made at 0x1000",
            },
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

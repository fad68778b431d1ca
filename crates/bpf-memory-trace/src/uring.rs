//! Which result belongs to which request of io_uring.

use std::collections::HashMap;

use crate::record::{Record, Seen, URING_ASKS, URING_CLOSES, URING_OPENS, kind, parse};

/// Descriptors that io_uring keeps to itself begin here, above any that a process can have.
const DIRECT: i64 = 1 << 30;
/// `IORING_FILE_INDEX_ALLOC`: the kernel chooses a slot, which is the result.
const ANY_SLOT: u64 = u32::MAX as u64;

/// Requests to open a file that have no result yet, by their address. One that is never made is
/// forgotten when its place is used again.
#[derive(Debug, Default)]
pub struct Uring {
    asked: HashMap<u64, Record>,
}

impl Uring {
    /// Reads a record with its flags, as [`parse`] does; a request's when its result is there.
    pub fn parse(&mut self, bytes: &[u8]) -> Option<(Record, u8)> {
        let (mut record, flags) = parse(bytes)?;
        let kind = kind(bytes)?;
        let Seen::Returned { args, result, .. } = &mut record.what else {
            return Some((record, flags));
        };
        let [fd, .., slot, request] = args;
        let res = i64::from(*result as i32);
        match kind {
            URING_ASKS => {
                self.asked.insert(*request, record);
                None
            }
            URING_OPENS => {
                let mut asked = self.asked.remove(request)?;
                asked.at_ns = record.at_ns;
                if let Seen::Returned { args, result, .. } = &mut asked.what {
                    *result = match args[4] {
                        0 => res,
                        _ if res < 0 => res,
                        ANY_SLOT => DIRECT + res,
                        slot => DIRECT + slot as i64 - 1,
                    };
                    (args[4], args[5]) = (0, 0);
                }
                Some((asked, flags))
            }
            URING_CLOSES => {
                if *slot > 0 {
                    *fd = DIRECT as u64 + *slot - 1;
                }
                (*slot, *result) = (0, res);
                Some((record, flags))
            }
            _ => Some((record, flags)),
        }
    }
}

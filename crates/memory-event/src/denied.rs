//! Calls by which a program asked for memory and got none.

use super::{Call, Syscall};

/// More than this in one go is not to be had: half of the 128 TiB of addresses that a 64-bit
/// program has, of which its stack, its libraries and itself lie at either end.
pub const ABSURD_BYTES: u64 = 1 << 46;

/// The first address that no program has without asking for it, where a hint counts as a test of
/// what the machine can do (`TASK_SIZE` with four levels of page tables).
const USER_END: u64 = 1 << 47;

/// Below it nothing may be mapped, whatever memory there is (`vm.mmap_min_addr`).
const LOWEST: u64 = 0x1_0000;

/// What a call that got no memory had asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Denied {
    /// A greater break.
    Break,
    /// Memory to be used.
    Memory,
    /// Addresses alone (`PROT_NONE`), or pages of a kind that most machines keep none of
    /// (`MAP_HUGETLB`). A program may do without.
    Reservation,
    /// That a mapping be cut in two, which a process with too many mappings can't have.
    Split,
    /// 64 TiB or more.
    Absurd,
}

impl Call {
    /// What it asked for, if it was refused memory.
    ///
    /// Silent on what is refused for another reason than want of memory: a place that is taken
    /// (`EEXIST`), a growth that would have had to stay in its place (`mremap` without
    /// `MREMAP_MAYMOVE`), addresses that no program has, files, advice.
    ///
    /// # References
    /// brk(2), mmap(2), mremap(2), mprotect(2), munmap(2): `ENOMEM`, `EAGAIN` (locked memory).
    /// `EPERM`, `EACCES` and `ENOSYS` are no answers of the kernel's own to a plain request for
    /// anonymous memory: a seccomp filter gave them.
    pub fn denied(&self) -> Option<Denied> {
        let [_, second, third, flags, ..] = self.args;
        let errno = match self.result {
            Ok(had) => {
                // One below the present break asks for less, not for more.
                let refused = self.syscall == Syscall::Brk && self.args[0] > had;
                return refused.then(|| sized(Denied::Break, self.args[0] - had));
            }
            // The kernel's own numbers for a call that will be made again.
            Err(512..) => return None,
            Err(errno) => errno,
        };
        match (self.syscall, errno) {
            (Syscall::Brk, _) => Some(Denied::Break),
            (Syscall::Mmap, _) => self.denied_mapping(errno),
            (Syscall::Mremap, libc::ENOMEM | libc::EAGAIN) => {
                let grows = third > second && flags & libc::MREMAP_MAYMOVE as u64 != 0;
                grows.then(|| sized(Denied::Memory, third - second))
            }
            (Syscall::Mprotect, libc::ENOMEM) => match third & libc::PROT_WRITE as u64 {
                0 => Some(Denied::Split),
                _ => Some(sized(Denied::Memory, second)),
            },
            (Syscall::Munmap, libc::ENOMEM) => Some(Denied::Split),
            _ => None,
        }
    }

    fn denied_mapping(&self, errno: i32) -> Option<Denied> {
        let [hint, length, protection, flags, ..] = self.args;
        let has = |bit: i32| flags & bit as u64 != 0;
        let is_plain = has(libc::MAP_ANONYMOUS)
            && hint == 0
            && protection & libc::PROT_EXEC as u64 == 0
            && !has(libc::MAP_HUGETLB)
            && !has(libc::MAP_LOCKED);
        match errno {
            libc::ENOMEM | libc::EAGAIN => {}
            libc::EPERM | libc::EACCES | libc::ENOSYS if is_plain => {}
            _ => return None,
        }
        let nowhere = hint != 0 && (hint < LOWEST || hint.saturating_add(length) > USER_END);
        let reserves = protection == 0 || has(libc::MAP_HUGETLB);
        match (nowhere, reserves) {
            (true, _) => None,
            (_, true) => Some(Denied::Reservation),
            _ => Some(sized(Denied::Memory, length)),
        }
    }

    /// How much it asked for, in bytes; 0 where that isn't in the call, as of a `brk` that returned
    /// an error instead of the break.
    pub fn asked_bytes(&self) -> u64 {
        let [first, second, third, ..] = self.args;
        match (self.syscall, self.result) {
            (Syscall::Brk, Ok(had)) => first.saturating_sub(had),
            (Syscall::Mmap | Syscall::Mprotect, _) => second,
            (Syscall::Mremap, _) => third.saturating_sub(second),
            _ => 0,
        }
    }
}

fn sized(denied: Denied, bytes: u64) -> Denied {
    match bytes >= ABSURD_BYTES {
        true => Denied::Absurd,
        false => denied,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RW: u64 = (libc::PROT_READ | libc::PROT_WRITE) as u64;
    const PLAIN: u64 = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS) as u64;

    fn told(syscall: Syscall, args: [u64; 4], result: Result<u64, i32>) -> Option<Denied> {
        let [a, b, c, d] = args;
        let call = Call::new(syscall, [a, b, c, d, 0, 0], result);
        call.denied()
    }

    #[test]
    fn what_was_asked_for() {
        let no = Err(libc::ENOMEM);
        let none = libc::PROT_NONE as u64;
        let huge = PLAIN | libc::MAP_HUGETLB as u64;
        let move_it = libc::MREMAP_MAYMOVE as u64;
        for (syscall, args, result, wanted) in [
            (Syscall::Brk, [0x5000, 0, 0, 0], Ok(0x4000), Some(Denied::Break)),
            (Syscall::Brk, [1, 0, 0, 0], Ok(0x4000), None),
            (Syscall::Brk, [0, 0, 0, 0], Ok(0x4000), None),
            (Syscall::Brk, [1 << 46, 0, 0, 0], Ok(0), Some(Denied::Absurd)),
            (Syscall::Brk, [0x5000, 0, 0, 0], Err(libc::EPERM), Some(Denied::Break)),
            (Syscall::Mmap, [0, 4096, RW, PLAIN], no, Some(Denied::Memory)),
            (Syscall::Mmap, [0, 1 << 46, RW, PLAIN], no, Some(Denied::Absurd)),
            (Syscall::Mmap, [0, 4096, none, PLAIN], no, Some(Denied::Reservation)),
            (Syscall::Mmap, [0, 4096, RW, huge], no, Some(Denied::Reservation)),
            (Syscall::Mmap, [1 << 47, 4096, RW, PLAIN], no, None),
            (Syscall::Mmap, [0, 4096, RW, PLAIN], Err(libc::EPERM), Some(Denied::Memory)),
            (Syscall::Mmap, [0, 4096, RW, huge], Err(libc::EPERM), None),
            (Syscall::Mmap, [0x10_0000, 4096, RW, PLAIN], Err(libc::EEXIST), None),
            (Syscall::Mmap, [0, 4096, RW, 0], Err(libc::EACCES), None),
            (Syscall::Mmap, [0, 4096, RW, PLAIN], Ok(0x4000), None),
            (Syscall::Mremap, [0x4000, 4096, 8192, 0], no, None),
            (Syscall::Mremap, [0x4000, 4096, 8192, move_it], no, Some(Denied::Memory)),
            (Syscall::Mprotect, [0x4000, 4096, RW, 0], no, Some(Denied::Memory)),
            (Syscall::Mprotect, [0x4000, 4096, 0, 0], no, Some(Denied::Split)),
            (Syscall::Munmap, [0x4000, 4096, 0, 0], no, Some(Denied::Split)),
            (Syscall::Madvise, [0x4000, 4096, 4, 0], no, None),
            (Syscall::Openat, [0, 0, 0, 0], no, None),
        ] {
            let found = told(syscall, args, result);
            assert_eq!(found, wanted, "{syscall:?} {args:x?} {result:?}");
        }
    }
}

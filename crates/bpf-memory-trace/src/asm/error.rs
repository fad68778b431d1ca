//! What can be wrong with a program before the verifier sees it.

/// Why instructions make no program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AssembleError {
    /// It jumps to a label that was never placed.
    #[error("instruction {at} jumps to a label that was never placed")]
    LabelNowhere {
        /// Which instruction, from 0.
        at: usize,
    },
    /// A label was placed twice.
    #[error("a label was placed at instruction {first} and again at {second}")]
    LabelTwice {
        /// Where it stands.
        first: usize,
        /// Where it was to stand, too.
        second: usize,
    },
    /// A jump over more than 32,767 instructions.
    #[error("instruction {at} jumps too far: over {distance} instructions")]
    TooFar {
        /// Which instruction, from 0.
        at: usize,
        /// Over how many.
        distance: i64,
    },
    /// It reads or writes beside the 512 bytes of stack below the frame pointer, or across a
    /// multiple of the width.
    #[error(
        "instruction {at} uses {bytes} bytes of stack at {offset}: expected a multiple of \
         {bytes} from -512 to -{bytes}"
    )]
    Stack {
        /// Which instruction, from 0.
        at: usize,
        /// From the frame pointer, in bytes.
        offset: i16,
        /// How many bytes.
        bytes: i16,
    },
    /// The last instruction is neither `exit` nor a jump.
    #[error("the program runs on beyond its last instruction")]
    NoEnd,
}

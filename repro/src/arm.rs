//! The arms, and how a child knows which one it is.

/// Names the arm to a child; a process without it is the parent.
pub const VARIABLE: &str = "BRKHOLE_ARM";

/// The break is left free.
pub const CONTROL: &str = "control";

/// The break is blocked before `main`, as lua-nginx-module 0.10.3–0.10.7 did it.
pub const HOLE: &str = "hole";

/// The break is left free, and the bundle is parsed once for all contexts: the cure.
pub const SHARED: &str = "shared";

/// Whether this process is to play the trick: the condition of the constructor that runs before
/// `main`. It doesn't touch the heap.
pub fn wants_hole() -> bool {
    brk_hole::env_is(c"BRKHOLE_ARM", c"hole")
}

/// Whether this process is to parse the bundle once.
pub fn wants_sharing() -> bool {
    std::env::var_os(VARIABLE).is_some_and(|arm| arm == SHARED)
}

/// Whether this process is a child.
pub fn is_child() -> bool {
    std::env::var_os(VARIABLE).is_some()
}

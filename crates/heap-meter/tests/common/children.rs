//! The children of a process, as the kernel lists them.

/// Their ids; none if the process is gone.
pub fn children(pid: i32) -> Vec<i32> {
    suite::waiting::children(pid)
}

//! The `attach` source on real programs that run already, by tracepoints and by ptrace.

mod cgroup;
mod cost;
mod counts;
mod everybody;
mod harness;
mod held;
mod i386;
mod lost;
mod refused;
mod rights;
mod role;
mod stacks;
mod unharmed;
mod uring;

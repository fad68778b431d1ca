//! The `attach` source on real programs that run already, by tracepoints and by ptrace.

mod counts;
mod harness;
mod lost;
mod refused;
mod role;
mod unharmed;

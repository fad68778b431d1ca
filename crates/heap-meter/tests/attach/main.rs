//! The `attach` source on real programs that run already, by tracepoints and by ptrace.

use suite as _;

#[path = "../common/compiled.rs"]
mod compiled;
mod counts;
mod harness;
mod lost;
mod refused;
mod role;
#[path = "../common/skipped.rs"]
mod skipped;
mod unharmed;

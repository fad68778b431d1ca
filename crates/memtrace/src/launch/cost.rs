//! What watching costs.

use serde::Serialize;

/// The observer's own effort in one run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct ObserverCost {
    /// How often a process was stopped and set going again; two for each watched call.
    pub stops: u64,
    /// Processor time of the tracing thread, the sink's part included.
    pub tracer_cpu_seconds: f64,
    /// Time from the program's exec to its end, with the stops and hooks in it.
    pub wall_seconds: f64,
    /// The part of it during which a hook was called, for whichever process of the tree.
    pub hook_seconds: f64,
}

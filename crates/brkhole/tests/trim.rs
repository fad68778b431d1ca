//! Real programs, trimmed.
mod allocators;
mod churning;
mod costs;
mod dry_run;
mod endless;
mod given_back;
mod harness;
mod interrupted;
mod nginx;
mod refused;
mod same_program;
mod stuck;
mod thread_state;
mod watched;

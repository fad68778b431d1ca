//! `brkhole inspect` on real processes.

mod account;
mod contract;
mod cost;
mod elsewhere;
mod everybody;
mod forked;
mod gone;
mod hostile;
mod large;
mod metrics;
mod nginx;
mod several;
mod since;
mod tables;
pub mod target;
mod unread;
mod watch;

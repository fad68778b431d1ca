//! Real programs, with the library and without.

use suite as _;

mod common;

mod cpython;
mod differential;
mod nginx;
mod programs;
mod strain;

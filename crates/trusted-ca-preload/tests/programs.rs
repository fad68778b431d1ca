//! Programs as distributions ship them, with the library and without: they must do the same.

use suite as _;

mod common;

/// One file for each kind of program.
mod programs {
    mod bystanders;
    mod contents;
    mod fetch;
    mod isolation;
    mod linked_otherwise;
    mod log;
    mod material;
    mod threads;
}

//! Programs as distributions ship them, with the library and without: they must do the same.

mod bystanders;
mod contents;
mod fetch;
mod isolation;
mod linked_otherwise;
mod log;
mod material;
mod threads;

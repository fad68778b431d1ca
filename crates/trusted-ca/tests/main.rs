//! What a load makes of every kind of file, held against OpenSSL's own loading.

use suite as _;

mod common;

mod cached;
mod error_queue;
mod leaks_valgrind;
mod mutations;
mod nginx;
mod special_files;
mod verdicts;

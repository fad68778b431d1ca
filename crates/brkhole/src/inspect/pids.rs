//! Which processes there are.

use std::fs;
use std::io;

/// The processes that are visible now, by number.
///
/// # Errors
///
/// When `/proc` can't be listed.
pub(super) fn all_pids() -> io::Result<Vec<i32>> {
    let mut pids = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        pids.extend(name.to_str().and_then(|name| name.parse::<i32>().ok()));
    }
    pids.sort_unstable();
    Ok(pids)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_among_all() {
        let own = std::process::id() as i32;
        assert!(all_pids().unwrap().contains(&own));
    }
}

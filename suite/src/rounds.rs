//! How often a test tries what goes wrong by chance only.

/// `usual`, or `long` where `BRKHOLE_LONG=1` stands in the environment, as `.ci/run` has it.
pub fn rounds(usual: u64, long: u64) -> u64 {
    match std::env::var_os("BRKHOLE_LONG") {
        Some(one) if one == "1" => long,
        _ => usual,
    }
}

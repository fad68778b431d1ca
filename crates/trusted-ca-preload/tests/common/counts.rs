//! What the library says at the end of a process, where `TRUSTED_CA_LOG` asks for it.

use std::path::Path;

/// The line of one process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counts {
    pub pid: i32,
    /// The program's name, as the kernel has it.
    pub program: String,
    /// Bundles that were asked for.
    pub loads: u64,
    /// Bundles that the library parsed.
    pub parses: u64,
    /// Loads that were served with what was parsed before.
    pub shared: u64,
    /// Bytes of PEM that were not parsed again.
    pub bytes_spared: u64,
    /// Loads that were left to OpenSSL's own function.
    pub passed_on: u64,
}

impl Counts {
    /// All lines of a log, the oldest first; none if the file isn't there.
    pub fn read(log: &Path) -> Vec<Self> {
        let text = match std::fs::read_to_string(log) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Vec::new(),
            Err(error) => panic!("{log:?}: {error}"),
        };
        let understood = |line: &str| {
            Self::from_line(line).unwrap_or_else(|| panic!("not understood: {line:?} in {text:?}"))
        };
        text.lines().map(understood).collect()
    }

    /// `trusted-ca: pid 4711 (nginx): loads 1001, parses 1, …`
    fn from_line(line: &str) -> Option<Self> {
        let rest = line.strip_prefix("trusted-ca: pid ")?;
        let (process, fields) = rest.split_once("): ")?;
        // Behind it stands why the library kept out, if it did.
        let fields = fields.split(';').next()?;
        let (pid, program) = process.split_once(" (")?;
        let field = |name: &str| -> Option<u64> {
            let mut fields = fields.split(", ");
            let value = fields.find_map(|field| field.strip_prefix(name)?.strip_prefix(' '))?;
            value.parse().ok()
        };
        Some(Self {
            pid: pid.parse().ok()?,
            program: program.to_owned(),
            loads: field("loads")?,
            parses: field("parses")?,
            shared: field("shared")?,
            bytes_spared: field("bytes spared")?,
            passed_on: field("passed on")?,
        })
    }
}

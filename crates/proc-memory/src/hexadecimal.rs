//! Addresses in JSON: text in hexadecimal, `"0x7f0000001000"`, as gdb, strace and `/proc/PID/maps`
//! write them. Not every reader of JSON keeps all digits of a number that big.
//!
//! For serde's `with`.

use serde::{Deserialize, Deserializer, Serializer, de::Error};

/// Writes an address.
///
/// # Errors
/// Those of the serializer.
pub fn serialize<S: Serializer>(address: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{address:#x}"))
}

/// Reads one, also from a number, as arenas' addresses were in the first reports.
///
/// # Errors
/// When it is neither, and those of the deserializer.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Number(u64),
        Text(String),
    }
    match Written::deserialize(deserializer)? {
        Written::Number(address) => Ok(address),
        Written::Text(text) => text
            .strip_prefix("0x")
            .and_then(|digits| u64::from_str_radix(digits, 16).ok())
            .ok_or_else(|| D::Error::custom(format_args!("{text} is no address such as 0x4000"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Deserialize, serde::Serialize)]
    struct At(#[serde(with = "super")] u64);

    #[test]
    fn there_and_back() {
        for address in [0, 0x7f53_6d53_9000, u64::MAX] {
            let text = serde_json::to_string(&At(address)).unwrap();
            assert_eq!(text, format!("\"{address:#x}\""));
            assert_eq!(serde_json::from_str::<At>(&text).unwrap(), At(address));
        }
        let number: At = serde_json::from_str("139996298157152").unwrap();
        assert_eq!(number, At(139_996_298_157_152));
        for text in ["\"7f\"", "\"0x\"", "\"0xg\"", "-1", "null"] {
            assert!(serde_json::from_str::<At>(text).is_err(), "{text}");
        }
    }
}

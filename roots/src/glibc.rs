//! Which glibc something needs.

/// The newest version of glibc among the symbols that `objdump -T` lists.
pub fn newest_glibc(symbols: &str) -> Option<String> {
    let versions = symbols.split("GLIBC_").skip(1).filter_map(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.');
        let version = &rest[..end.unwrap_or(rest.len())];
        let numbers: Option<Vec<u32>> = version.split('.').map(|part| part.parse().ok()).collect();
        Some((numbers?, version))
    });
    let (_, version) = versions.max()?;
    Some(version.to_owned())
}

#[cfg(test)]
mod tests {
    use super::newest_glibc;

    #[test]
    fn versions_are_compared_as_numbers() {
        let symbols = "
0000000000000000      DF *UND*\t0000000000000000 (GLIBC_2.9)  memcpy
0000000000000000      DF *UND*\t0000000000000000 (GLIBC_2.2.5) free
0000000000000000      DF *UND*\t0000000000000000 (GLIBC_2.28) statx
0000000000000000  w   D  *UND*\t0000000000000000 (GLIBC_PRIVATE) __x
0000000000000000      DF *UND*\t0000000000000000  GCC_4.2.0   _Unwind_Backtrace
";
        assert_eq!(newest_glibc(symbols).as_deref(), Some("2.28"));
        assert_eq!(newest_glibc("no dynamic symbols"), None);
    }
}

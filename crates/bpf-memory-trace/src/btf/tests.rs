use super::*;

/// A BTF of: 1 int `int`, 2 nameless struct {int inner @32}, 3 struct `outer` {int first @0,
/// nameless @64, int flag: 1 bit @128}, 4 func `call`, 5 typedef `btf_trace_seen`.
fn made_up() -> Vec<u8> {
    let strings = b"\0int\0inner\0outer\0first\0call\0btf_trace_seen\0flag\0";
    let name = |name: &str| {
        let all = std::str::from_utf8(strings).unwrap();
        all.find(&format!("\0{name}\0")).unwrap() as u32 + 1
    };
    let info = |kind: u32, members: u32| kind << 24 | members;
    let types = [
        [name("int"), info(1, 0), 4].as_slice(),
        &[0x2000_0020],
        &[0, info(4, 1), 8],
        &[name("inner"), 1, 32],
        &[name("outer"), info(4, 3) | 1 << 31, 24],
        &[name("first"), 1, 0],
        &[0, 2, 64],
        &[name("flag"), 1, 128 | 1 << 24],
        &[name("call"), info(12, 0), 0],
        &[name("btf_trace_seen"), info(8, 0), 1],
    ]
    .concat();
    let mut btf = 0xeb9f_u16.to_ne_bytes().to_vec();
    btf.extend([1, 0]);
    let types_bytes = types.len() as u32 * 4;
    let header = [24, 0, types_bytes, types_bytes, strings.len() as u32];
    btf.extend(header.iter().chain(&types).flat_map(|word| word.to_ne_bytes()));
    btf.extend(strings);
    btf
}

#[test]
fn ids_and_offsets_by_name() {
    let btf = Btf::parse(made_up(), &["outer", "call", "btf_trace_seen"]).unwrap();
    assert_eq!(btf.function("call"), Some(4));
    assert_eq!(btf.tracepoint("seen"), Some(5));
    assert_eq!(btf.offset("outer", "first"), Some(0));
    assert_eq!(btf.offset("outer", "inner"), Some(12));
    assert_eq!(btf.offset("outer", "flag"), None, "a bit field");
    assert_eq!(btf.bit("outer", "flag"), Some((16, 1)));
    assert_eq!(btf.bit("outer", "first"), None, "whole bytes");
    assert_eq!(btf.offset("outer", "nothing"), None);
    assert_eq!(btf.function("outer"), None, "no function");
}

#[test]
fn no_cut_of_it_panics() {
    let whole = made_up();
    for length in 0..whole.len() {
        if let Some(btf) = Btf::parse(whole[..length].to_vec(), &["outer", "call"]) {
            btf.offset("outer", "inner");
        }
    }
}

#[test]
fn this_kernel_has_what_every_kernel_has() {
    match Btf::of_kernel(&["pt_regs", "task_struct", "btf_trace_sys_exit"]) {
        Err(error) => suite::skipped(format_args!("no BTF here: {error}")),
        Ok(btf) => {
            assert!(btf.tracepoint("sys_exit").is_some());
            assert!(btf.offset("task_struct", "tgid").is_some());
            // `struct pt_regs` of x86-64 is ABI.
            #[cfg(target_arch = "x86_64")]
            assert_eq!(btf.offset("pt_regs", "orig_ax"), Some(120));
        }
    }
}

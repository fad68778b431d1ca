use super::*;
use Register::*;

#[test]
fn a_program_reads_as_bpftool_shows_it() {
    let mut asm = Assembler::default();
    let out = asm.label();
    asm.mov(R6, R1);
    asm.load(Width::Double, R2, R6, 8);
    asm.and_imm(R2, 4095);
    asm.shift_right(R2, 32);
    asm.store(Width::Word, Fp, -4, R2);
    asm.store_imm(Width::Half, Fp, -6, 7);
    asm.stack_address(R2, -4, 4);
    asm.map(R1, "watched");
    asm.call(Helper::MapLookupElem);
    asm.jump_if(R0, Condition::Equal, 0, out);
    asm.map_value(R1, "counters", 8);
    asm.mov_imm(R2, 1);
    asm.atomic_add(R1, 0, R2);
    asm.jump_if_reg(R1, Condition::SignedLess, R2, out);
    asm.place(out);
    asm.mov_imm(R0, 0);
    asm.exit();
    let code = asm.assemble().unwrap();
    let expected = "   0: r6 = r1
   1: r2 = *(u64 *)(r6 +8)
   2: r2 &= 4095
   3: r2 >>= 32
   4: *(u32 *)(r10 -4) = r2
   5: *(u16 *)(r10 -6) = 7
   6: r2 = r10
   7: r2 += -4
   8: r1 = map[watched]
  10: call 1 map_lookup_elem
  11: if r0 == 0 goto 17
  12: r1 = map_value[counters] + 8
  14: r2 = 1
  15: lock *(u64 *)(r1 +0) += r2
  16: if r1 s< r2 goto 17
  17: r0 = 0
  18: exit
";
    assert_eq!(code.to_string(), expected);
    assert_eq!(code.maps().collect::<Vec<_>>(), ["counters", "watched"]);
}

/// The bytes are the kernel's own: `BPF_MOV64_IMM(BPF_REG_0, 0), BPF_EXIT_INSN()`.
#[test]
fn instructions_are_encoded_as_the_kernel_reads_them() {
    let mut asm = Assembler::default();
    let again = asm.label();
    asm.place(again);
    asm.mov_imm(R0, 0);
    asm.store(Width::Double, Fp, -8, R7);
    asm.jump(again);
    let code = asm.assemble().unwrap();
    let bytes: Vec<_> = code
        .instructions
        .iter()
        .map(|one| (one.code, one.registers, one.offset, one.immediate))
        .collect();
    assert_eq!(bytes, [(0xb7, 0, 0, 0), (0x7b, 0x7a, -8, 0), (5, 0, -3, 0)]);
}

#[test]
fn maps_are_relocated_by_name() {
    let mut asm = Assembler::default();
    asm.map(R1, "ring");
    asm.mov_imm(R0, 0);
    asm.exit();
    let code = asm.assemble().unwrap();
    let there = code.relocated(|name| (name == "ring").then_some(42)).unwrap();
    assert_eq!((there[0].code, there[0].registers, there[0].immediate), (0x18, 0x11, 42));
    assert_eq!(code.relocated(|_| None), Err("ring"));
}

fn wrong(write: impl FnOnce(&mut Assembler)) -> AssembleError {
    let mut asm = Assembler::default();
    write(&mut asm);
    asm.assemble().unwrap_err()
}

#[test]
fn what_is_wrong_is_named() {
    let nowhere = wrong(|asm| {
        let label = asm.label();
        asm.jump(label);
    });
    assert_eq!(nowhere, AssembleError::LabelNowhere { at: 0 });
    let twice = wrong(|asm| {
        let label = asm.label();
        asm.place(label);
        asm.exit();
        asm.place(label);
    });
    assert_eq!(twice, AssembleError::LabelTwice { first: 0, second: 1 });
    let far = wrong(|asm| {
        let label = asm.label();
        asm.jump(label);
        (0..40_000).for_each(|_| asm.mov_imm(R0, 0));
        asm.place(label);
        asm.exit();
    });
    let distance = 40_000;
    assert_eq!(far, AssembleError::TooFar { at: 0, distance });
    assert_eq!(wrong(|asm| asm.mov_imm(R0, 0)), AssembleError::NoEnd);
    assert_eq!(wrong(|_| ()), AssembleError::NoEnd);
}

#[test]
fn the_stack_has_512_bytes_and_no_crooked_places() {
    for (offset, right) in
        [(-8, true), (-512, true), (0, false), (-4, false), (-12, false), (-520, false)]
    {
        let mut asm = Assembler::default();
        asm.store(Width::Double, Fp, offset, R1);
        asm.exit();
        let said = asm.assemble().err();
        let bytes = 8;
        let wrong = AssembleError::Stack { at: 0, offset, bytes };
        assert_eq!(said, (!right).then_some(wrong), "{offset}");
    }
    let beyond = wrong(|asm| asm.stack_address(R2, -4, 8));
    assert!(beyond.to_string().contains("uses 8 bytes of stack at -4"), "{beyond}");
}

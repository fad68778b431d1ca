//! Where everything is in a frame.

use super::*;
use crate::x86_64::maps;

const SIZE: usize = 832;

#[allow(unsafe_code, reason = "libc gives these registers no default")]
fn state() -> ThreadState {
    // SAFETY: made of integers.
    let mut registers: Registers = unsafe { std::mem::zeroed() };
    registers.rsp = 0x7fff_0000_1238;
    registers.rip = 0x40_1000;
    registers.orig_rax = u64::MAX;
    registers.cs = 0x33;
    registers.ss = 0x2b;
    let mut vectors = vec![0x11; SIZE];
    vectors[SOFTWARE..][..8].copy_from_slice(&7_u64.to_le_bytes());
    ThreadState { registers, vectors, signal_mask: 0x4711 }
}

fn way_back() -> WayBack {
    let memory = std::fs::File::open("/proc/self/mem").unwrap();
    let mappings = maps::StoppedMappings::open(std::process::id() as i32).unwrap().all();
    WayBack::find(&memory, &mappings).unwrap()
}

fn word(frame: &SignalFrame, address: u64) -> u64 {
    let offset = (address - frame.start) as usize;
    u64::from_le_bytes(frame.bytes[offset..][..8].try_into().unwrap())
}

fn entry(data: &[u8]) -> Entry {
    let mut arguments = [1, 2, 3, 4, 5, 6].map(Argument::Value);
    arguments[4] = Argument::Data(data.len());
    Entry { function: 0x5000, data: data.to_vec(), arguments }
}

#[test]
fn data_lie_above_all_else_and_an_argument_may_be_their_address() {
    for data in [&b"x\0"[..], &[7; 4096]] {
        let frame = SignalFrame::new(&state(), &way_back(), &entry(data), None);
        assert_eq!(frame.data % 16, 0);
        assert_eq!(&frame.bytes[(frame.data - frame.start) as usize..][..data.len()], data);
        let end = frame.start + frame.bytes.len() as u64;
        assert_eq!(end, state().registers.rsp - 128, "below the red zone");
        let behind = frame.data + data.len() as u64;
        assert!(behind <= end && (frame.registers.rdi, frame.registers.r8) == (1, behind));
        let vectors = word(&frame, frame.stack_pointer - 8 + offset::VECTORS as u64);
        assert!(vectors + SIZE as u64 + 4 <= frame.data && frame.value < vectors);
    }
}

#[test]
fn it_lies_where_the_kernel_and_the_abi_want_it() {
    let way_back = way_back();
    for offset in 0..128 {
        let mut state = state();
        state.registers.rsp += offset;
        let frame = SignalFrame::new(&state, &way_back, &entry(b""), None);
        assert_eq!(frame.start % 16, 8, "as behind a call instruction");
        let end = frame.start + frame.bytes.len() as u64;
        assert_eq!(end, state.registers.rsp - 128, "below the red zone");
        assert_eq!(word(&frame, frame.start), way_back.store.address);
        let context = frame.stack_pointer;
        assert_eq!(context - 8, frame.start + 8 + way_back.store.skipped_bytes);
        assert_eq!(word(&frame, context - 8), way_back.restore.address);
        let vectors = word(&frame, context - 8 + offset::VECTORS as u64);
        assert_eq!(vectors % 64, 0);
        assert!(vectors + SIZE as u64 + 4 <= end && frame.value + 8 <= vectors);
        assert!(context - 8 + FRAME_BYTES <= frame.value);
        assert_eq!(word(&frame, context), FLAGS);
        assert_eq!(word(&frame, context - 8 + 304), 0x4711, "the signal mask");
        assert_eq!(word(&frame, context - 8 + 48 + 8 * 15), state.registers.rsp);
        assert_eq!((frame.registers.rip, frame.registers.rdi), (0x5000, 1));
    }
}

#[test]
fn a_gate_leads_to_the_frame_and_lets_one_signal_through() {
    let way_back = way_back();
    let signal = libc::SIGURG;
    let frame = SignalFrame::new(&state(), &way_back, &entry(b""), Some(signal));
    assert_eq!(frame.start % 16, 8, "as behind a call instruction");
    assert_eq!(word(&frame, frame.start), way_back.store.address);
    let gate = frame.start + 8 + way_back.store.skipped_bytes;
    assert_eq!(word(&frame, gate), way_back.restore.address);
    assert_eq!(gate + FRAME_BYTES, frame.stack_pointer - 8);
    let register = |number: u64| word(&frame, gate + 48 + 8 * number);
    assert_eq!(register(15), frame.stack_pointer, "rsp");
    assert_eq!(register(16), way_back.restore.address, "rip");
    let vectors = offset::VECTORS as u64;
    let of_frame = word(&frame, frame.stack_pointer - 8 + vectors);
    assert_eq!(word(&frame, gate + vectors), of_frame);
    let mask = word(&frame, gate + 304);
    assert_eq!(mask & completion_signal::bit(signal), 0, "it comes through");
    assert_eq!(mask | completion_signal::bit(signal), call_mask(0x4711), "no other does");
    assert_eq!(word(&frame, frame.stack_pointer - 8 + 304), 0x4711);
}

#[test]
fn an_interrupted_call_is_made_again() {
    let cases = [
        // System call, what is in rax; and what the program goes on with, and how far back.
        (u64::MAX, -512, -512, 0),
        (0, 5, 5, 0),
        (232, -4, -4, 0),
        (0, -512, 0, 2),
        (7, -513, 7, 2),
        (271, -514, 271, 2),
        (35, -516, libc::SYS_restart_syscall, 2),
    ];
    for (call, before, after, back) in cases {
        let mut registers = state().registers;
        registers.orig_rax = call;
        registers.rax = i64::cast_unsigned(before);
        let restarted = restarted(&registers);
        assert_eq!(restarted.rax.cast_signed(), after, "{call} {before}");
        assert_eq!(restarted.rip, registers.rip - back, "{call} {before}");
    }
}

#[test]
fn the_vectors_are_marked() {
    let marked = signal_vectors(&state().vectors);
    assert_eq!(marked.len(), SIZE + 4);
    assert_eq!(marked[SIZE..], XSTATE_MAGIC2.to_le_bytes());
    assert_eq!(marked[464..468], XSTATE_MAGIC1.to_le_bytes());
    assert_eq!(marked[468..472], (SIZE as u32 + 4).to_le_bytes());
    assert_eq!(marked[472..480], 7_u64.to_le_bytes());
    assert_eq!(marked[480..484], (SIZE as u32).to_le_bytes());

    // With AMX, and tiles in use or not.
    let mut area = vec![0; 11_008];
    area[SOFTWARE..][..8].copy_from_slice(&(TILES | 7).to_le_bytes());
    let unused = signal_vectors(&area);
    assert_eq!(unused[TILES_OFFSET..][..4], XSTATE_MAGIC2.to_le_bytes());
    area[IN_USE..][..8].copy_from_slice(&TILES.to_le_bytes());
    let used = signal_vectors(&area);
    assert_eq!(used[TILES_OFFSET..][..4], [0; 4]);
    assert_eq!(used[11_008..], XSTATE_MAGIC2.to_le_bytes());
}

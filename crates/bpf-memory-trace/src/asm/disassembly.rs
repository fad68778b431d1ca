//! A program, to be read: in the notation of the verifier's log and of `bpftool prog dump xlated`.
//!
//! # References
//! `kernel/bpf/disasm.c`

use std::fmt;

use super::instruction::{Instruction, LOAD_MAP, class, operation};
use super::{Code, Width};

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut maps = self.maps.iter();
        let mut at = 0;
        while let Some(instruction) = self.instructions.get(at) {
            write!(f, "{at:4}: ")?;
            if instruction.code & class::MASK == class::LD {
                let name = maps.next().map_or("?", |(_, name)| name);
                let to = instruction.registers & 0xf;
                let second = self.instructions[at + 1].immediate;
                match instruction.registers >> 4 {
                    LOAD_MAP => writeln!(f, "r{to} = map[{name}]")?,
                    _ => writeln!(f, "r{to} = map_value[{name}] + {second}")?,
                }
                at += 2;
            } else {
                writeln!(f, "{}", Line { at, instruction })?;
                at += 1;
            }
        }
        Ok(())
    }
}

/// An instruction of one place.
struct Line<'a> {
    at: usize,
    instruction: &'a Instruction,
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Instruction { code, registers, offset, immediate } = *self.instruction;
        let (to, from) = (registers & 0xf, registers >> 4);
        let place = |base| format!("*({} *)(r{base} {offset:+})", width(code));
        let right = match code & operation::BY_REGISTER {
            0 => format!("{immediate}"),
            _ => format!("r{from}"),
        };
        match code & class::MASK {
            class::ALU64 => write!(f, "r{to} {}= {right}", sign(code)),
            class::LDX => write!(f, "r{to} = {}", place(from)),
            class::ST => write!(f, "{} = {immediate}", place(to)),
            class::STX if code & 0xe0 == operation::ATOMIC => {
                write!(f, "lock {} += r{from}", place(to))
            }
            class::STX => write!(f, "{} = r{from}", place(to)),
            _ => match code & 0xf0 {
                operation::CALL => write!(f, "call {immediate}{}", helper(immediate)),
                operation::EXIT => f.write_str("exit"),
                condition => {
                    let target = self.at as i64 + 1 + i64::from(offset);
                    if condition != operation::JA {
                        write!(f, "if r{to} {} {right} ", comparison(condition))?;
                    }
                    write!(f, "goto {target}")
                }
            },
        }
    }
}

fn width(code: u8) -> &'static str {
    const BYTE: u8 = Width::Byte as u8;
    const HALF: u8 = Width::Half as u8;
    const WORD: u8 = Width::Word as u8;
    match code & 0x18 {
        BYTE => "u8",
        HALF => "u16",
        WORD => "u32",
        _ => "u64",
    }
}

fn sign(code: u8) -> &'static str {
    match code & 0xf0 {
        operation::ADD => "+",
        operation::AND => "&",
        operation::RSH => ">>",
        _ => "",
    }
}

fn comparison(condition: u8) -> &'static str {
    match condition {
        0x10 => "==",
        0x20 => ">",
        0x30 => ">=",
        0x40 => "&",
        0x50 => "!=",
        0x60 => "s>",
        0x70 => "s>=",
        0xa0 => "<",
        0xb0 => "<=",
        0xc0 => "s<",
        _ => "s<=",
    }
}

fn helper(number: i32) -> &'static str {
    match number {
        1 => " map_lookup_elem",
        5 => " ktime_get_ns",
        14 => " get_current_pid_tgid",
        112 => " probe_read_user",
        114 => " probe_read_user_str",
        115 => " probe_read_kernel_str",
        131 => " ringbuf_reserve",
        132 => " ringbuf_submit",
        133 => " ringbuf_discard",
        134 => " ringbuf_query",
        158 => " get_current_task_btf",
        175 => " task_pt_regs",
        _ => "",
    }
}

//! Watches a process until it ends: `watch PID [sys_exit|fexit|kprobe.multi]`.

use bpf_memory_trace::{Hook, Options, Record, Seen, Tracer};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let usage = "usage: watch PID [sys_exit|fexit|kprobe.multi]";
    let mut arguments = std::env::args().skip(1);
    let pid: u32 = arguments.next().ok_or(usage)?.parse()?;
    let hook = match arguments.next().as_deref() {
        None | Some("sys_exit") => Hook::SysExit,
        Some("fexit") => Hook::Fexit,
        Some("kprobe.multi") => Hook::KprobeMulti,
        Some(_) => return Err(usage.into()),
    };
    let mut tracer = Tracer::new(hook, Options::default())?;
    tracer.watch(pid)?;
    eprintln!("watching {pid}");
    let process = format!("/proc/{pid}");
    while std::fs::exists(&process)? {
        tracer.read(tell);
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let missed = tracer.finish(tell)?;
    tracer.prove()?;
    eprintln!("not told: {missed:?}");
    Ok(())
}

fn tell(record: Record) {
    let Record { tid, what, .. } = record;
    match what {
        Seen::Returned { syscall, args, result, path, .. } => {
            let path = path.map(|path| String::from_utf8_lossy(&path).into_owned());
            println!("{tid} {}{args:x?} {path:?} = {result:#x}", syscall.name());
        }
        other => println!("{tid} {other:?}"),
    }
}

//! The kernel's own words about a kill, from `/dev/kmsg`.
//!
//! # References
//!
//! Linux `Documentation/ABI/testing/dev-kmsg`; `mm/oom_kill.c`, `dump_oom_victim` and
//! `__oom_kill_process`.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;

/// No record is longer (`PRINTK_MESSAGE_MAX`).
const RECORD_BYTES: usize = 8192;

/// The kernel's log from now on.
#[derive(Debug)]
pub(crate) struct KernelLog(Result<File, String>);

impl KernelLog {
    /// From this moment on.
    pub(crate) fn from_now() -> Self {
        let opened = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open("/dev/kmsg");
        let at_end = opened.and_then(|mut file| {
            file.seek(SeekFrom::End(0))?;
            Ok(file)
        });
        Self(at_end.map_err(|error| format!("the kernel's log, /dev/kmsg, can't be read: {error}")))
    }

    /// What it says of the kill in the cgroup of this name; the error says why that isn't known.
    pub(crate) fn kill_in(&mut self, group: &str) -> Result<Option<String>, String> {
        let file = self.0.as_mut().map_err(|why| why.clone())?;
        let records = records(file).map_err(|error| format!("/dev/kmsg: {error}"))?;
        Ok(words(&records, group))
    }
}

fn records(file: &mut File) -> io::Result<Vec<String>> {
    let mut records = Vec::new();
    let mut buffer = vec![0; RECORD_BYTES];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(records),
            Ok(length) => records.push(String::from_utf8_lossy(&buffer[..length]).into_owned()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(records),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // Records were overwritten before they were read; the next read goes on behind them.
            Err(error) if error.raw_os_error() == Some(libc::EPIPE) => {}
            Err(error) => return Err(error),
        }
    }
}

/// The line about the victim. Its process is named as the first pid namespace has it, so it is found
/// by the cgroup, which the line before names.
fn words(records: &[String], group: &str) -> Option<String> {
    let messages = || records.iter().filter_map(|record| message(record));
    let constraint = messages()
        .find(|line| line.starts_with("oom-kill:") && line.contains(&format!("/{group},")))?;
    let pid = constraint.split(',').find_map(|field| field.strip_prefix("pid="))?;
    let killed = format!("Killed process {pid} (");
    messages()
        .find(|line| line.starts_with("Memory cgroup out of memory") && line.contains(&killed))
        .map(str::to_owned)
}

/// A record's text: behind its prefix, without the lines that describe a device.
fn message(record: &str) -> Option<&str> {
    let (_, text) = record.split_once(';')?;
    text.lines().next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_victim_is_found_by_its_cgroup() {
        let records: Vec<String> = [
            "6,900,1,-;oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,\
             oom_memcg=/a/other-1,task_memcg=/a/other-1,task=x,pid=7,uid=0\n",
            "3,901,1,-;Memory cgroup out of memory: Killed process 7 (x) total-vm:1kB\n",
            "6,902,2,-;oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,\
             oom_memcg=/a/mine-1,task_memcg=/a/mine-1,task=oom,pid=70,uid=0\n SUBSYSTEM=x\n",
            "3,903,2,-;Memory cgroup out of memory: Killed process 70 (oom) total-vm:2kB\n",
        ]
        .map(str::to_owned)
        .to_vec();
        assert_eq!(
            words(&records, "mine-1").as_deref(),
            Some("Memory cgroup out of memory: Killed process 70 (oom) total-vm:2kB")
        );
        assert_eq!(words(&records, "mine"), None);
    }
}

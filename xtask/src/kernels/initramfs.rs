//! What a kernel starts with: busybox, modules, a script that mounts the host's root, and what is done there.

use std::fs;

/// An archive of these.
///
/// # References
/// `Documentation/driver-api/early-userspace/buffer-format.rst`
pub fn of(modules: &[(String, Vec<u8>)], job: &str) -> anyhow::Result<Vec<u8>> {
    let mut archive = Vec::new();
    let mut add = |name: &str, mode: u32, content: &[u8]| {
        let (name_bytes, bytes) = (name.len() + 1, content.len());
        let head = format!(
            "070701{0:08x}{mode:08x}{0:08x}{0:08x}{1:08x}{0:08x}{bytes:08x}{0:08x}{0:08x}{0:08x}{0:08x}\
             {name_bytes:08x}{0:08x}{name}\0",
            0, 1
        );
        for part in [head.as_bytes(), content] {
            archive.extend(part);
            archive.resize(archive.len().next_multiple_of(4), 0);
        }
    };
    add("busybox", 0o100_755, &fs::read("/bin/busybox")?);
    add("init", 0o100_755, include_bytes!("init.sh"));
    add("job", 0o100_644, job.as_bytes());
    for (name, content) in modules {
        add(name, 0o100_644, content);
    }
    add("TRAILER!!!", 0, &[]);
    Ok(archive)
}

//! What the machine allows this process.

use std::fs;
use std::path::Path;

/// A limit on the memory of this process.
///
/// ```
/// use dotdo::ServeOptions;
/// use dotdo::commands::Premises;
///
/// let here = Premises::of(ServeOptions::default(), None)?;
/// if let Some(limit) = here.memory_limit() {
///     let whose = if limit.is_of_container { "the container" } else { "the machine" };
///     println!("{} of {} bytes of {whose}", here.memory_budget_bytes(), limit.bytes);
/// }
/// # Ok::<(), dotdo::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemoryLimit {
    /// The limit, in bytes.
    pub bytes: u64,
    /// Whether it is that of a container; otherwise it is all memory of the machine.
    pub is_of_container: bool,
}

/// The limit of the control group, or the memory of the machine.
pub(super) fn memory_limit() -> Option<MemoryLimit> {
    let of_machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| total(&text));
    let of_group = group_limit(Path::new("/sys/fs/cgroup"));
    match (of_group, of_machine) {
        // Version 1 writes a number near 2^63 for no limit.
        (Some(bytes), machine) if machine.is_none_or(|machine| bytes < machine) => {
            Some(MemoryLimit { bytes, is_of_container: true })
        }
        (_, Some(bytes)) => Some(MemoryLimit { bytes, is_of_container: false }),
        (_, None) => None,
    }
}

/// The limit of the process's own control group, of version 2 or 1.
fn group_limit(root: &Path) -> Option<u64> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let own = |controller: &str| {
        groups.lines().find_map(|line| {
            let mut parts = line.splitn(3, ':').skip(1);
            let (controllers, path) = (parts.next()?, parts.next()?);
            controllers
                .split(',')
                .any(|one| one == controller)
                .then(|| path.trim_start_matches('/').to_owned())
        })
    };
    let candidates = [
        own("").map(|path| root.join(path).join("memory.max")),
        // In a container its own group is mounted as the root.
        Some(root.join("memory.max")),
        own("memory").map(|path| root.join("memory").join(path).join("memory.limit_in_bytes")),
        Some(root.join("memory/memory.limit_in_bytes")),
    ];
    candidates
        .into_iter()
        .flatten()
        .find_map(|path| fs::read_to_string(path).ok()?.trim().parse().ok())
}

/// The memory of the machine in the text of `/proc/meminfo`, in bytes.
fn total(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_of_the_machine_is_read() {
        let text = "MemTotal:       16384 kB\nMemFree:        1 kB\n";
        assert_eq!(total(text), Some(16 << 20));
        assert_eq!(total("nothing"), None);
    }
}

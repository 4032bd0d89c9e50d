//! Returns free memory from the allocator to the system.
//!
//! glibc keeps freed memory in arenas, up to eight per processor, and serves ever larger blocks
//! from them, so memory would stay at its peak. Other allocators and systems need no configuration.

use std::time::Duration;

use dotdo_core::Budget;

/// Interval between checks for free memory.
const PAUSE: Duration = Duration::from_secs(1);

/// Decrease of memory use since its peak, in bytes, after which free memory is returned to the
/// system.
const FALLEN_BYTES: u64 = 8 << 20;

/// Limits the memory that the allocator keeps. Must run before threads are started.
pub(crate) fn bound_the_allocator() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    glibc::bound();
}

/// Returns free memory to the system while it is polled.
pub(crate) async fn give_back(budget: Budget) {
    loop {
        tokio::time::sleep(PAUSE).await;
        if budget.fallen() >= FALLEN_BYTES {
            budget.mark();
            // It briefly locks each arena and may take milliseconds.
            let trimmed = tokio::task::spawn_blocking(give_back_now).await;
            tracing::debug!(is_done = trimmed.is_ok(), "returned free memory to the system");
        }
    }
}

fn give_back_now() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    glibc::trim();
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod glibc {
    /// Number of arenas that threads share. Small blocks come from each thread's own cache, so
    /// threads rarely wait for each other.
    const ARENAS_MAX: libc::c_int = 4;

    /// Blocks of at least this many bytes are mapped from the system and returned directly.
    const LARGE_BYTES: libc::c_int = 1 << 20;

    /// Maximum free memory at the end of the heap, in bytes.
    const FREE_BYTES_MAX: libc::c_int = 8 << 20;

    pub(super) fn bound() {
        for (option, value) in [
            (libc::M_ARENA_MAX, ARENAS_MAX),
            (libc::M_MMAP_THRESHOLD, LARGE_BYTES),
            (libc::M_TRIM_THRESHOLD, FREE_BYTES_MAX),
        ] {
            // SAFETY: it takes two numbers, and these are options that mallopt(3) describes. One
            // that it refuses changes nothing.
            unsafe { libc::mallopt(option, value) };
        }
    }

    pub(super) fn trim() {
        // SAFETY: it takes a number, may be called by any thread at any time, and touches only what
        // nobody has.
        unsafe { libc::malloc_trim(0) };
    }
}

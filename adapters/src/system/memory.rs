//! What the system's allocator does with memory that is free.
//!
//! glibc keeps what is freed, in arenas of which it makes up to eight for each processor, and takes
//! ever larger pieces from them: a peak would stay. Other allocators, and other systems, are left
//! alone.

use std::time::Duration;

use dotdo_core::Budget;

/// How often to look whether much has become free.
const PAUSE: Duration = Duration::from_secs(1);

/// When the use of memory has fallen by this much since its peak, what is free goes back to the
/// system.
const FALLEN_BYTES: u64 = 8 << 20;

/// Bounds what the allocator keeps. Before there are threads.
pub(crate) fn bound_the_allocator() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    glibc::bound();
}

/// Gives memory that is free back to the system, as long as it is polled.
pub(crate) async fn give_back(budget: Budget) {
    loop {
        tokio::time::sleep(PAUSE).await;
        if budget.fallen() >= FALLEN_BYTES {
            budget.mark();
            // It takes each arena's lock for a moment, and may take milliseconds.
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
    /// How many arenas threads share. Small pieces come from each thread's own cache, so that they
    /// rarely wait for each other.
    const ARENAS_MAX: libc::c_int = 4;

    /// Pieces of this many bytes come from the system and go back to it by themselves.
    const LARGE_BYTES: libc::c_int = 1 << 20;

    /// What may stay free at the end of the heap.
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

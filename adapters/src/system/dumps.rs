//! Core dumps of a process that crashes: they would have all of its memory, with tokens, keys of
//! the bucket, the peer secret, and the objects of every tenant.

/// Makes this process leave none.
pub(crate) fn leave_no_dumps() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    limit::set();
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod limit {
    /// Linux passes a dump to the program in `/proc/sys/kernel/core_pattern` whatever the limit is,
    /// unless it is 1; and a file of one byte is not written either (core(5)).
    const BYTES: libc::rlim_t = 1;

    pub(super) fn set() {
        let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: it takes a pointer to a limit that lives here, and writes it.
        let is_known = unsafe { libc::getrlimit(libc::RLIMIT_CORE, &raw mut limit) } == 0;
        // A limit that is lower already can't be raised.
        limit.rlim_max = limit.rlim_max.min(BYTES);
        limit.rlim_cur = limit.rlim_max;
        // SAFETY: it takes a pointer to a limit that lives here, and reads it.
        let is_set =
            is_known && unsafe { libc::setrlimit(libc::RLIMIT_CORE, &raw const limit) } == 0;
        if !is_set {
            tracing::warn!("cannot turn off core dumps; a crash may leave one with secrets");
        }
    }
}

//! Giving freed memory back to the system, on request.
//!
//! Allocators keep what is freed, so resident memory stays high after a pass. A [`Purge`] makes the allocator give back
//! what it can: whole free pages. Nothing here runs unasked.
//!
//! | type | feature | calls | where |
//! |---|---|---|---|
//! | `Glibc` | `purge-glibc` | `malloc_trim(0)` | Linux with glibc |
//! | `Jemalloc` | `jemalloc` | `arena.<all>.purge` | all but MSVC |
//! | `Mimalloc` | `mimalloc` | `mi_collect(true)` | everywhere |
//!
//! Each is for programs that allocate with that allocator, and does no harm in others. This file has `unsafe`, since no crate
//! offers these three calls without: each is a call of a C function that takes no pointers of ours.

/// Gives freed memory back to the system.
///
/// ```
/// use weakmap::heap::Purge;
///
/// struct Pool;
///
/// impl Purge for Pool {
///     fn purge(&self) {
///         // a pool of our own lets its spare pages go
///     }
///
///     fn name(&self) -> &str {
///         "our pool"
///     }
/// }
///
/// Pool.purge();
/// ```
pub trait Purge: Send + Sync + 'static {
    /// Gives back what can be given back. It runs outside all locks of the maps and never inside a `get`; it may take milliseconds.
    fn purge(&self);

    /// What it is called in reports.
    fn name(&self) -> &str;
}

/// glibc's `malloc_trim(0)`: gives back all whole free pages of all arenas. Feature `purge-glibc`.
///
/// Holds each arena's lock while it walks it: 2.5 to 6 ms for a heap of 512 MiB under load.
///
/// ```
/// use weakmap::heap::{Purge, purge::Glibc};
/// Glibc.purge();
/// ```
#[cfg(all(feature = "purge-glibc", target_os = "linux", target_env = "gnu"))]
#[derive(Clone, Copy, Debug, Default)]
pub struct Glibc;

#[cfg(all(feature = "purge-glibc", target_os = "linux", target_env = "gnu"))]
impl Purge for Glibc {
    #[allow(unsafe_code)]
    fn purge(&self) {
        // SAFETY: `malloc_trim` may be called by any thread at any time ("MT-Safe"); it touches free memory alone.
        unsafe { libc::malloc_trim(0) };
    }

    fn name(&self) -> &str {
        "malloc_trim"
    }
}

/// jemalloc's `arena.<all>.purge`: gives back all unused dirty pages of all arenas. Feature `jemalloc`.
///
/// 19 to 22 ms for a heap of 512 MiB under load. `dirty_decay_ms:0` in jemalloc's options gives back at once, without calls.
///
/// ```
/// use weakmap::heap::{Purge, purge::Jemalloc};
/// Jemalloc.purge();
/// ```
#[cfg(all(feature = "jemalloc", not(target_env = "msvc")))]
#[derive(Clone, Copy, Debug, Default)]
pub struct Jemalloc;

#[cfg(all(feature = "jemalloc", not(target_env = "msvc")))]
impl Purge for Jemalloc {
    #[allow(unsafe_code)]
    fn purge(&self) {
        use std::ptr::null_mut;
        // 4096 is MALLCTL_ARENAS_ALL; jemalloc_macros.h shows this very call.
        let all = c"arena.4096.purge".as_ptr();
        // SAFETY: the name ends with a nul; the command takes and gives no value, so all pointers are null, as documented.
        // Any thread may call it at any time; it touches unused pages alone.
        unsafe { tikv_jemalloc_sys::mallctl(all, null_mut(), null_mut(), null_mut(), 0) };
    }

    fn name(&self) -> &str {
        "arena.<all>.purge"
    }
}

/// mimalloc's `mi_collect(true)`: gives back the free pages of the calling thread and of threads that have ended; what
/// other running threads keep stays. Feature `mimalloc`.
///
/// 1.5 to 8 ms for a heap of 512 MiB under load.
///
/// ```
/// use weakmap::heap::{Purge, purge::Mimalloc};
/// Mimalloc.purge();
/// ```
#[cfg(feature = "mimalloc")]
#[derive(Clone, Copy, Debug, Default)]
pub struct Mimalloc;

#[cfg(feature = "mimalloc")]
impl Purge for Mimalloc {
    #[allow(unsafe_code)]
    fn purge(&self) {
        // SAFETY: any thread may call it at any time; it works on the caller's own heap and on free memory.
        unsafe { libmimalloc_sys::mi_collect(true) };
    }

    fn name(&self) -> &str {
        "mi_collect"
    }
}

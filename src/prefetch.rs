//! A hint to the processor: what is looked at soon.

/// Asks for the cache line in which this begins, and does not wait for it. Does nothing where the processor is not x86-64.
#[inline(always)]
#[cfg_attr(not(all(target_arch = "x86_64", not(miri))), allow(unused_variables))]
pub fn prefetch<T>(it: *const T) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    #[allow(unsafe_code)]
    // SAFETY: every such processor has the instruction, which reads nothing: any address will do.
    unsafe {
        use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(it.cast());
    }
}

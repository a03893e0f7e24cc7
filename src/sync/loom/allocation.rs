//! What an `Arc` points to: the counts, the value, and whether both are there. Memory is only given back when the execution is over, so
//! that who uses what is gone can be reported.

use std::{
    alloc::{Layout, alloc, dealloc, handle_alloc_error},
    cell::{Cell, RefCell},
    mem::{ManuallyDrop, offset_of, replace, take},
    ptr::NonNull,
};

use loom::{
    alloc::Track,
    cell::UnsafeCell,
    sync::atomic::{
        AtomicUsize,
        Ordering::{Acquire, Release},
        fence,
    },
};

thread_local! {
    /// What was freed during this execution. (loom runs all threads of a model on the one that
    /// calls `check`.)
    static FREED: RefCell<Vec<(NonNull<u8>, Layout)>> = const { RefCell::new(Vec::new()) };
    static RECYCLE: Cell<bool> = const { Cell::new(false) };
}

/// Gives the memory freed so far back. To be called when no `Arc` of an earlier execution is in use
/// any more.
pub fn reset() {
    RECYCLE.set(false);
    for (block, layout) in FREED.take() {
        // SAFETY: `allocate` got the block with this layout, and `free` put it here once, asserting
        // that.
        unsafe { dealloc(block.as_ptr(), layout) }
    }
}

/// For the rest of this execution, `Arc::new` prefers a freed address: shows an ABA, but the report
/// of a use after free may be less clear.
pub fn recycle() {
    RECYCLE.set(true);
}

fn allocate(layout: Layout) -> NonNull<u8> {
    let used = RECYCLE.get().then(|| {
        FREED.with_borrow_mut(|freed| {
            let at = freed.iter().rposition(|&(_, l)| l == layout)?;
            Some(freed.swap_remove(at).0)
        })
    });
    used.flatten().unwrap_or_else(|| {
        // SAFETY: the layout is that of an `Inner`, which is not empty.
        NonNull::new(unsafe { alloc(layout) }).unwrap_or_else(|| handle_alloc_error(layout))
    })
}

pub struct Head {
    /// The `Arc`s. The value is there until this is zero, which is final.
    pub strong: AtomicUsize,
    /// The `Weak`s, and one more for all the `Arc`s. The allocation is there until this is zero.
    pub weak: AtomicUsize,
    /// Is the value there? Whoever looks at the value reads this; whoever destroys it writes.
    pub value: UnsafeCell<bool>,
    /// Is the allocation there? Whoever looks at anything reads this; whoever frees writes. Also
    /// lets loom report leaks.
    memory: UnsafeCell<Option<Track<()>>>,
}

impl Head {
    /// Panics if the allocation was freed; loom does if it could have been, for all that this
    /// thread knows.
    #[track_caller]
    fn check(&self) -> &Head {
        // SAFETY: loom would have panicked if this read could race.
        self.memory.with(|m| assert!(unsafe { (*m).is_some() }, "use after free: allocation"));
        self
    }
}

// repr(C): `value` lies at a multiple of the alignment of `Head`, as in std at one of the counts',
// whatever `T`.
#[repr(C)]
pub struct Inner<T> {
    head: Head,
    value: ManuallyDrop<T>,
}

impl<T> Inner<T> {
    pub const OFFSET: usize = offset_of!(Inner<T>, value);

    pub fn new(value: T) -> NonNull<Self> {
        const { assert!(Self::OFFSET.is_multiple_of(4) && align_of::<Self>() >= 4) }
        let head = Head {
            strong: AtomicUsize::new(1),
            weak: AtomicUsize::new(1),
            value: UnsafeCell::new(true),
            memory: UnsafeCell::new(Some(Track::new(()))),
        };
        let inner = allocate(Layout::new::<Self>()).cast::<Self>();
        // SAFETY: the block has this layout, and nobody else has it.
        unsafe { inner.write(Inner { head, value: ManuallyDrop::new(value) }) };
        inner
    }

    /// # Safety
    ///
    /// `this` was returned by `new`, in this execution. (That it was not freed since is checked.)
    #[track_caller]
    pub unsafe fn head<'a>(this: NonNull<Self>) -> &'a Head {
        // SAFETY: by the contract above; the memory stays until the execution is over.
        unsafe { &(*this.as_ptr()).head }.check()
    }

    pub fn value(this: NonNull<Self>) -> *mut T {
        this.as_ptr().wrapping_byte_add(Self::OFFSET).cast()
    }

    /// Ends the life of the value, which the caller then has alone.
    ///
    /// # Safety
    ///
    /// As `head`, and the caller took the strong count to zero.
    pub unsafe fn take_value(this: NonNull<Self>) -> *mut T {
        // Acquire: pairs with the Release of every other `Arc`'s drop.
        fence(Acquire);
        // SAFETY: by the contract above; the write is exclusive, or loom panics.
        let was = unsafe { Self::head(this).value.with_mut(|v| replace(&mut *v, false)) };
        assert!(was, "value destroyed twice");
        Self::value(this)
    }

    /// # Safety
    ///
    /// As `head`, and the caller gives up one `Weak`, or the one of all `Arc`s.
    pub unsafe fn drop_weak(this: NonNull<Self>) {
        // SAFETY: by the contract above.
        let head = unsafe { Self::head(this) };
        // Release: what this handle did with the allocation comes before the Acquire of whoever
        // frees it.
        let weak = head.weak.fetch_sub(1, Release);
        assert_ne!(weak, 0, "more Weak drops than Weaks");
        if weak == 1 {
            fence(Acquire);
            // SAFETY: the write is exclusive, or loom panics.
            let track = head.memory.with_mut(|m| unsafe { take(&mut *m) });
            assert!(track.is_some(), "allocation freed twice");
            FREED.with_borrow_mut(|freed| freed.push((this.cast(), Layout::new::<Self>())));
        }
    }
}

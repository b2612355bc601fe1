//! The heap, with something put by. When the system gives no more memory a Rust program ends, and with the daemon would go
//! all it keeps: so the last requests are taken from a reserve, until the daemon has let go of whoever needed so much.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::UnsafeCell;
use std::hint::black_box;
use std::ptr;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Untouched it costs addresses, and no memory. What the daemon needs for a round with all its clients fits several times.
const RESERVE: usize = 256 * 1024;
/// Less than this is short: much more than is needed to keep one more credential.
const ENOUGH: usize = 256 * 1024;

#[global_allocator]
static HEAP: Heap = Heap::new();

/// Whether the system gives no more memory. Nothing that is to last should be begun then.
pub fn is_short() -> bool {
    let Ok(layout) = Layout::array::<u8>(ENOUGH) else {
        return true;
    };
    // SAFETY: the layout is not empty, and what is given goes back with the same one.
    unsafe {
        // What is given and taken back unused is never asked for, as the optimizer sees it.
        let start = black_box(System.alloc(layout));
        if !start.is_null() {
            System.dealloc(start, layout);
        }
        start.is_null()
    }
}

/// Whether it gives none, and some of the reserve is in use already.
pub fn is_running_out() -> bool {
    let is_begun = HEAP.state().live > 0;
    is_begun && is_short()
}

#[repr(align(4096))]
struct Bytes(UnsafeCell<[u8; RESERVE]>);

/// Given out one after the other. The last one can be taken back; of the others the place is free when all are.
struct State {
    used: usize,
    live: usize,
}

struct Heap {
    bytes: Bytes,
    state: Mutex<State>,
}

// SAFETY: `bytes` is only ever given out in parts that do not overlap, under the lock.
unsafe impl Sync for Heap {}

impl Heap {
    /// For statics: it is no thing for a stack.
    #[allow(clippy::large_stack_arrays)]
    const fn new() -> Self {
        Self {
            bytes: Bytes(UnsafeCell::new([0; RESERVE])),
            state: Mutex::new(State { used: 0, live: 0 }),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn holds(&self, start: *const u8) -> bool {
        let first = self.bytes.0.get() as usize;
        (first..first + RESERVE).contains(&(start as usize))
    }

    fn take(&self, layout: Layout) -> *mut u8 {
        let mut state = self.state();
        let first = state.used.next_multiple_of(layout.align());
        let end = first.saturating_add(layout.size());
        if layout.align() > align_of::<Bytes>() || end > RESERVE {
            return ptr::null_mut();
        }
        state.used = end;
        state.live += 1;
        // SAFETY: `first` lies within the bytes, as `end` does.
        unsafe { self.bytes.0.get().cast::<u8>().add(first) }
    }

    fn give_back(&self, start: *const u8, layout: Layout) {
        let mut state = self.state();
        let first = start as usize - self.bytes.0.get() as usize;
        state.live -= 1;
        if state.live == 0 {
            state.used = 0;
        } else if first + layout.size() == state.used {
            state.used = first;
        }
    }
}

// SAFETY: what the system gives goes back to the system; what it does not give comes from the reserve, in parts that do not
// overlap, aligned and as long as asked for. Nothing here allocates or panics.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise.
        let start = unsafe { System.alloc(layout) };
        if start.is_null() {
            self.take(layout)
        } else {
            start
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise; the reserve gives what was asked for, or nothing.
        unsafe {
            let start = System.alloc_zeroed(layout);
            if !start.is_null() {
                return start;
            }
            let start = self.take(layout);
            if !start.is_null() {
                start.write_bytes(0, layout.size());
            }
            start
        }
    }

    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        if self.holds(start) {
            self.give_back(start, layout);
        } else {
            // SAFETY: the caller's promise, and it is not from the reserve.
            unsafe { System.dealloc(start, layout) }
        }
    }

    unsafe fn realloc(&self, start: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller's promise; both places are at least as long as what is copied, and do not overlap.
        unsafe {
            if !self.holds(start) {
                let moved = System.realloc(start, layout, size);
                if !moved.is_null() {
                    return moved;
                }
            }
            let moved = self.alloc(Layout::from_size_align_unchecked(size, layout.align()));
            if !moved.is_null() {
                moved.copy_from_nonoverlapping(start, layout.size().min(size));
                self.dealloc(start, layout);
            }
            moved
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(size: usize, align: usize) -> Layout {
        Layout::from_size_align(size, align).unwrap()
    }

    #[test]
    fn the_reserve_gives_parts_that_do_not_overlap_until_it_is_used_up() {
        static HEAP: Heap = Heap::new();
        let heap = &HEAP;
        let mut parts: Vec<(usize, usize)> = Vec::new();
        for round in 0.. {
            let wanted = layout(1 + round * 37 % 700, 1 << (round % 8));
            let start = heap.take(wanted) as usize;
            if start == 0 {
                break;
            }
            assert_eq!(start % wanted.align(), 0);
            assert!(heap.holds(start as *const u8));
            assert!(
                parts
                    .iter()
                    .all(|&(from, to)| start >= to || start + wanted.size() <= from)
            );
            parts.push((start, start + wanted.size()));
        }
        assert!(parts.len() > 500);
        assert!(heap.take(layout(RESERVE, 1)).is_null());
        assert!(heap.take(layout(1, 8192)).is_null());
    }

    #[test]
    fn the_reserve_is_whole_again_when_all_is_given_back() {
        static HEAP: Heap = Heap::new();
        let heap = &HEAP;
        let half = layout(RESERVE / 2, 16);
        for _ in 0..10 {
            let (one, two) = (heap.take(half), heap.take(half));
            assert!(!one.is_null() && !two.is_null() && heap.take(half).is_null());
            heap.give_back(two, half);
            let again = heap.take(half);
            assert_eq!(again, two, "the last one is taken back at once");
            heap.give_back(one, half);
            heap.give_back(again, half);
        }
    }

    #[test]
    fn what_moves_keeps_its_bytes() {
        static HEAP: Heap = Heap::new();
        let heap = &HEAP;
        let small = layout(100, 8);
        let from = heap.take(small);
        // SAFETY: as long as asked for, and given back once.
        unsafe {
            from.write_bytes(7, 100);
            let moved = heap.realloc(from, small, 1000);
            assert!(!heap.holds(moved), "the system has memory again");
            let bytes = std::slice::from_raw_parts(moved, 100);
            assert!(bytes.iter().all(|&byte| byte == 7));
            heap.dealloc(moved, layout(1000, 8));
        }
        assert_eq!(heap.state().live, 0);
    }

    #[test]
    fn there_is_enough_now() {
        assert!(!is_short());
    }
}

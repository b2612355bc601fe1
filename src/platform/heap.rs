//! The allocator: what a short process needs comes from one small room of the program itself, all else from the system's allocator.
//!
//! An allocator that starts asks the system for memory several times, and spreads small blocks over pages. Each new page costs a
//! page fault, and these are most of the time of a `get`. The room is a stack: a block that is freed last is used again, any other
//! one is not.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::UnsafeCell;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A `get` uses two to three kB. A longer process uses it up once.
const SIZE: usize = 8 * 1024;
const ALIGNMENT: usize = 16;

#[global_allocator]
static HEAP: Heap = Heap::new();

/// The program's allocator.
// In this order: the number lies on the first page that is used.
#[repr(C, align(16))]
struct Heap {
    /// The bytes of the room that are taken.
    used: Used,
    room: UnsafeCell<[u8; SIZE]>,
}

/// As long as the alignment of the room.
#[repr(align(16))]
struct Used(AtomicUsize);

// SAFETY: the room is reached only through blocks, and no two blocks overlap: see `take`.
unsafe impl Sync for Heap {}

impl Heap {
    /// With an empty room.
    const fn new() -> Self {
        Self {
            room: UnsafeCell::new([0; SIZE]),
            used: Used(AtomicUsize::new(0)),
        }
    }

    /// Takes a block from the room; `None` if it has no space for one.
    fn take(&self, layout: Layout) -> Option<*mut u8> {
        if layout.align() > ALIGNMENT {
            return None;
        }
        let mut used = self.used.0.load(Ordering::Relaxed);
        loop {
            let start = used.next_multiple_of(layout.align());
            let end = start.checked_add(layout.size())?;
            if end > SIZE {
                return None;
            }
            let taken =
                self.used
                    .0
                    .compare_exchange_weak(used, end, Ordering::Acquire, Ordering::Relaxed);
            match taken {
                Ok(_) => return Some(self.room.get().cast::<u8>().wrapping_add(start)),
                Err(now) => used = now,
            }
        }
    }

    /// Where `block` begins in the room; `None` if the system's allocator gave it.
    fn offset(&self, block: *mut u8) -> Option<usize> {
        let offset = block.addr().wrapping_sub(self.room.get().addr());
        (offset < SIZE).then_some(offset)
    }

    /// Moves the end of the last block; false if another block is behind it, or the room is too small.
    fn resize(&self, start: usize, old: usize, new: usize) -> bool {
        let Some(end) = start.checked_add(new).filter(|end| *end <= SIZE) else {
            return false;
        };
        let end_was = start + old;
        let resized =
            self.used
                .0
                .compare_exchange(end_was, end, Ordering::AcqRel, Ordering::Relaxed);
        resized.is_ok()
    }
}

// SAFETY: a block of the room lies within it, is aligned, and is given out once: `used` only grows past it, or falls back to its
// start when it is freed as the last one. The rest is the system's allocator.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.take(layout).unwrap_or_else(|| {
            // SAFETY: the caller's promises are those of the system's allocator.
            unsafe { System.alloc(layout) }
        })
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        match self.take(layout) {
            Some(block) => {
                // SAFETY: the block has so many bytes. It may have been used before.
                unsafe { ptr::write_bytes(block, 0, layout.size()) };
                block
            }
            // SAFETY: as in `alloc`.
            None => unsafe { System.alloc_zeroed(layout) },
        }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        match self.offset(block) {
            Some(start) => {
                self.resize(start, layout.size(), 0);
            }
            // SAFETY: the system's allocator gave it.
            None => unsafe { System.dealloc(block, layout) },
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let Some(start) = self.offset(block) else {
            // SAFETY: the system's allocator gave it.
            return unsafe { System.realloc(block, layout, size) };
        };
        if self.resize(start, layout.size(), size) {
            return block;
        }
        // SAFETY: the caller promises a size that fits the alignment; both blocks have so many bytes and do not overlap.
        unsafe {
            let new = self.alloc(Layout::from_size_align_unchecked(size, layout.align()));
            if !new.is_null() {
                ptr::copy_nonoverlapping(block, new, size.min(layout.size()));
                self.dealloc(block, layout);
            }
            new
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(size: usize) -> Layout {
        Layout::from_size_align(size, 8).unwrap()
    }

    fn fill(block: *mut u8, size: usize, byte: u8) {
        // SAFETY: the caller's block has so many bytes.
        unsafe { ptr::write_bytes(block, byte, size) };
    }

    fn bytes(block: *mut u8, size: usize) -> Vec<u8> {
        // SAFETY: as above, and they were written.
        unsafe { std::slice::from_raw_parts(block, size) }.to_vec()
    }

    #[test]
    fn the_last_block_grows_in_its_place_and_is_used_again() {
        let heap = Heap::new();
        // SAFETY: each block is used within its size, with the layout that it was taken with.
        unsafe {
            let first = heap.alloc(layout(100));
            fill(first, 100, 7);
            let grown = heap.realloc(first, layout(100), 200);
            assert_eq!(grown, first);
            let second = heap.alloc(layout(50));
            let moved = heap.realloc(grown, layout(200), 300);
            assert!(moved != grown && bytes(moved, 100) == [7; 100]);
            heap.dealloc(moved, layout(300));
            let third = heap.alloc_zeroed(layout(300));
            assert!(third == moved && bytes(third, 300) == [0; 300]);
            heap.dealloc(third, layout(300));
            heap.dealloc(second, layout(50));
        }
    }

    #[test]
    fn what_does_not_fit_comes_from_the_system() {
        let heap = Heap::new();
        // SAFETY: as above.
        unsafe {
            for large in [layout(SIZE + 1), Layout::from_size_align(64, 64).unwrap()] {
                let block = heap.alloc(large);
                assert!(!block.is_null() && heap.offset(block).is_none());
                fill(block, large.size(), 1);
                heap.dealloc(block, large);
            }
            let small = heap.alloc(layout(8));
            fill(small, 8, 3);
            let large = heap.realloc(small, layout(8), SIZE * 2);
            assert!(heap.offset(large).is_none() && bytes(large, 8) == [3; 8]);
            heap.dealloc(large, layout(SIZE * 2));
        }
    }

    #[test]
    fn blocks_of_many_threads_never_overlap() {
        static HEAP: Heap = Heap::new();
        let threads = (1..=8).map(|mark| {
            std::thread::spawn(move || {
                for round in 1..300_usize {
                    let layout = layout(round * 13 % 97 + 1);
                    // SAFETY: as above.
                    unsafe {
                        let block = HEAP.alloc(layout);
                        fill(block, layout.size(), mark);
                        std::thread::yield_now();
                        assert!(bytes(block, layout.size()).iter().all(|byte| *byte == mark));
                        HEAP.dealloc(block, layout);
                    }
                }
            })
        });
        for thread in threads.collect::<Vec<_>>() {
            thread.join().unwrap();
        }
    }
}

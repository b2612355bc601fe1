//! Where secrets lie in memory: small slots in locked, undumped pages, wiped when they are given back.
//!
//! An ordinary heap keeps what it frees. Here every byte is overwritten before its slot can be used again, the pages
//! are kept out of swap and out of core files where the system allows it, and a forked child does not get them.
#![allow(unsafe_code)]

use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::slice;
use std::sync::{Mutex, MutexGuard, PoisonError};

use zeroize::Zeroize;

use super::Pages;

/// One token fits in one or two slots.
const SLOT: usize = 64;
/// The first block is small: it is all that a single `get` needs, and locking costs by the page.
const FIRST_BLOCK: usize = 16 * 1024;
const BLOCK: usize = 64 * 1024;

static ARENA: Mutex<Arena> = Mutex::new(Arena { blocks: Vec::new() });

/// A run of bytes in the arena, as long as was asked for. Zero at first, wiped when dropped.
pub struct Locked {
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: a `Locked` is the only one that reaches its slots, as a `Box<[u8]>` is of its bytes.
unsafe impl Send for Locked {}
// SAFETY: as above; shared references only read.
unsafe impl Sync for Locked {}

impl Locked {
    /// Takes `len` zero bytes.
    ///
    /// # Panics
    /// If the system gives no memory, as every other allocation does.
    pub fn new(len: usize) -> Self {
        arena().take(len)
    }
}

impl Deref for Locked {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        // SAFETY: `start` points at `len` bytes that the arena marked as taken for this value alone; the block is
        // not unmapped while one of its slots is taken.
        unsafe { slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }
}

impl DerefMut for Locked {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `deref`, and `self` is borrowed mutably.
        unsafe { slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }
}

// The memory scan's control, `tests/faults/memory_scan`: a build that does not wipe must be caught by it.
#[cfg(all(no_wipe, not(debug_assertions)))]
compile_error!("a release always wipes");

impl Zeroize for Locked {
    fn zeroize(&mut self) {
        #[cfg(not(no_wipe))]
        (**self).zeroize();
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        self.zeroize();
        arena().give_back(self.start, self.len);
    }
}

/// What the arena holds, for `cache status`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Bytes mapped.
    pub mapped: usize,
    /// Of these, bytes that the system agreed to keep out of swap.
    pub locked: usize,
}

/// How much is mapped and locked now.
pub fn usage() -> Usage {
    let mut usage = Usage::default();
    for Block { pages, .. } in &arena().blocks {
        usage.mapped += pages.len();
        if pages.is_locked() {
            usage.locked += pages.len();
        }
    }
    usage
}

struct Arena {
    blocks: Vec<Block>,
}

struct Block {
    pages: Pages,
    taken: Vec<bool>,
    /// Below this slot nothing is free.
    first_free: usize,
}

fn arena() -> MutexGuard<'static, Arena> {
    // A panic elsewhere cannot leave the map half-written: it is changed by plain stores only.
    ARENA.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Arena {
    fn take(&mut self, len: usize) -> Locked {
        let slots = slots_of(len);
        let free = self.blocks.iter_mut().find_map(|block| block.take(slots));
        let start = free.unwrap_or_else(|| {
            let usual = if self.blocks.is_empty() {
                FIRST_BLOCK
            } else {
                BLOCK
            };
            let mut block = Block::new(usual.max(slots * SLOT));
            let start = block.take(slots).expect("a new block is large enough");
            self.blocks.push(block);
            start
        });
        Locked { start, len }
    }

    /// Unmaps a block that becomes free, except the first.
    fn give_back(&mut self, start: NonNull<u8>, len: usize) {
        for (index, block) in self.blocks.iter_mut().enumerate() {
            let offset = start.as_ptr() as usize;
            let offset = offset.wrapping_sub(block.pages.start().as_ptr() as usize);
            if offset >= block.pages.len() {
                continue;
            }
            let first = offset / SLOT;
            block.taken[first..first + slots_of(len)].fill(false);
            block.first_free = block.first_free.min(first);
            if index > 0 && !block.taken.contains(&true) {
                self.blocks.swap_remove(index);
            }
            return;
        }
    }
}

fn slots_of(len: usize) -> usize {
    len.div_ceil(SLOT).max(1)
}

impl Block {
    fn new(bytes: usize) -> Self {
        let pages = Pages::new(bytes);
        Self {
            taken: vec![false; pages.len() / SLOT],
            pages,
            first_free: 0,
        }
    }

    fn take(&mut self, slots: usize) -> Option<NonNull<u8>> {
        let mut run = 0;
        for at in self.first_free..self.taken.len() {
            run = if self.taken[at] { 0 } else { run + 1 };
            if run == slots {
                let first = at + 1 - slots;
                self.taken[first..=at].fill(true);
                if first == self.first_free {
                    self.first_free = at + 1;
                }
                // SAFETY: `first` is a slot of this block, so the offset lies within its pages.
                return Some(unsafe { self.pages.start().add(first * SLOT) });
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_what_is_asked_for_and_starts_at_zero() {
        for len in [0, 1, 63, 64, 65, 4096, 70_000, 1_100_000] {
            let mut bytes = Locked::new(len);
            assert_eq!(bytes.len(), len);
            assert!(bytes.iter().all(|&byte| byte == 0), "{len}");
            bytes.fill(0xA5);
        }
        let again = Locked::new(70_000);
        assert!(
            again.iter().all(|&byte| byte == 0),
            "given back without a wipe"
        );
    }

    #[test]
    fn runs_never_overlap() {
        let mut held: Vec<(u8, Locked)> = Vec::new();
        for round in 0..600_usize {
            let mark = u8::try_from(round % 251).unwrap();
            let mut bytes = Locked::new(round * 37 % 700);
            bytes.fill(mark);
            held.push((mark, bytes));
            if round % 3 == 0 {
                held.swap_remove(round * 13 % held.len());
            }
            for (mark, bytes) in &held {
                assert!(bytes.iter().all(|byte| byte == mark), "round {round}");
            }
        }
    }

    #[test]
    fn wiping_reaches_the_slots_themselves() {
        let mut bytes = Locked::new(100);
        bytes.fill(7);
        bytes.zeroize();
        assert!(bytes.iter().all(|&byte| byte == 0));
        assert!(usage().mapped > 0);
    }
}

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

/// In bytes. A token takes three or four slots.
const SLOT: usize = 16;
/// Slots in a word of the map of a block.
const WORD: usize = 64;
/// The first block is small: it is all that a single `get` needs, and locking costs by the page.
const FIRST_BLOCK: usize = 4 * 1024;
const BLOCK: usize = 64 * 1024;
/// Unless more is taken at once.
const LARGEST_BLOCK: usize = 1024 * 1024;

static ARENA: Mutex<Arena> = Mutex::new(Arena::new());

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
        Self {
            start: arena().take(len),
            len,
        }
    }
}

impl Locked {
    /// The slots, which are not shared with other values.
    #[allow(clippy::cast_ptr_alignment)]
    #[cfg(not(no_wipe))]
    fn words(&mut self) -> &mut [u64] {
        let start = self.start.as_ptr().cast::<u64>();
        let count = slots_of(self.len) * SLOT / size_of::<u64>();
        // SAFETY: as in `deref_mut`, for the rest of the last slot too. A slot begins at a multiple of 16.
        unsafe { slice::from_raw_parts_mut(start, count) }
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
        // Whole slots: words are wiped eight times as fast as bytes.
        #[cfg(not(no_wipe))]
        self.words().zeroize();
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
    /// In the order of their addresses.
    blocks: Vec<Block>,
}

/// Pages and their free slots.
struct Block {
    pages: Pages,
    /// One bit for each slot. A page has a multiple of 64 slots.
    taken: Box<[u64]>,
    /// No word before this one has a free slot.
    first_free: usize,
    /// The number of free slots.
    free: usize,
    /// No free run is longer than this.
    longest: usize,
}

fn arena() -> MutexGuard<'static, Arena> {
    // A panic elsewhere cannot leave the map half-written: it is changed by plain stores only.
    ARENA.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Arena {
    const fn new() -> Self {
        Self { blocks: Vec::new() }
    }

    /// Takes the slots of `len` bytes. Blocks grow with the arena, so that there are few of them.
    fn take(&mut self, len: usize) -> NonNull<u8> {
        let slots = slots_of(len);
        for block in &mut self.blocks {
            if let Some(start) = block.take(slots) {
                return start;
            }
        }
        let mapped: usize = self.blocks.iter().map(|block| block.pages.len()).sum();
        let usual = if mapped == 0 {
            FIRST_BLOCK
        } else {
            (mapped / 4).clamp(BLOCK, LARGEST_BLOCK)
        };
        let mut block = Block::new(usual.max(slots * SLOT));
        let start = block.take(slots).expect("a new block is large enough");
        let at = self.blocks_up_to(start);
        self.blocks.insert(at, block);
        start
    }

    fn give_back(&mut self, start: NonNull<u8>, len: usize) {
        let at = self.blocks_up_to(start) - 1;
        let block = &mut self.blocks[at];
        block.give_back(start, slots_of(len));
        if block.is_empty() {
            self.unmap_beside(at);
        }
    }

    /// Keeps one empty block for the next slots that are taken: the smaller one of the block `at` and another empty block.
    fn unmap_beside(&mut self, at: usize) {
        let mut others = (0..self.blocks.len()).filter(|&other| other != at);
        if let Some(other) = others.find(|&other| self.blocks[other].is_empty()) {
            let larger = [at, other]
                .into_iter()
                .max_by_key(|&at| self.blocks[at].pages.len());
            self.blocks.remove(larger.unwrap_or(at));
        } else if self.blocks[at].pages.len() > LARGEST_BLOCK {
            self.blocks.remove(at);
        }
    }

    /// The number of blocks that begin at `address` or before.
    fn blocks_up_to(&self, address: NonNull<u8>) -> usize {
        self.blocks
            .partition_point(|block| block.pages.start() <= address)
    }
}

fn slots_of(len: usize) -> usize {
    len.div_ceil(SLOT).max(1)
}

impl Block {
    fn new(bytes: usize) -> Self {
        let pages = Pages::new(bytes);
        let slots = pages.len() / SLOT;
        Self {
            pages,
            taken: vec![0; slots / WORD].into_boxed_slice(),
            first_free: 0,
            free: slots,
            longest: slots,
        }
    }

    fn is_empty(&self) -> bool {
        self.free == self.taken.len() * WORD
    }

    fn take(&mut self, slots: usize) -> Option<NonNull<u8>> {
        if slots > self.longest {
            return None;
        }
        let first = self.find(slots)?;
        self.mark(first, slots, true);
        self.free -= slots;
        while self.taken.get(self.first_free) == Some(&u64::MAX) {
            self.first_free += 1;
        }
        // SAFETY: `first` is a slot of this block, so the offset lies within its pages.
        Some(unsafe { self.pages.start().add(first * SLOT) })
    }

    fn give_back(&mut self, start: NonNull<u8>, slots: usize) {
        let offset = start.as_ptr() as usize - self.pages.start().as_ptr() as usize;
        let first = offset / SLOT;
        self.mark(first, slots, false);
        self.free += slots;
        self.first_free = self.first_free.min(first / WORD);
        let run = self.free_before(first) + self.free_from(first);
        self.longest = self.longest.max(run);
    }

    /// Returns the first slot of a free run; without one, notes the length of the longest run.
    fn find(&mut self, slots: usize) -> Option<usize> {
        let (mut run, mut longest) = (0, 0);
        for at in self.first_free..self.taken.len() {
            let mut bit = 0;
            while bit < WORD {
                let rest = self.taken[at] >> bit;
                let free = (rest.trailing_zeros() as usize).min(WORD - bit);
                (run, bit) = (run + free, bit + free);
                if run >= slots {
                    return Some(at * WORD + bit - run);
                }
                if bit < WORD {
                    longest = longest.max(run);
                    run = 0;
                    bit += (self.taken[at] >> bit).trailing_ones() as usize;
                }
            }
        }
        self.longest = longest.max(run);
        None
    }

    fn mark(&mut self, first: usize, slots: usize, is_taken: bool) {
        let (mut at, end) = (first, first + slots);
        while at < end {
            let count = (WORD - at % WORD).min(end - at);
            let mask = (u64::MAX >> (WORD - count)) << (at % WORD);
            if is_taken {
                self.taken[at / WORD] |= mask;
            } else {
                self.taken[at / WORD] &= !mask;
            }
            at += count;
        }
    }

    /// The number of free slots in a row from `first` on.
    fn free_from(&self, first: usize) -> usize {
        let mut at = first;
        while at < self.taken.len() * WORD {
            let rest = self.taken[at / WORD] >> (at % WORD);
            if rest != 0 {
                return at + rest.trailing_zeros() as usize - first;
            }
            at += WORD - at % WORD;
        }
        at - first
    }

    /// The number of free slots in a row before `end`.
    fn free_before(&self, end: usize) -> usize {
        let mut at = end;
        while at > 0 {
            let last = at - 1;
            let rest = self.taken[last / WORD] << (WORD - 1 - last % WORD);
            if rest != 0 {
                return end - at + rest.leading_zeros() as usize;
            }
            at = last - last % WORD;
        }
        end
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
    fn a_free_slot_is_found_again_in_any_block() {
        let mut arena = Arena::new();
        let mut held: Vec<(NonNull<u8>, usize)> = Vec::new();
        for round in 0..40_000_usize {
            let len = round * 37 % 700;
            held.push((arena.take(len), len));
            if round % 3 > 0 {
                let (start, len) = held.swap_remove(round * 7919 % held.len());
                arena.give_back(start, len);
            }
        }
        let mut runs: Vec<_> = held
            .iter()
            .map(|(start, len)| (start.as_ptr() as usize, slots_of(*len) * SLOT))
            .collect();
        runs.sort_unstable();
        assert!(
            runs.windows(2)
                .all(|pair| pair[0].0 + pair[0].1 <= pair[1].0)
        );
        for block in &mut arena.blocks {
            let taken: u32 = block.taken.iter().map(|word| word.count_ones()).sum();
            assert_eq!(block.free + taken as usize, block.taken.len() * WORD);
            let bound = block.longest;
            assert_eq!(block.find(usize::MAX), None);
            assert!(block.longest <= bound, "a free run is not found");
        }
        let mapped: usize = arena.blocks.iter().map(|block| block.pages.len()).sum();
        let taken: usize = runs.iter().map(|run| run.1).sum();
        assert!(mapped < taken * 3 / 2, "{mapped} bytes for {taken}");
    }

    #[test]
    fn one_empty_block_stays_and_it_is_a_small_one() {
        let mut arena = Arena::new();
        let held: Vec<_> = (0..100_000).map(|_| arena.take(40)).collect();
        assert!(arena.blocks.len() < 20, "{}", arena.blocks.len());
        for start in held {
            arena.give_back(start, 40);
        }
        let lengths: Vec<_> = arena.blocks.iter().map(|block| block.pages.len()).collect();
        assert_eq!(lengths, [FIRST_BLOCK]);
        let large = arena.take(2 * LARGEST_BLOCK);
        assert_eq!(arena.blocks.len(), 2);
        arena.give_back(large, 2 * LARGEST_BLOCK);
        assert_eq!(arena.blocks.len(), 1);
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

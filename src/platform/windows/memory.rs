//! Memory that is kept from the page file and from crash dumps.
#![allow(unsafe_code)]

use std::ptr::{self, NonNull};

use windows_sys::Win32::System::Diagnostics::Debug::{
    SEM_FAILCRITICALERRORS, SEM_NOGPFAULTERRORBOX, SetErrorMode,
};
use windows_sys::Win32::System::ErrorReporting::{WER_FAULT_REPORTING_FLAG_NOHEAP, WerSetFlags};
use windows_sys::Win32::System::Memory::{
    MEM_COMMIT, MEM_RELEASE, MEM_RESERVE, PAGE_READWRITE, VirtualAlloc, VirtualFree, VirtualLock,
};
use windows_sys::Win32::System::Threading::{
    GetCurrentProcess, GetProcessWorkingSetSize, SetProcessWorkingSetSize,
};

/// In bytes: the page of every processor that Windows runs on.
const PAGE: usize = 4096;

/// Memory straight from the system, locked where the working set allows it.
pub struct Pages {
    start: NonNull<u8>,
    len: usize,
    locked: bool,
}

// SAFETY: the pages belong to this value alone and are not tied to a thread.
unsafe impl Send for Pages {}

impl Pages {
    /// Maps at least `bytes` zero bytes, in whole pages.
    ///
    /// # Panics
    /// If the system gives no memory.
    pub fn new(bytes: usize) -> Self {
        let len = bytes.next_multiple_of(PAGE);
        // SAFETY: new pages at an address of the system's choice touch nothing that exists.
        let start =
            unsafe { VirtualAlloc(ptr::null(), len, MEM_COMMIT | MEM_RESERVE, PAGE_READWRITE) };
        let start = NonNull::new(start.cast::<u8>()).expect("no memory");
        let locked = lock(start, len) || (grow_working_set(len) && lock(start, len));
        Self { start, len, locked }
    }

    /// The first byte.
    pub fn start(&self) -> NonNull<u8> {
        self.start
    }

    /// Bytes, a multiple of the page size.
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether the system agreed to keep them out of the page file.
    pub fn is_locked(&self) -> bool {
        self.locked
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: the pages are ours, whole, and no reference into them is left: `Locked` keeps its block alive.
        unsafe { VirtualFree(self.start.as_ptr().cast(), 0, MEM_RELEASE) };
    }
}

fn lock(start: NonNull<u8>, len: usize) -> bool {
    // SAFETY: the range is the pages just made.
    unsafe { VirtualLock(start.as_ptr().cast(), len) != 0 }
}

/// Raises the limit of locked pages, the minimum of the working set (`VirtualLock`, remarks).
fn grow_working_set(bytes: usize) -> bool {
    let (mut least, mut most) = (0, 0);
    // SAFETY: both are valid places for the answer, and the handle stands for this process.
    unsafe {
        let this = GetCurrentProcess();
        GetProcessWorkingSetSize(this, &raw mut least, &raw mut most) != 0
            && SetProcessWorkingSetSize(this, least + bytes, most + bytes) != 0
    }
}

/// Does nothing: the system trims the pages of an idle process by itself.
pub fn drop_program_pages() {}

/// No error window that waits for a person, and no heap in a crash report.
pub fn harden() {
    // SAFETY: neither takes a pointer.
    unsafe {
        SetErrorMode(SEM_FAILCRITICALERRORS | SEM_NOGPFAULTERRORBOX);
        WerSetFlags(WER_FAULT_REPORTING_FLAG_NOHEAP);
    }
}

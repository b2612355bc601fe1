//! Memory that is kept from swap and core files.
#![allow(unsafe_code)]

use std::ptr::{self, NonNull};

use rustix::mm::{MapFlags, ProtFlags, mlock, mmap_anonymous, munmap};
use rustix::process::{Resource, Rlimit, setrlimit};

/// In bytes: a huge page of most systems, which costs one page fault in place of 512.
#[cfg(target_os = "linux")]
const HUGE: usize = 2 * 1024 * 1024;

/// Memory straight from the system: locked where the limits allow it, and in no core file.
pub struct Pages {
    start: NonNull<u8>,
    len: usize,
    locked: bool,
}

/// In bytes.
fn page_size() -> usize {
    // Linux hands the size to each program: sysconf(3) would cost a page fault for its tables.
    // SAFETY: the call takes no pointer.
    #[cfg(target_os = "linux")]
    let size = unsafe { libc::getauxval(libc::AT_PAGESZ) };
    // SAFETY: the call takes no pointer.
    #[cfg(not(target_os = "linux"))]
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    let size = usize::try_from(size).ok().filter(|size| *size > 0);
    size.unwrap_or(4096)
}

// SAFETY: the mapping belongs to this value alone and is not tied to a thread.
unsafe impl Send for Pages {}

impl Pages {
    /// Maps at least `bytes` zero bytes, in whole pages.
    ///
    /// # Panics
    /// If the system gives no memory.
    pub fn new(bytes: usize) -> Self {
        let len = bytes.next_multiple_of(page_size());
        // SAFETY: a new anonymous mapping at an address of the system's choice touches nothing that exists.
        let start = unsafe {
            mmap_anonymous(
                ptr::null_mut(),
                len,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::PRIVATE,
            )
        };
        let start = start
            .ok()
            .and_then(|start| NonNull::new(start.cast::<u8>()))
            .expect("no memory");
        #[cfg(target_os = "linux")]
        if len >= HUGE {
            let advice = rustix::mm::Advice::LinuxHugepage;
            // SAFETY: the range is the mapping just made, and the advice changes no byte. A kernel without huge pages fails.
            let _ = unsafe { rustix::mm::madvise(start.as_ptr().cast(), len, advice) };
        }
        // SAFETY: the range is the mapping just made.
        let locked = unsafe { mlock(start.as_ptr().cast(), len) }.is_ok();
        #[cfg(target_os = "linux")]
        for advice in [
            rustix::mm::Advice::LinuxDontDump,
            rustix::mm::Advice::LinuxDontFork,
        ] {
            // SAFETY: the range is the mapping just made, and neither advice changes its bytes. An older kernel that
            // does not know one leaves the pages as they are; PR_SET_DUMPABLE still holds.
            let _ = unsafe { rustix::mm::madvise(start.as_ptr().cast(), len, advice) };
        }
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

    /// Whether the system agreed to keep them out of swap (`RLIMIT_MEMLOCK` may forbid it).
    pub fn is_locked(&self) -> bool {
        self.locked
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, whole, and no reference into it is left: `Locked` keeps its block alive.
        let _ = unsafe { munmap(self.start.as_ptr().cast(), self.len) };
    }
}

/// Unmaps the pages of the program's code and constants, which the system maps again from its cache where they are used. Those
/// that only the start needed then count no longer as this process's memory.
#[cfg(target_os = "linux")]
pub fn drop_program_pages() {
    // SAFETY: the callback takes no data, and lives as long as the call.
    unsafe { libc::dl_iterate_phdr(Some(drop_segments), ptr::null_mut()) };
}

/// Does nothing: elsewhere the system does not tell where the program lies.
#[cfg(not(target_os = "linux"))]
pub fn drop_program_pages() {}

/// Unmaps the segments of one object that are never written. Relocated constants lie in a segment that is writable at first.
#[cfg(target_os = "linux")]
unsafe extern "C" fn drop_segments(
    object: *mut libc::dl_phdr_info,
    _size: libc::size_t,
    _data: *mut libc::c_void,
) -> libc::c_int {
    let page = page_size();
    // SAFETY: the system passes a valid object, whose headers are mapped for as long as the object is.
    let (base, headers) = unsafe {
        let object = &*object;
        let count = usize::from(object.dlpi_phnum);
        (
            object.dlpi_addr,
            std::slice::from_raw_parts(object.dlpi_phdr, count),
        )
    };
    for header in headers {
        if header.p_type != libc::PT_LOAD || header.p_flags & libc::PF_W != 0 {
            continue;
        }
        let (Ok(start), Ok(len)) = (
            usize::try_from(base.wrapping_add(header.p_vaddr)),
            usize::try_from(header.p_filesz),
        ) else {
            continue;
        };
        let first = start - start % page;
        let whole = (start + len).saturating_sub(first);
        // SAFETY: these pages are a private mapping of a file and were never written, so that they read the same again.
        let _ = unsafe {
            rustix::mm::madvise(
                ptr::without_provenance_mut(first),
                whole,
                rustix::mm::Advice::LinuxDontNeed,
            )
        };
    }
    0
}

/// Makes the tables read-only that need not change after the start (`PT_GNU_RELRO`). musl does so for dynamic programs only, and
/// glibc for all.
#[cfg(all(target_env = "musl", target_pointer_width = "64"))]
#[allow(clippy::cast_possible_truncation)]
pub(super) fn seal_tables() {
    let page = page_size();
    // SAFETY: the kernel passes the address and the number of the program's own headers (getauxval(3)).
    let headers: &[libc::Elf64_Phdr] = unsafe {
        let first = libc::getauxval(libc::AT_PHDR) as *const libc::Elf64_Phdr;
        if first.is_null() {
            return;
        }
        std::slice::from_raw_parts(first, libc::getauxval(libc::AT_PHNUM) as usize)
    };
    // Where the program lies, as opposed to where it was linked to lie.
    let place = |header: &libc::Elf64_Phdr| {
        let address = headers.as_ptr().addr();
        address.wrapping_sub(header.p_vaddr as usize)
    };
    let own = headers.iter().find(|header| header.p_type == libc::PT_PHDR);
    let base = own.map_or(0, place);
    for header in headers {
        if header.p_type != libc::PT_GNU_RELRO {
            continue;
        }
        let start = base.wrapping_add(header.p_vaddr as usize);
        let end = start.wrapping_add(header.p_memsz as usize);
        let (first, end) = (start - start % page, end - end % page);
        let len = end.saturating_sub(first);
        // SAFETY: the linker has put nothing into these pages that is written from now on.
        unsafe { libc::mprotect(ptr::without_provenance_mut(first), len, libc::PROT_READ) };
    }
}

/// Does nothing: the C library has done it.
#[cfg(not(all(target_env = "musl", target_pointer_width = "64")))]
pub(super) fn seal_tables() {}

/// No core file, no tracing, no reading of our memory by other processes of the same user.
pub fn harden() {
    let _ = setrlimit(
        Resource::Core,
        Rlimit {
            current: Some(0),
            maximum: Some(0),
        },
    );
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
    #[cfg(target_os = "macos")]
    // SAFETY: PT_DENY_ATTACH takes no pointer.
    unsafe {
        libc::ptrace(libc::PT_DENY_ATTACH, 0, ptr::null_mut(), 0);
    }
}

//! The map of the evidence file and the guard that keeps reading it from ending the process.
//!
//! A page of a map that cannot be read raises SIGBUS: another program cut the file, or the disk has a
//! bad sector. The handler puts a page of zeros there and notes it.
//!
//! **Invariant:** all `unsafe` code of the crate is in this file.

// Mapping a file, the signal handler and madvise have no safe form.
#![allow(unsafe_code)]

use memmap2::{Mmap, MmapOptions};
use std::fs::File;
use std::io;

/// Lets the allocator of glibc map each allocation of a megabyte or more by itself. Its own limit grows up to 32 MB when
/// such allocations are freed. Then long lists grow between small allocations, and what they leave cannot be used again
/// nor given back: up to a third of the memory of a run.
fn keep_large_allocations_apart() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        const MAPPED_BYTES: libc::c_int = 1 << 20;
        // SAFETY: `mallopt` sets two numbers of the allocator under its lock.
        unsafe {
            libc::mallopt(libc::M_MMAP_THRESHOLD, MAPPED_BYTES);
            libc::mallopt(libc::M_TRIM_THRESHOLD, MAPPED_BYTES);
        }
    }
}

/// A read-only map of a file under the SIGBUS handler.
#[derive(Debug)]
pub(super) struct GuardedMap {
    // Before the map: dropped first, so that no fault is claimed for addresses already given back.
    guard: sigbus::Guard,
    map: Mmap,
}

impl GuardedMap {
    /// Maps the first `len` bytes of a file. Installs the SIGBUS handler of the process at the first
    /// call, and settles its allocator.
    pub(super) fn new(file: &File, len: usize) -> io::Result<Self> {
        sigbus::install()?;
        keep_large_allocations_apart();
        // SAFETY: the map is read-only and as long as the file was. Another program may still change
        // the bytes or cut the file. Cutting is handled by the guard. Changed bytes are what every
        // program that maps a file lives with: all reads are bounds-checked by the length of the map,
        // and a text that another process changes after its check can come out garbled.
        let map = unsafe { MmapOptions::new().len(len).map(file)? };
        let guard = sigbus::Guard::new(&map)?;
        Ok(Self { guard, map })
    }

    /// All mapped bytes; zeros where reading failed.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.map
    }

    /// The offsets of the pages that were replaced by zeros, ascending.
    pub(super) fn zeroed(&self) -> impl Iterator<Item = u64> {
        self.guard.zeroed()
    }

    /// How many pages were replaced by zeros.
    pub(super) fn zeroed_count(&self) -> usize {
        self.guard.count()
    }

    /// Whether a page of these bytes was replaced by zeros.
    pub(super) fn is_any_zeroed(&self, offset: u64, len: u64) -> bool {
        self.guard.any_zeroed(offset, len)
    }

    /// Tells the system that the file will be read from front to back.
    pub(super) fn advise_sequential(&self) {
        // Advice: there is nothing to do if it is not taken.
        #[cfg(unix)]
        let _ = self.map.advise(memmap2::Advice::Sequential);
    }

    /// Makes pages resident in one go: half as fast again as a fault for every few of them. Pages
    /// that cannot be read make it fail, without a signal; reading them then raises it.
    pub(super) fn prefetch(&self, _offset: usize, _len: usize) {
        #[cfg(target_os = "linux")]
        let _ = self
            .map
            .advise_range(memmap2::Advice::PopulateRead, _offset, _len);
    }

    /// Gives resident pages back to the system.
    #[cfg(unix)]
    pub(super) fn forget(&self, offset: usize, len: usize) {
        let advice = memmap2::UncheckedAdvice::DontNeed;
        // SAFETY: the map is shared, read-only and of a file: a page that is dropped comes back
        // with the same bytes from the file. A page of zeros put there by the handler is anonymous,
        // was never written, and so comes back as zeros. Failure leaves all as it was.
        let _ = unsafe { self.map.unchecked_advise_range(advice, offset, len) };
    }

    /// There is no madvise on this system.
    #[cfg(not(unix))]
    pub(super) fn forget(&self, _offset: usize, _len: usize) {}
}

/// The length in bytes of a page of the system.
pub(super) fn page_len() -> usize {
    sigbus::page_len()
}

/// The first byte of a file from `offset` on that is in no hole, by lseek(2) with `SEEK_DATA`. None if
/// only a hole follows; `offset` itself if the system or the file system does not support holes.
pub(super) fn next_data(_file: &File, offset: u64) -> Option<u64> {
    #[cfg(any(target_os = "linux", target_os = "macos", target_os = "freebsd"))]
    {
        use std::os::fd::AsRawFd as _;
        let from = libc::off_t::try_from(offset).ok()?;
        // SAFETY: asks about our own open file, whose position nothing else uses.
        let found = unsafe { libc::lseek(_file.as_raw_fd(), from, libc::SEEK_DATA) };
        if let Ok(found) = u64::try_from(found) {
            return Some(found);
        }
        if io::Error::last_os_error().raw_os_error() == Some(libc::ENXIO) {
            return None;
        }
    }
    Some(offset)
}

/// The SIGBUS handler and the data that it needs.
///
/// The handler may run between any two instructions of any thread, so it takes no lock, allocates
/// nothing and reads only atomics and data that never change: the list of maps is of nodes which
/// are made once, put in front, and never freed (56 bytes for every file opened in the life of
/// the process).
#[cfg(unix)]
mod sigbus {
    use memmap2::MmapMut;
    use std::io;
    use std::ptr;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU8, AtomicUsize, Ordering};

    /// One map, for the handler.
    #[derive(Debug)]
    struct Node {
        /// First address: on a page.
        start: usize,
        /// Length in bytes, up to the end of the last page.
        len: usize,
        page_len: usize,
        /// One bit for each page that was replaced, lowest bit first.
        bits: AtomicPtr<u8>,
        /// How many bits are set.
        count: AtomicUsize,
        /// How many runs of replaced pages there are, at most.
        separate: AtomicUsize,
        /// Not yet given back.
        live: AtomicBool,
        /// The map opened before this one.
        next: *const Node,
    }

    // SAFETY: `next` never changes once the node is shared, and what it points to is never freed.
    unsafe impl Sync for Node {}

    static NEWEST: AtomicPtr<Node> = AtomicPtr::new(ptr::null_mut());
    static PREVIOUS: AtomicPtr<libc::sigaction> = AtomicPtr::new(ptr::null_mut());

    /// How many separate runs of pages are replaced before the rest of the file is given up. Linux lets
    /// a process have 65,530 maps unless set otherwise; at that limit nothing can be replaced at all.
    const MOST_SEPARATE: usize = 16_384;

    /// Keeps a map known to the handler as long as it lives; to be dropped before the map.
    #[derive(Debug)]
    pub(super) struct Guard {
        node: &'static Node,
        /// What `node.bits` points into: memory of zeros which costs nothing until a bit is set.
        bits: MmapMut,
    }

    impl Guard {
        pub(super) fn new(map: &[u8]) -> io::Result<Self> {
            let page_len = page_len();
            let pages = map.len().div_ceil(page_len);
            let mut bits = MmapMut::map_anon(pages.div_ceil(8))?;
            let node = Box::leak(Box::new(Node {
                start: map.as_ptr().addr(),
                len: pages.saturating_mul(page_len),
                page_len,
                bits: AtomicPtr::new(bits.as_mut_ptr()),
                count: AtomicUsize::new(0),
                separate: AtomicUsize::new(0),
                live: AtomicBool::new(true),
                next: ptr::null(),
            }));
            let mut newest = NEWEST.load(Ordering::Acquire);
            loop {
                node.next = newest;
                let swap =
                    NEWEST.compare_exchange_weak(newest, node, Ordering::AcqRel, Ordering::Acquire);
                match swap {
                    Ok(_) => return Ok(Self { node, bits }),
                    Err(now) => newest = now,
                }
            }
        }

        pub(super) fn count(&self) -> usize {
            self.node.count.load(Ordering::Acquire)
        }

        /// The offsets of the replaced pages, ascending.
        pub(super) fn zeroed(&self) -> impl Iterator<Item = u64> {
            let pages = if self.count() == 0 {
                0
            } else {
                self.node.len / self.node.page_len
            };
            (0..pages)
                .filter(|&page| self.is_zeroed(page))
                .filter_map(|page| u64::try_from(page.checked_mul(self.node.page_len)?).ok())
        }

        pub(super) fn any_zeroed(&self, offset: u64, len: u64) -> bool {
            if self.count() == 0 || len == 0 {
                return false;
            }
            let page_of = |offset: u64| usize::try_from(offset).map(|at| at / self.node.page_len);
            let last = offset.saturating_add(len - 1);
            let pages = self.node.len / self.node.page_len;
            let (Ok(first), Ok(last)) = (page_of(offset), page_of(last)) else {
                return false;
            };
            (first..=last.min(pages.saturating_sub(1))).any(|page| self.is_zeroed(page))
        }

        fn is_zeroed(&self, page: usize) -> bool {
            if page / 8 >= self.bits.len() {
                return false;
            }
            self.node.is_replaced(page)
        }
    }

    impl Drop for Guard {
        fn drop(&mut self) {
            // After this the addresses may come to mean something else. A handler that has already
            // passed this test meets the newer map of the same addresses first in the list.
            self.node.live.store(false, Ordering::Release);
        }
    }

    impl Node {
        /// The byte with the bit of a page; none beyond the map.
        fn bits_of(&self, page: usize) -> Option<&AtomicU8> {
            if page >= self.len / self.page_len {
                return None;
            }
            let byte = self.bits.load(Ordering::Acquire).wrapping_add(page / 8);
            // SAFETY: the memory has a bit for every page of the map, and all access to it is
            // atomic. It lives as long as the `Guard`; the handler comes here only for a fault in
            // the map, which is read through the `Source` that owns the `Guard`.
            Some(unsafe { AtomicU8::from_ptr(byte) })
        }

        /// Replaces the page of a faulting address. False if the system refuses.
        fn replace(&self, address: usize) -> bool {
            let first = (address - self.start) / self.page_len;
            // A replaced page between good ones makes two more maps of the process, which may have
            // only a limited number of them. Losing the rest of the file is better than losing the run.
            let lone = first == 0 || !self.is_replaced(first - 1);
            let many = lone && self.separate.fetch_add(1, Ordering::AcqRel) >= MOST_SEPARATE;
            if !many && self.map_zeros(first, 1) {
                return true;
            }
            self.map_zeros(first, self.len / self.page_len - first)
        }

        fn is_replaced(&self, page: usize) -> bool {
            self.bits_of(page)
                .is_some_and(|byte| byte.load(Ordering::Acquire) >> (page % 8) & 1 == 1)
        }

        fn map_zeros(&self, first: usize, pages: usize) -> bool {
            let start = self.start + first * self.page_len;
            // SAFETY: the addresses are whole pages of our own live map, which nobody else uses;
            // the new memory is readable as the old was, and is given back with the map.
            let got = unsafe {
                libc::mmap(
                    ptr::without_provenance_mut(start),
                    pages * self.page_len,
                    libc::PROT_READ,
                    libc::MAP_PRIVATE | libc::MAP_ANON | libc::MAP_FIXED,
                    -1,
                    0,
                )
            };
            if got == libc::MAP_FAILED {
                return false;
            }
            for page in first..first + pages {
                let bit = 1 << (page % 8);
                let byte = self.bits_of(page);
                // Two threads can fault on one page at once; it is counted once.
                if byte.is_some_and(|byte| byte.fetch_or(bit, Ordering::AcqRel) & bit == 0) {
                    self.count.fetch_add(1, Ordering::AcqRel);
                }
            }
            true
        }
    }

    /// The live map with this address.
    fn find(address: usize) -> Option<&'static Node> {
        let mut at = NEWEST.load(Ordering::Acquire).cast_const();
        // SAFETY: the list has only nodes that are never freed, complete before they were put in.
        while let Some(node) = unsafe { at.as_ref() } {
            let inside = address.wrapping_sub(node.start) < node.len;
            if inside && node.live.load(Ordering::Acquire) {
                return Some(node);
            }
            at = node.next;
        }
        None
    }

    /// Whether a signal with this code was sent by a process and is no fault of memory.
    const fn is_sent(code: libc::c_int) -> bool {
        if cfg!(target_os = "linux") {
            code <= 0
        } else {
            // SI_USER of the BSDs and macOS, which libc does not name.
            code == 0x1_0001
        }
    }

    /// The handler. Upstream of its rules: signal-safety(7).
    extern "C" fn on_sigbus(
        _signal: libc::c_int,
        info: *mut libc::siginfo_t,
        _context: *mut libc::c_void,
    ) {
        // SAFETY: the kernel gives a valid `info` to a handler installed with SA_SIGINFO.
        let (code, address) = unsafe { ((*info).si_code, (*info).si_addr().addr()) };
        let sent_by_a_process = is_sent(code);
        let error = errno();
        let handled = !sent_by_a_process && find(address).is_some_and(|node| node.replace(address));
        set_errno(error);
        if !handled {
            hand_on(sent_by_a_process);
        }
    }

    /// Leaves the signal to whoever had it before us: a fault happens again on return, a signal that
    /// was sent must be sent again.
    fn hand_on(sent_by_a_process: bool) {
        // SAFETY: `PREVIOUS` was set before the handler was installed and is never freed; both
        // calls are async-signal-safe.
        unsafe {
            libc::sigaction(
                libc::SIGBUS,
                PREVIOUS.load(Ordering::Acquire),
                ptr::null_mut(),
            );
            if sent_by_a_process {
                libc::raise(libc::SIGBUS);
            }
        }
    }

    #[cfg(any(target_os = "linux", target_os = "macos"))]
    fn errno_place() -> *mut libc::c_int {
        // SAFETY: always callable; gives the place of this thread's errno.
        #[cfg(target_os = "linux")]
        return unsafe { libc::__errno_location() };
        // SAFETY: the same by its other name.
        #[cfg(target_os = "macos")]
        return unsafe { libc::__error() };
    }

    /// The failure of the last system call, which the interrupted code may be about to look at.
    fn errno() -> libc::c_int {
        #[cfg(any(target_os = "linux", target_os = "macos"))]
        // SAFETY: the place is this thread's own.
        return unsafe { *errno_place() };
        #[cfg(not(any(target_os = "linux", target_os = "macos")))]
        0
    }

    fn set_errno(_error: libc::c_int) {
        #[cfg(any(target_os = "linux", target_os = "macos"))]
        // SAFETY: the place is this thread's own.
        unsafe {
            *errno_place() = _error;
        }
    }

    /// Installs the handler, once in a process.
    pub(super) fn install() -> io::Result<()> {
        static INSTALLED: OnceLock<Result<(), i32>> = OnceLock::new();
        INSTALLED
            .get_or_init(|| try_install().map_err(|error| error.raw_os_error().unwrap_or(0)))
            .map_err(io::Error::from_raw_os_error)
    }

    fn try_install() -> io::Result<()> {
        // SAFETY: an all-zero sigaction is a valid value of the C struct.
        let (mut previous, mut ours): (libc::sigaction, libc::sigaction) =
            unsafe { (std::mem::zeroed(), std::mem::zeroed()) };
        // SAFETY: only asks for the disposition, into a struct of ours.
        if unsafe { libc::sigaction(libc::SIGBUS, ptr::null(), &raw mut previous) } != 0 {
            return Err(io::Error::last_os_error());
        }
        // Kept for ever: the handler may need it at any time.
        PREVIOUS.store(Box::leak(Box::new(previous)), Ordering::Release);
        ours.sa_sigaction = on_sigbus as *const () as usize;
        // The alternate stack, because another owner of SIGBUS (Rust's own, for an overflow of the
        // stack) may need it when we hand on.
        ours.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
        // SAFETY: the handler has the signature that SA_SIGINFO asks for, and keeps to what is
        // allowed in a handler.
        let failed = unsafe {
            libc::sigemptyset(&raw mut ours.sa_mask);
            libc::sigaction(libc::SIGBUS, &raw const ours, ptr::null_mut())
        };
        if failed != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(())
    }

    /// The length of the system's pages, asked once.
    pub(super) fn page_len() -> usize {
        static PAGE_LEN: OnceLock<usize> = OnceLock::new();
        *PAGE_LEN.get_or_init(|| {
            // SAFETY: always callable.
            let answer = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
            // It cannot fail by POSIX; the least page there is would still be right on a page.
            usize::try_from(answer)
                .ok()
                .filter(|&len| len > 0)
                .unwrap_or(4096)
        })
    }
}

/// Systems without SIGBUS: a page that cannot be read ends the process (Windows does not let
/// another program cut a mapped file, but a disk can still fail).
#[cfg(not(unix))]
mod sigbus {
    use std::io;

    #[derive(Debug)]
    pub(super) struct Guard;

    impl Guard {
        pub(super) fn new(_map: &[u8]) -> io::Result<Self> {
            Ok(Self)
        }

        pub(super) fn count(&self) -> usize {
            0
        }

        pub(super) fn zeroed(&self) -> impl Iterator<Item = u64> {
            std::iter::empty()
        }

        pub(super) fn any_zeroed(&self, _offset: u64, _len: u64) -> bool {
            false
        }
    }

    pub(super) fn install() -> io::Result<()> {
        Ok(())
    }

    pub(super) fn page_len() -> usize {
        4096
    }
}

#[cfg(all(test, unix))]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use crate::source::{Source, os_page_len};
    use std::fs::{self, OpenOptions};
    use std::os::unix::process::ExitStatusExt as _;
    use std::path::{Path, PathBuf};
    use std::process::Command;

    /// Set for a child: the file which it shall misuse.
    const CHILD: &str = "ETCDIVE_TEST_SOURCE_CHILD";

    /// Runs one test of this binary again in a child.
    fn run_child(test: &str, path: &Path) -> std::process::ExitStatus {
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--test-threads=1", test])
            .env(CHILD, path)
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .status()
            .unwrap()
    }

    fn two_pages(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("etcdive-{}-{name}", std::process::id()));
        fs::write(&path, vec![1; 2 * os_page_len()]).unwrap();
        path
    }

    #[test]
    fn a_fault_outside_our_maps_still_ends_the_process() {
        if let Some(path) = std::env::var_os(CHILD) {
            let ours = Source::open(&path).unwrap();
            let file = OpenOptions::new()
                .read(true)
                .write(true)
                .open(&path)
                .unwrap();
            // SAFETY: the child process is meant to die of reading this map.
            let other = unsafe { MmapOptions::new().map(&file).unwrap() };
            file.set_len(0).unwrap();
            assert_eq!(ours.bytes().first(), Some(&0));
            std::process::exit(i32::from(std::hint::black_box(&other)[0]));
        }
        let path = two_pages("foreign");
        let status = run_child(
            "source::guard::tests::a_fault_outside_our_maps_still_ends_the_process",
            &path,
        );
        fs::remove_file(path).unwrap();
        assert_eq!(status.signal(), Some(libc::SIGBUS), "{status}");
    }

    #[test]
    fn a_sigbus_that_was_sent_still_ends_the_process() {
        if let Some(path) = std::env::var_os(CHILD) {
            let _ours = Source::open(path).unwrap();
            // Rust's own handler, which had the signal before us, takes the first one that was sent
            // for a fault and gives up its place; the second meets the system's default.
            for _ in 0..2 {
                // SAFETY: raise has no conditions.
                unsafe { libc::raise(libc::SIGBUS) };
            }
            std::process::exit(0);
        }
        let path = two_pages("sent");
        let status = run_child(
            "source::guard::tests::a_sigbus_that_was_sent_still_ends_the_process",
            &path,
        );
        fs::remove_file(path).unwrap();
        assert_eq!(status.signal(), Some(libc::SIGBUS), "{status}");
    }
}

//! One lock for the process, for what lasts no longer than a look into a list.
//!
//! # Safety
//!
//! A [`Guard`] exists only while this thread holds the mutex, and there is one mutex: whoever has
//! `&mut Guard` is alone with everything that is [`Guarded`].
#![allow(unsafe_code)]

use std::cell::{Cell, UnsafeCell};
use std::marker::PhantomData;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering::Relaxed};

/// How long anybody waits for what takes microseconds.
const PATIENCE_SECONDS: i64 = 1;

struct Mutex(UnsafeCell<libc::pthread_mutex_t>);

// SAFETY: a mutex is there to be used by several threads.
unsafe impl Sync for Mutex {}

static MUTEX: Mutex = Mutex(UnsafeCell::new(libc::PTHREAD_MUTEX_INITIALIZER));

/// Process that locked last.
static OWNER: AtomicI32 = AtomicI32::new(0);
/// The lock was copied by a fork while it was held; what it guards can't be trusted.
static STUCK: AtomicBool = AtomicBool::new(false);
/// How often this process's memory was forked off.
static GENERATION: AtomicU64 = AtomicU64::new(0);
/// Whether fork(2) knows of the lock.
static ANNOUNCED: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// Whether this thread holds the lock because it is forking.
    static HELD_FOR_FORK: Cell<bool> = const { Cell::new(false) };
}

/// Proof that this thread holds the lock.
#[derive(Debug)]
pub struct Guard(PhantomData<*const ()>);

/// Something that only the holder of the lock gets at.
#[derive(Debug)]
pub(crate) struct Guarded<T>(UnsafeCell<T>);

// SAFETY: `get` needs the guard, of which there is one at a time.
unsafe impl<T: Send> Sync for Guarded<T> {}

impl<T> Guarded<T> {
    /// Puts it under the lock.
    pub(crate) const fn new(value: T) -> Self {
        Self(UnsafeCell::new(value))
    }

    /// What is there, for whoever is alone with it anyway.
    pub(crate) fn get_mut(&mut self) -> &mut T {
        self.0.get_mut()
    }

    /// What is under the lock, for as long as the guard isn't used otherwise.
    pub(crate) fn get<'a>(&'a self, _guard: &'a mut Guard) -> &'a mut T {
        // SAFETY: the only guard is borrowed for as long as the result lives.
        unsafe { &mut *self.0.get() }
    }
}

/// Takes the lock; `None` if it can't be had within a second.
///
/// A library that lives in somebody else's process can't know who forks, nor how. So:
///
/// - pthread_atfork(3) has fork(2) wait until nobody holds the lock, and the child start with a
///   free one;
/// - what forks without telling (`_Fork`, clone(2), fork in a signal handler that interrupted the
///   holder) may copy a lock that is held by a thread which doesn't exist in the copy. Nobody waits
///   longer than a second, therefore, and whoever finds such a lock works without what it guards.
///
/// It is a pthread mutex rather than Rust's, for what checks threads (helgrind, ThreadSanitizer)
/// knows those.
pub fn lock() -> Option<Guard> {
    if STUCK.load(Relaxed) {
        return None;
    }
    if !timed_lock() {
        if OWNER.load(Relaxed) != process() {
            STUCK.swap(true, Relaxed);
        }
        return None;
    }
    // Swapped rather than stored: helgrind takes the one for atomic, and the other for a race with
    // whoever looks after waiting in vain.
    OWNER.swap(process(), Relaxed);
    announce();
    Some(Guard(PhantomData))
}

/// Changes with every fork: what threads began in an earlier generation, nobody will finish here.
pub(crate) fn generation() -> u64 {
    GENERATION.load(Relaxed)
}

impl Drop for Guard {
    fn drop(&mut self) {
        unlock();
    }
}

fn timed_lock() -> bool {
    let mut until = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: room for the answer.
    unsafe { libc::clock_gettime(libc::CLOCK_REALTIME, &mut until) };
    until.tv_sec += PATIENCE_SECONDS;
    // SAFETY: the mutex is initialised and never destroyed.
    unsafe { libc::pthread_mutex_timedlock(MUTEX.0.get(), &until) == 0 }
}

fn unlock() {
    // SAFETY: only called by the thread that holds it.
    unsafe { libc::pthread_mutex_unlock(MUTEX.0.get()) };
}

/// Has fork(2) know of the lock, once. Under the lock, so that nobody else does the same.
fn announce() {
    if !ANNOUNCED.swap(true, Relaxed) {
        // SAFETY: three functions without preconditions of their own. If there is no memory for
        // them, forks go on untold, as others do.
        unsafe { libc::pthread_atfork(Some(before_fork), Some(in_parent), Some(in_child)) };
    }
}

unsafe extern "C" fn before_fork() {
    HELD_FOR_FORK.set(timed_lock());
}

unsafe extern "C" fn in_parent() {
    if HELD_FOR_FORK.replace(false) {
        unlock();
    }
}

unsafe extern "C" fn in_child() {
    GENERATION.fetch_add(1, Relaxed);
    if HELD_FOR_FORK.replace(false) {
        // SAFETY: this is the child's only thread, so nobody else is at the mutex. A new one
        // takes its place, as what waited for the old one isn't in this process.
        unsafe { MUTEX.0.get().write(libc::PTHREAD_MUTEX_INITIALIZER) };
    } else {
        STUCK.swap(true, Relaxed);
    }
}

fn process() -> i32 {
    // SAFETY: no precondition.
    unsafe { libc::getpid() }
}

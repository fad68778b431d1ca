//! The OpenSSL libraries of this process: which one a call is meant for; and whose an object is, told by the
//! functions and tables of its library that the object refers to.
//!
//! # Safety
//!
//! Tables are made from symbols of one object, which is never unloaded, and are never freed. OpenSSL keeps
//! its structures to itself, so their layout is read here as it has been since 1.1.0: the words that are
//! looked at are within the objects in every version that is known (1.1.1 to 4.0). A word that isn't what
//! it was taken for belongs to no library, or to the right one.
#![allow(unsafe_code)]

use std::cell::Cell;
use std::ffi::{CStr, c_void};
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};
use std::thread::LocalKey;

use bundle_cache::{X509Lookup, X509Store, lock};

use crate::loaded::{self, Definer};
use crate::setters;

/// A table of one library's functions. Those that its version doesn't have are `None`.
macro_rules! functions {
    ($(#[$doc:meta])* $table:ident {
        $($name:ident = $symbol:literal: fn($($argument:ty),*) $(-> $answer:ty)?;)*
    }) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub(crate) struct $table {
            $(pub(crate) $name: Option<unsafe extern "C" fn($($argument),*) $(-> $answer)?>,)*
        }

        impl $table {
            fn of(handle: *mut c_void) -> Self {
                Self {
                    $($name: {
                        let address = loaded::symbol(handle, $symbol);
                        // SAFETY: null becomes None; else it is the function of this name, whose
                        // type OpenSSL has not changed since it came.
                        unsafe { std::mem::transmute::<*const c_void, Option<_>>(address) }
                    },)*
                }
            }
        }
    };
}
pub(crate) use functions;

/// A library that this thread is in.
///
/// OpenSSL's own functions call each other by the names that this library stands in front of, some
/// of them by a jump, so that a call seems to come from here. Such a call isn't a load of its own,
/// and it is meant for the library that is running.
pub(crate) type Running<L> = LocalKey<Cell<Option<&'static L>>>;

/// Runs something in a library.
pub(crate) fn within<L, T>(
    running: &'static Running<L>,
    library: Option<&'static L>,
    run: impl FnOnce() -> T,
) -> T {
    let before = running.replace(library);
    let result = run();
    running.set(before);
    result
}

/// A kind of library: libcrypto or libssl.
pub(crate) trait Library: Sized + 'static {
    /// A symbol that every library of this kind defines, and no other.
    const MARK: &'static CStr;

    /// Its list.
    fn list() -> &'static LibraryList<Self>;

    /// Runs one of its own functions.
    fn run<T>(&'static self, run: impl FnOnce() -> T) -> T;

    /// Makes its table.
    fn open(definer: Definer) -> Self;

    /// What its symbols are marked with, so that references to another kind don't bind to them.
    fn major_version(&self) -> u64;

    /// The library that a call from `address` is meant for.
    ///
    /// With one of the kind in the process it is that one. With more, it is the one that the
    /// object belongs to which the call is about, and if that can't be told, what the dynamic
    /// linker would have bound the caller's reference to: the one in the global scope, if it is of
    /// the version that the caller's own scope has, else the latter.
    fn meant(
        address: *const c_void,
        belongs: impl Fn(&'static Self, usize) -> bool,
    ) -> Option<&'static Self> {
        let list = Self::list();
        list.update();
        let mut all = list.iter();
        let (first, second) = (all.next(), all.next());
        if second.is_none() {
            return first.map(|node| &node.library);
        }
        let owner = list.iter().find(|node| belongs(&node.library, node.base));
        if let Some(owner) = owner {
            return Some(&owner.library);
        }
        let at = |base: Option<usize>| list.iter().find(|node| Some(node.base) == base);
        let local = at(loaded::meant_locally(address, Self::MARK));
        let global = at(loaded::meant_globally(Self::MARK));
        let version = |node: &Node<Self>| node.library.major_version();
        let meant = match (local, global) {
            (Some(local), Some(global)) if version(local) == version(global) => Some(global),
            (local, global) => local.or(global),
        };
        meant.map(|node| &node.library)
    }
}

/// Libraries of one kind. It only grows, and may be read without the lock.
#[derive(Debug)]
pub(crate) struct LibraryList<L: 'static> {
    first: AtomicPtr<Node<L>>,
    /// What was loaded when the list was made; one more, so that 0 is never.
    generation: AtomicU64,
}

#[derive(Debug)]
struct Node<L: 'static> {
    base: usize,
    library: L,
    next: *const Node<L>,
}

impl<L: Library> LibraryList<L> {
    pub(crate) const fn new() -> Self {
        Self { first: AtomicPtr::new(ptr::null_mut()), generation: AtomicU64::new(0) }
    }

    fn iter(&self) -> impl Iterator<Item = &'static Node<L>> + use<L> {
        let guard = lock();
        let first = self.first.load(Ordering::Acquire);
        drop(guard);
        chain(first)
    }

    /// Adds what was loaded since the last call.
    fn update(&self) {
        // Looking at what is loaded takes a lock of the dynamic loader's, which a fork copies as it
        // is. It is only taken under our own, so that it is free in a child unless our own isn't.
        let guard = lock();
        if guard.is_none() && !self.first.load(Ordering::Acquire).is_null() {
            return;
        }
        let now = loaded::generation().wrapping_add(1);
        let up_to_date = self.generation.load(Ordering::Relaxed) == now;
        if !up_to_date {
            setters::look();
        }
        drop(guard);
        if up_to_date {
            return;
        }
        for definer in loaded::definers(L::MARK) {
            if self.iter().any(|node| node.base == definer.base) {
                continue;
            }
            self.add(definer.base, L::open(definer));
        }
        let _guard = lock();
        self.generation.swap(now, Ordering::Relaxed);
    }

    fn add(&self, base: usize, library: L) {
        let node = Box::into_raw(Box::new(Node { base, library, next: ptr::null() }));
        // Without the lock (see its module) a library may come in twice, with a cache each.
        let guard = lock();
        let first = self.first.load(Ordering::Acquire);
        // SAFETY: made above, and not published.
        unsafe { (*node).next = first };
        if chain(first).any(|node| node.base == base) {
            drop(guard);
            // SAFETY: made above, and not published.
            drop(unsafe { Box::from_raw(node) });
            return;
        }
        self.first.swap(node, Ordering::AcqRel);
    }
}

fn chain<L>(first: *const Node<L>) -> impl Iterator<Item = &'static Node<L>> {
    let mut next = first;
    std::iter::from_fn(move || {
        // SAFETY: null, or a node that was complete when it was published and is never freed.
        let node = unsafe { next.as_ref() }?;
        next = node.next;
        Some(node)
    })
}

type Word = *const c_void;

/// Base of the library that a store's list of objects is compared by.
///
/// # Safety
/// `store` is null or a live store of some OpenSSL.
///
/// # References
/// OpenSSL `crypto/x509/x509_local.h` (`x509_store_st`: its second word is the list),
/// `crypto/stack/stack.c` (`stack_st`: its fourth word is the function that compares).
pub(crate) unsafe fn owner_of_store(store: *const X509Store) -> Option<usize> {
    // SAFETY: as the caller promises.
    let list = unsafe { word(store.cast(), 1) }?;
    // SAFETY: a structure of four words or more, in every version.
    loaded::base_of(unsafe { word(list, 3) }?)
}

/// Base of the library that a lookup's method is a table of.
///
/// # Safety
/// `lookup` is null or a live lookup of some OpenSSL.
///
/// # References
/// OpenSSL `crypto/x509/x509_local.h` (`x509_lookup_st`: its second word is the method).
pub(crate) unsafe fn owner_of_lookup(lookup: *const X509Lookup) -> Option<usize> {
    // SAFETY: as the caller promises.
    loaded::base_of(unsafe { word(lookup.cast(), 1) }?)
}

/// A word of a structure; `None` if it is null, or the structure is.
unsafe fn word(structure: Word, at: usize) -> Option<Word> {
    if structure.is_null() {
        return None;
    }
    // SAFETY: the caller knows that the structure has so many words.
    let place = unsafe { structure.cast::<Word>().add(at) };
    // SAFETY: as above.
    let word = unsafe { *place };
    (!word.is_null()).then_some(word)
}

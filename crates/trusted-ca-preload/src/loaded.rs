//! What is loaded into this process, as the dynamic loader knows it.
//!
//! # Safety
//!
//! Calls into the dynamic loader with C strings and structures that live on this stack. A handle
//! that is kept keeps its object loaded.
#![allow(unsafe_code)]

use std::ffi::{CStr, CString, c_int, c_void};
use std::mem::{MaybeUninit, size_of};

/// A library that defines a symbol.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Definer {
    /// Where the object lies: what it is known by.
    pub(crate) base: usize,
    /// For dlsym(3). Never closed, so the object stays.
    pub(crate) handle: *mut c_void,
}

/// Changes whenever an object is loaded or unloaded.
pub(crate) fn generation() -> u64 {
    unsafe extern "C" fn first(
        info: *mut libc::dl_phdr_info,
        size: usize,
        answer: *mut c_void,
    ) -> c_int {
        // The counters came later than the structure; glibc 2.4 and musl 1.1.25 have them.
        if size >= size_of::<libc::dl_phdr_info>() {
            // SAFETY: the loader's structure, as large as it says.
            let info = unsafe { &*info };
            // SAFETY: the variable that was handed over below.
            unsafe { *answer.cast::<u64>() = info.dlpi_adds.wrapping_add(info.dlpi_subs) };
        }
        1
    }
    let mut generation = 0_u64;
    // SAFETY: a callback of the declared type, with a variable that outlives the call.
    unsafe { libc::dl_iterate_phdr(Some(first), (&raw mut generation).cast()) };
    generation
}

/// The objects that define a symbol, this library apart, in the order in which they were loaded.
pub(crate) fn definers(symbol: &CStr) -> Vec<Definer> {
    let ourselves = base_of(generation as *const c_void);
    names()
        .iter()
        .filter_map(|name| definer(name, symbol))
        .filter(|definer| Some(definer.base) != ourselves)
        .collect()
}

/// Base of the object that a symbol means to every object alike, this library apart: its
/// definition in the global scope.
pub(crate) fn meant_globally(symbol: &CStr) -> Option<usize> {
    // SAFETY: a C string; the search begins after this library.
    base_of(unsafe { libc::dlsym(libc::RTLD_NEXT, symbol.as_ptr()) })
}

/// Base of the object that a symbol means in the object at `address` and what that depends on.
/// None for the program itself, whose scope is the global one, and for code that isn't in an
/// object at all, as a just-in-time compiler's.
pub(crate) fn meant_locally(address: *const c_void, symbol: &CStr) -> Option<usize> {
    let name = object_of(address)?.dli_fname;
    if name.is_null() {
        return None;
    }
    // SAFETY: the loader's own name of a loaded object.
    let handle = open(unsafe { CStr::from_ptr(name) })?;
    // SAFETY: an open handle and a C string.
    let found = unsafe { libc::dlsym(handle, symbol.as_ptr()) };
    // SAFETY: opened above; what it refers to stays loaded, as it was before.
    unsafe { libc::dlclose(handle) };
    base_of(found)
}

/// Address of a symbol as seen from an object; null if there is none.
pub(crate) fn symbol(handle: *mut c_void, name: &CStr) -> *const c_void {
    // SAFETY: an open handle and a C string.
    unsafe { libc::dlsym(handle, name.as_ptr()) }
}

/// Base of the object that an address lies in.
pub(crate) fn base_of(address: *const c_void) -> Option<usize> {
    Some(object_of(address)?.dli_fbase as usize)
}

fn definer(name: &CStr, symbol: &CStr) -> Option<Definer> {
    let handle = open(name)?;
    // SAFETY: an open handle and a C string.
    let address = unsafe { libc::dlsym(handle, symbol.as_ptr()) };
    let object = object_of(address);
    // A handle finds what its dependencies define, too.
    let own = object.is_some_and(|object| {
        let defined_in = object.dli_fname;
        // SAFETY: the loader's own name of a loaded object.
        !defined_in.is_null() && name == unsafe { CStr::from_ptr(defined_in) }
    });
    if !own {
        // SAFETY: opened above and not kept; it was loaded before and stays so.
        unsafe { libc::dlclose(handle) };
        return None;
    }
    Some(Definer { base: base_of(address)?, handle })
}

/// An object that is loaded already; `None` for what isn't, the kernel's vdso for one.
fn open(name: &CStr) -> Option<*mut c_void> {
    // SAFETY: a C string; nothing is loaded that isn't, so nothing runs.
    let handle = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_LAZY | libc::RTLD_NOLOAD) };
    if handle.is_null() {
        // SAFETY: no precondition. Nobody else is to read of this failure.
        unsafe { libc::dlerror() };
        return None;
    }
    Some(handle)
}

fn object_of(address: *const c_void) -> Option<libc::Dl_info> {
    if address.is_null() {
        return None;
    }
    let mut info = MaybeUninit::uninit();
    // SAFETY: any address is allowed, and there is room for the answer.
    let found = unsafe { libc::dladdr(address, info.as_mut_ptr()) };
    // SAFETY: filled in if the answer isn't 0.
    (found != 0).then(|| unsafe { info.assume_init() })
}

/// Names of all loaded objects but the program itself, as the loader has them.
fn names() -> Vec<CString> {
    unsafe extern "C" fn each(
        info: *mut libc::dl_phdr_info,
        _size: usize,
        names: *mut c_void,
    ) -> c_int {
        // SAFETY: the list that was handed over below.
        let names = unsafe { &mut *names.cast::<Vec<CString>>() };
        // SAFETY: the loader's structure.
        let name = unsafe { (*info).dlpi_name };
        if !name.is_null() {
            // SAFETY: the loader's own name of a loaded object.
            let name = unsafe { CStr::from_ptr(name) };
            if !name.is_empty() {
                names.push(name.to_owned());
            }
        }
        0
    }
    let mut names = Vec::<CString>::new();
    // SAFETY: a callback of the declared type, with a list that outlives the call.
    unsafe { libc::dl_iterate_phdr(Some(each), (&raw mut names).cast()) };
    names
}

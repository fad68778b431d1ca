//! The Lua state: set up as the module does, run, closed.

use brk_hole::Vm;

#[test]
fn the_version_names_the_width_of_gc_pointers() {
    let version = Vm::new().unwrap().version().unwrap();
    assert!(version.starts_with("LuaJIT 2.1"), "{version}");
    let width = if cfg!(feature = "luajit-gc64") || cfg!(not(target_arch = "x86_64")) {
        "64-bit"
    } else {
        "32-bit"
    };
    assert!(version.contains(width), "{version}");
}

#[test]
fn states_can_be_made_and_closed_again_and_again() {
    for round in 0..50_u32 {
        let vm = Vm::new().unwrap();
        let sum: u32 = vm
            .run("local n = ...; local t = {}; for i = 1, n do t[i] = i end; return #t", round)
            .unwrap();
        assert_eq!(sum, round);
    }
}

#[test]
fn errors_of_lua_arrive_as_errors() {
    let vm = Vm::new().unwrap();
    let error = vm.run::<()>("error('as wanted')", ()).unwrap_err();
    assert!(error.to_string().contains("as wanted"), "{error}");
}

#[test]
fn an_address_of_malloc_is_read_whole() {
    let address = Vm::new().unwrap().malloc_address(1).unwrap();
    assert!(address.is_multiple_of(16), "{address:#x}");
}

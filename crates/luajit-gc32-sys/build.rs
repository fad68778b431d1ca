//! Builds LuaJIT from `luajit-src`, by default with 32-bit GC pointers.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if std::env::var_os("CARGO_FEATURE_GC64").is_none() {
        request_32_bit_gc_pointers();
    }
    luajit_src::Build::new()
        // Otherwise dev builds get LUA_USE_ASSERT and measure something else.
        .debug(false)
        .build()
        .print_cargo_metadata();
}

/// x86-64 LuaJIT turned to 64-bit GC pointers in 2022; `LUAJIT_DISABLE_GC64` brings back those of
/// 2016. It goes by way of `CFLAGS` because `luajit-src` overwrites `XCFLAGS`.
fn request_32_bit_gc_pointers() {
    let given = std::env::var("CFLAGS").unwrap_or_default();
    // SAFETY: a build script has one thread here, so nobody reads the environment meanwhile.
    unsafe { std::env::set_var("CFLAGS", format!("{given} -DLUAJIT_DISABLE_GC64")) };
}

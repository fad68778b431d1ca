# Who asks malloc for memory when it falls back to mmap, and for how much?
# Needs symbols of the C library (Debian: libc6-dbg). From the repository's root:
#   gdb -nx -batch -x book/gdb/who-asks.gdb --args target/release/locations 2 /etc/ssl/certs/ca-certificates.crt
set pagination off
set confirm off
set debuginfod enabled off
set print thread-events off
set print frame-arguments scalars
set print entry-values no
set print address off
set filename-display basename
set environment BRKHOLE_ARM hole

# Up to the first certificate of the second location, past everything that a start maps.
break SSL_CTX_load_verify_locations
run
ignore 1 0
continue
delete

# Then to malloc's fallback: sysmalloc maps memory although nobody asked for a mapping.
break sysmalloc_mmap_fallback
continue
printf "\n== who asks\n"
backtrace -frame-info short-location 9
printf "\n== for how much\n"
frame function _int_malloc
printf "bytes asked for: %lu\n", bytes
printf "\n== and what is mapped\n"
break mmap
continue
printf "bytes mapped: %lu\n", $rsi
kill

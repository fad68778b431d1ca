# Who has malloc lower the break while bundles are loaded, and by how much?
# Needs symbols of the C library (Debian: libc6-dbg). From the repository's root:
#   gdb -nx -batch -x book/gdb/who-gives-back.gdb --args target/release/locations 2 /etc/ssl/certs/ca-certificates.crt
set pagination off
set confirm off
set debuginfod enabled off
set print thread-events off
set print frame-arguments scalars
set print entry-values no
set print address off
set filename-display basename
set environment BRKHOLE_ARM control

# Up to the first certificate of the first location, past what a start frees.
break SSL_CTX_load_verify_locations
run
delete

# Then to the first sbrk that asks for less: malloc trims its top.
break sbrk if (long)$rdi < 0
continue
printf "\n== who gives back\n"
backtrace -frame-info short-location 11
printf "\n== and how much\n"
printf "bytes given back: %lu\n", -(long)$rdi
kill

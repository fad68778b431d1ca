"""A big structure, of which every fiftieth part stays.

Says "ready"; at the next line of standard input it has malloc give back what it can, and says
"trimmed"; at the next it ends.
"""

import ctypes
import sys

malloc_trim = ctypes.CDLL(None).malloc_trim

structure = [bytes(600 + number * 37 % 9000) for number in range(20_000)]
structure = structure[::50]
print("ready", flush=True)
sys.stdin.readline()
malloc_trim(0)
print("trimmed", flush=True)
sys.stdin.readline()

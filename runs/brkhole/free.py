# Takes 8,192 pieces of 16 kB and frees them all.
pieces = [bytes(16_000) for _ in range(8192)]
del pieces

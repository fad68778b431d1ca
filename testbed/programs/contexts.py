"""contexts.py FILE CONTEXTS held|freed

Makes so many SSL contexts with the bundle, and drops them. Ends, without any clearing away, at the
moment that is named.
"""

import os
import ssl
import sys

file, contexts, moment = sys.argv[1:]
held = [ssl.create_default_context(cafile=file) for _ in range(int(contexts))]
if moment == "freed":
    # One context is in no cycle: it goes with the last name that it has.
    while held:
        held.pop()
elif moment != "held":
    sys.exit(f"{moment}: expected held or freed")
os._exit(0)

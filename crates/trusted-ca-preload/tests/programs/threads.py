"""Many threads that load bundles at the same time.

Usage: threads.py THREADS LOADS EXTRA BUNDLE...

Each thread makes LOADS contexts, going round the bundles, and checks what it finds in each: all of
the bundle and nothing else, or with EXTRA as well where it added that.
"""

import collections
import ssl
import sys
import threading

threads, loads = int(sys.argv[1]), int(sys.argv[2])
extra = ssl.PEM_cert_to_DER_cert(open(sys.argv[3], encoding="ascii").read())
bundles = sys.argv[4:]
START = "-----BEGIN CERTIFICATE-----"
expected = {name: open(name, encoding="utf-8").read().count(START) for name in bundles}
together = threading.Barrier(threads)
found = collections.Counter()


def work(number):
    together.wait()
    for turn in range(loads):
        name = bundles[(number + turn) % len(bundles)]
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(name)
        add = (number + turn) % 3 == 0
        if add:
            context.load_verify_locations(cadata=extra)
        held = context.cert_store_stats()["x509"] - expected[name]
        has = extra in context.get_ca_certs(binary_form=True)
        found[(add, held, has)] += 1


workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
for worker in workers:
    worker.start()
for worker in workers:
    worker.join()
for (add, held, has), times in sorted(found.items()):
    print(f"extra added {add}: {held} more than the bundle, extra found {has}: {times} times")

"""Children forked by a program whose threads load: each of them loads too, and ends.

Usage: forks.py CHILDREN BUNDLE

No thread is inside of a load at the moment of a fork: it might hold a lock of OpenSSL's own, which
nobody in the child would ever open.
"""

import multiprocessing
import ssl
import sys
import threading

children, bundle = int(sys.argv[1]), sys.argv[2]
expected = open(bundle, encoding="utf-8").read().count("-----BEGIN CERTIFICATE-----")
forking = multiprocessing.get_context("fork")
stop = threading.Event()
outside_of_loads = threading.Lock()


def new_context():
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def keep_loading(context):
    while not stop.is_set():
        with outside_of_loads:
            context.load_verify_locations(bundle)


def child(context):
    context.load_verify_locations(bundle)
    sys.exit(0 if context.cert_store_stats()["x509"] == expected else 3)


# From here on everybody finds the bundle parsed.
new_context().load_verify_locations(bundle)
contexts = [new_context() for _ in range(children)]
loaders = [threading.Thread(target=keep_loading, args=(new_context(),)) for _ in range(4)]
for loader in loaders:
    loader.start()
ended = []
for context in contexts:
    process = forking.Process(target=child, args=(context,))
    with outside_of_loads:
        process.start()
    process.join(60)
    ended.append(process.exitcode)
    if process.exitcode is None:
        process.kill()
        break
stop.set()
for loader in loaders:
    loader.join()
print(sorted(set(map(str, ended))), len(ended))

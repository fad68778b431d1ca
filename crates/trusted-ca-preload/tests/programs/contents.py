"""Makes contexts in every way and prints, in order, what each of them holds.

Usage: contents.py TURNS EXTRA CAPATH BUNDLE...

All is done TURNS times, so that every way is also taken when everything is known already. EXTRA is
a certificate to be added, CAPATH a directory of hashed certificates. Good bundles and bad ones are
treated alike: what a context holds after a refusal is printed as well.
"""

import hashlib
import os
import ssl
import sys


def show(context):
    stats = context.cert_store_stats()
    print("   ", " ".join(f"{kind} {stats[kind]}" for kind in sorted(stats)))
    for der in context.get_ca_certs(binary_form=True):
        print("    ", len(der), hashlib.sha256(der).hexdigest())


def attempt(name, *steps):
    print(name)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for step in steps:
        try:
            step(context)
        except (OSError, ValueError) as error:
            words = [getattr(error, field, None) for field in ("library", "reason", "errno")]
            print("   refused:", type(error).__name__, error, words)
        show(context)


def load(**where):
    return lambda context: context.load_verify_locations(**where)


def default_paths(bundle):
    """What OpenSSL takes if nothing is named, which the environment may tell it."""

    def step(context):
        os.environ["SSL_CERT_FILE"] = bundle
        context.set_default_verify_paths()

    return step


def by_default_context(bundle):
    print("create_default_context", bundle)
    try:
        show(ssl.create_default_context(cafile=bundle))
    except (OSError, ValueError) as error:
        print("   refused:", type(error).__name__, error)


def every_way(bundle, others, extra, capath):
    by_default_context(bundle)
    attempt(f"cafile {bundle}", load(cafile=bundle))
    attempt(f"twice {bundle}", load(cafile=bundle), load(cafile=bundle))
    attempt(f"cadata after {bundle}", load(cafile=bundle), load(cadata=extra))
    attempt(f"cadata before {bundle}", load(cadata=extra), load(cafile=bundle))
    attempt(f"cadata with {bundle}", load(cafile=bundle, cadata=extra))
    attempt(f"capath with {bundle}", load(cafile=bundle, capath=capath))
    attempt(f"capath before {bundle}", load(capath=capath), load(cafile=bundle))
    attempt(f"default paths are {bundle}", default_paths(bundle))
    for other in others:
        attempt(f"{bundle}, default {other}", load(cafile=bundle), default_paths(other))
        attempt(f"default {bundle}, {other}", default_paths(bundle), load(cafile=other))
        attempt(f"{bundle}, {other}", load(cafile=bundle), load(cafile=other))


def main():
    turns, extra, capath, *bundles = sys.argv[1:]
    with open(extra, encoding="ascii") as file:
        extra = file.read()
    for turn in range(int(turns)):
        print("turn", turn)
        for index, bundle in enumerate(bundles):
            neighbours = {bundles[index - 1], bundles[(index + 1) % len(bundles)]}
            every_way(bundle, sorted(neighbours - {bundle}), extra, capath)


main()

"""Lists contexts before and after they were used: OpenSSL puts a store in order when it looks for
something in it, and only then.

Usage: after_use.py BUNDLE EXTRA SERVER.pem SERVER.key
"""

import hashlib
import ssl
import sys

BUNDLE, EXTRA, *SERVER = sys.argv[1:]


def client():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(BUNDLE)
    return context


def use(context):
    """Has the context verify the server's certificate, which it does not know."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(*SERVER)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    one = context.wrap_bio(to_client, to_server, server_hostname="localhost")
    other = server.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(10):
        for end in (one, other):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                pass
            except ssl.SSLCertVerificationError:
                return
    sys.exit("a server of an unknown authority was not refused")


def show(name, context):
    for der in context.get_ca_certs(binary_form=True):
        print(name, hashlib.sha256(der).hexdigest())


for turn in (1, 2):
    used, unused = client(), client()
    use(used)
    show(f"{turn}: used", used)
    show(f"{turn}: unused", unused)

    asked = client()
    show(f"{turn}: before use", asked)
    use(asked)
    show(f"{turn}: before use and after", asked)

    appended = client()
    use(appended)
    appended.load_verify_locations(EXTRA)
    show(f"{turn}: used and appended to", appended)

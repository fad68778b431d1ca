"""What one context adds to its store or asks of it, no other context may have.

Usage: isolation.py BUNDLE EXTRA CRL GOOD.pem GOOD.key REVOKED.pem REVOKED.key

BUNDLE does not hold EXTRA, the root that issued the servers GOOD and REVOKED; CRL is that root's
and names REVOKED. Every check is of a handshake in memory or of the listed contents, and is made
for contexts that were there before the change and for those that come after it.
"""

import ssl
import sys

BUNDLE, EXTRA, CRL, *servers = sys.argv[1:]
GOOD, REVOKED = (servers[0], servers[1]), (servers[2], servers[3])
EXTRA_DER = ssl.PEM_cert_to_DER_cert(open(EXTRA, encoding="ascii").read())


def client(*files):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for file in files:
        context.load_verify_locations(file)
    return context


def verdict(context, certificate_and_key):
    """Why the client refuses the server, or "accepted"."""
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_context.load_cert_chain(*certificate_and_key)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        context.wrap_bio(to_client, to_server, server_hostname="localhost"),
        server_context.wrap_bio(to_server, to_client, server_side=True),
    ]
    while ends:
        for end in list(ends):
            try:
                end.do_handshake()
                ends.remove(end)
            except ssl.SSLWantReadError:
                pass
            except ssl.SSLCertVerificationError as error:
                return error.verify_message
    return "accepted"


def has_extra(context):
    return EXTRA_DER in context.get_ca_certs(binary_form=True)


def expect(what, found, expected):
    assert found == expected, f"{what}: {found!r}, not {expected!r}"
    print(what, found, sep=": ")


UNKNOWN = "unable to get local issuer certificate"
NO_CRL = "unable to get certificate CRL"

for turn in (1, 2):
    print("turn", turn)

    # A certificate from memory, added to one.
    before, changed = client(BUNDLE), client(BUNDLE)
    changed.load_verify_locations(cadata=EXTRA_DER)
    after = client(BUNDLE)
    expect("its own addition is in it", has_extra(changed), True)
    expect("it trusts what it added", verdict(changed, GOOD), "accepted")
    for name, other in (("before", before), ("after", after)):
        expect(f"not in the one {name}", has_extra(other), False)
        expect(f"not trusted by the one {name}", verdict(other, GOOD), UNKNOWN)
    # The order in which they are asked must not matter either.
    before, changed, after = client(BUNDLE), client(BUNDLE), client(BUNDLE)
    expect("unknown at first", verdict(before, GOOD), UNKNOWN)
    changed.load_verify_locations(cadata=EXTRA_DER)
    expect("still unknown", verdict(before, GOOD), UNKNOWN)
    expect("unknown to the third", verdict(after, GOOD), UNKNOWN)
    expect("known to the changed one", verdict(changed, GOOD), "accepted")

    # A second file, added to one.
    before, changed = client(BUNDLE), client(BUNDLE)
    changed.load_verify_locations(EXTRA)
    after = client(BUNDLE)
    expect("a second file is in it", has_extra(changed), True)
    expect("and trusted", verdict(changed, GOOD), "accepted")
    for name, other in (("before", before), ("after", after)):
        expect(f"no second file in the one {name}", has_extra(other), False)
        expect(f"nor trusted by the one {name}", verdict(other, GOOD), UNKNOWN)

    # Revocation, asked for by one.
    before, strict = client(BUNDLE, EXTRA), client(BUNDLE, EXTRA)
    strict.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
    after = client(BUNDLE, EXTRA)
    expect("strict without a CRL", verdict(strict, GOOD), NO_CRL)
    for name, other in (("before", before), ("after", after)):
        expect(f"flags of the one {name}", int(other.verify_flags & ssl.VERIFY_CRL_CHECK_LEAF), 0)
        expect(f"the one {name} asks for no CRL", verdict(other, GOOD), "accepted")

    # A CRL, loaded by one.
    before, strict = client(BUNDLE, EXTRA), client(BUNDLE, EXTRA, CRL)
    strict.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
    after = client(BUNDLE, EXTRA)
    expect("the CRL is in it", strict.cert_store_stats()["crl"], 1)
    expect("good by the CRL", verdict(strict, GOOD), "accepted")
    expect("revoked by the CRL", verdict(strict, REVOKED), "certificate revoked")
    for name, other in (("before", before), ("after", after)):
        expect(f"CRLs of the one {name}", other.cert_store_stats()["crl"], 0)
        expect(f"the one {name} knows of no revocation", verdict(other, REVOKED), "accepted")
        other.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
        expect(f"the one {name} has no CRL", verdict(other, GOOD), NO_CRL)

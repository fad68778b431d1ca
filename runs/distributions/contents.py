"""What Python's contexts hold after loading: contents.py BUNDLE CONTEXTS

Run where prepare.sh was. Prints JSON, which has to be the same however the bundles were loaded.
"""

import hashlib
import json
import ssl
import sys
from concurrent.futures import ThreadPoolExecutor

bundle, contexts = sys.argv[1], int(sys.argv[2])


def context(*files):
    fresh = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for file in files:
        fresh.load_verify_locations(cafile=file)
    return fresh


def contents(of):
    """All certificates, in order, and the counts."""
    encoded = b"".join(of.get_ca_certs(binary_form=True))
    told = json.dumps(of.get_ca_certs(), sort_keys=True).encode()
    return [hashlib.sha256(encoded).hexdigest(), hashlib.sha256(told).hexdigest(), of.cert_store_stats()]


def outcome(*files, **arguments):
    """What loading these files ends in, and what the context holds then."""
    fresh = context()
    said = []
    for file in files:
        try:
            fresh.load_verify_locations(cafile=file)
            said.append("loaded")
        except (OSError, ssl.SSLError) as error:
            said.append([type(error).__name__, error.args, str(error)])
    return [said, contents(fresh)]


result = {}
several = [context(bundle) for _ in range(contexts)]
result["same in all"] = all(contents(each) == contents(several[0]) for each in several)
result["bundle"] = contents(several[0])

# What is added to one must not be seen in another.
with open("right.pem") as file:
    several[0].load_verify_locations(cadata=file.read())
several[1].load_verify_locations(cafile="wrong.pem")
several[2].load_verify_locations(cafile="crl.pem")
several[2].verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
result["changed"] = [contents(each) for each in several[:3]]
result["the others"] = all(contents(each) == result["bundle"] for each in several[3:])
result["their flags"] = all(each.verify_flags == context().verify_flags for each in several[3:])
result["a new one"] = contents(context(bundle))

for files in [
    ("right.pem", bundle), (bundle, "right.pem"), (bundle, bundle), ("both.pem",), ("listed.pem",),
    ("twice.pem",), ("trusted.pem",), ("crl.pem",), ("empty.pem",), ("garbage.pem",), ("cut.pem",),
    ("damaged.pem",), ("directory",), ("missing.pem",), (bundle, "damaged.pem", "right.pem"),
    ("damaged.pem", "damaged.pem"), ("server.key",), ("/dev/null",),
]:
    result[" + ".join(files)] = outcome(*files)

with ThreadPoolExecutor(8) as pool:
    loaded = pool.map(lambda number: contents(context([bundle, "both.pem"][number % 2])), range(contexts))
    result["threads"] = sorted({json.dumps(each) for each in loaded})

json.dump(result, sys.stdout, indent=1, sort_keys=True)

"""Which server is believed with which bundle: fetch.py BUNDLE

Run where prepare.sh was. Prints JSON, which has to be the same however the bundles were loaded.
"""

import json
import re
import socket
import ssl
import subprocess
import sys

from server import serving

bundle = sys.argv[1]


def run(command):
    return subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True
    )


def curl(port, file):
    # A small root may not know the name.
    name = ["--resolve", "localhost:%d:127.0.0.1" % port, "https://localhost:%d/" % port]
    done = run(["curl", "-sS", "-m", "20", "--cacert", file] + name)
    return [done.returncode, done.stderr, "s_server" in done.stdout]


def s_client(port, file):
    address = "127.0.0.1:%d" % port
    done = run(["openssl", "s_client", "-connect", address, "-CAfile", file, "-verify_return_error"])
    # It says so again for every session ticket that comes before it ends.
    said = set(re.findall("Verify return code: .*|verify error:.*", done.stdout + done.stderr))
    return [done.returncode, sorted(said)]


def python(port, *files):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for file in files:
        context.load_verify_locations(cafile=file)
    # Only here, and not in the contexts to come, is the list asked for.
    if "crl.pem" in files or "listed.pem" in files:
        context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
    try:
        with socket.create_connection(("127.0.0.1", port), 20) as raw:
            with context.wrap_socket(raw, server_hostname="localhost") as wrapped:
                return wrapped.version() is not None
    except ssl.SSLError as error:
        return [type(error).__name__, getattr(error, "verify_code", None), str(error)]


single = ["right.pem", "wrong.pem", "both.pem", bundle, "damaged.pem", "missing.pem"]
several = [
    ("right.pem",), ("wrong.pem",), (bundle,), (bundle, "right.pem"), ("both.pem",), (bundle,),
    ("both.pem", "crl.pem"), ("listed.pem",), ("both.pem",), ("right.pem",),
]
with serving() as port:
    result = {
        "curl": {file: curl(port, file) for file in single},
        "openssl s_client": {file: s_client(port, file) for file in single[:4]},
        "python": [[files, python(port, *files)] for files in several],
    }
json.dump(result, sys.stdout, indent=1, sort_keys=True)

"""A TLS server on loopback, played by openssl s_server, with the certificate that prepare.sh made."""

import contextlib
import os
import subprocess
import threading


def without_library():
    """The variables for programs on which the library isn't to act."""
    return {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}


@contextlib.contextmanager
def serving():
    """Its port, as long as it serves."""
    command = ["openssl", "s_server", "-accept", "127.0.0.1:0", "-www", "-cert", "server.pem", "-key", "server.key"]
    server = subprocess.Popen(
        command, env=without_library(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, universal_newlines=True,
    )
    try:
        port = None
        while port is None:
            line = server.stdout.readline()
            if line == "":
                raise SystemExit("openssl s_server ended before it listened")
            if line.startswith("ACCEPT"):
                port = int(line.rsplit(":", 1)[1])
        # It stops when nobody reads what it says.
        threading.Thread(target=server.stdout.read, daemon=True).start()
        yield port
    finally:
        server.kill()
        server.wait()

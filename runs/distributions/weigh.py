"""Runs a command and says what it took: weigh.py COMMAND…

Prints {"cpu_seconds": …, "peak_rss_bytes": …}; ends as the command did. What the command says on its
standard output goes to standard error.
"""

import json
import resource
import subprocess
import sys
import tempfile


def cpu_seconds():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


with tempfile.NamedTemporaryFile("r") as peak:
    before = cpu_seconds()
    # A process starts with the peak of the one that made it: between this one and the command
    # stands time(1), which is small.
    time = ["time", "--quiet", "-f", "%M", "-o", peak.name]
    status = subprocess.call(time + sys.argv[1:], stdout=sys.stderr)
    seconds = cpu_seconds() - before
    if status == 0:
        kibibytes = int(peak.read())
        print(json.dumps({"cpu_seconds": round(seconds, 6), "peak_rss_bytes": kibibytes * 1024}))
sys.exit(status)

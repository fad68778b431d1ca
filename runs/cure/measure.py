"""Weighs nginx in four arms, which take turns: measure.py LIBRARY LOCATIONS OUT

OUT gets parameters and results as JSON. See run.sh.
"""

import json
import os
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time

LIBRARY, LOCATIONS, OUT = sys.argv[1:]
LOCATIONS = int(LOCATIONS)
HERE = os.path.dirname(os.path.abspath(__file__))
CONFIGURATION = os.path.join(HERE, "..", "brkhole", "configuration.sh")
BUNDLE = "/etc/ssl/certs/ca-certificates.crt"

# Whether the configuration has the line; what the library is asked for, None for no library.
ARMS = {
    "without": (False, None),
    "with": (True, None),
    "private": (True, "private"),
    "shared-store": (True, "shared-store"),
}
REPEATS = 3
RELOADED_LOCATIONS = 300
RELOADS = 10

COUNTS = {
    "loads": "loads",
    "parses": "parses",
    "shared": "shared",
    "bytes_spared": "bytes spared",
    "passed_on": "passed on",
}


class Site:
    """A configuration of so many locations in a directory of its own, to be run in one arm."""

    def __init__(self, arm, locations):
        self.arm = arm
        self.directory = tempfile.TemporaryDirectory()
        self.place = self.directory.name
        self.log = os.path.join(self.place, "trusted-ca.log")
        subprocess.run([CONFIGURATION, str(locations), self.place], check=True)
        path = os.path.join(self.place, "nginx.conf")
        with open(path) as file:
            text = file.read()
        # No port, so that nothing is in its way.
        text = text.replace("127.0.0.1:18080", f"unix:{self.place}/socket")
        if not ARMS[arm][0]:
            text = re.sub(r".*lua_ssl_trusted_certificate.*\n", "", text)
        with open(path, "w") as file:
            file.write(text)

    def nginx(self, *flags):
        return ["nginx", "-q", "-p", self.place, "-c", "nginx.conf", "-e", "error.log", *flags]

    def environment(self):
        environment = {k: v for k, v in os.environ.items() if k != "LD_PRELOAD"}
        way = ARMS[self.arm][1]
        if way:
            environment |= {
                "LD_PRELOAD": LIBRARY,
                "TRUSTED_CA": way,
                "TRUSTED_CA_LOG": self.log,
            }
        return environment

    def counts(self):
        """What the library said of the one process since the last call; {} without it."""
        if not os.path.exists(self.log):
            return {}
        with open(self.log) as file:
            [line] = file
        os.unlink(self.log)
        return {
            name: int(re.search(rf"\b{said} (\d+)", line).group(1)) for name, said in COUNTS.items()
        }


def tested(site):
    """One `nginx -t`."""
    begun = time.monotonic()
    process = os.posix_spawnp("nginx", site.nginx("-t"), site.environment())
    _, status, usage = os.wait4(process, 0)
    wall = time.monotonic() - begun
    if status != 0:
        sys.exit(f"{site.arm}: nginx -t: {os.waitstatus_to_exitcode(status)}")
    # A child begins with its parent's peak.
    if usage.ru_maxrss <= resource.getrusage(resource.RUSAGE_SELF).ru_maxrss:
        sys.exit(f"{site.arm}: its peak hides in that of this program")
    return {
        "wall_seconds": round(wall, 6),
        "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 6),
        "peak_rss_bytes": usage.ru_maxrss * 1024,
    } | site.counts()


def traced(site):
    """The same under strace: how often the bundle is opened, and how much of it is read."""
    log = os.path.join(site.place, "strace")
    trace = ["strace", "-f", "-P", BUNDLE, "-e", "trace=openat,read", "-o", log]
    # env sets the library for nginx alone, and not for strace.
    given = site.environment().items() - os.environ.items()
    preload = ["env", *(f"{name}={value}" for name, value in given)]
    subprocess.run([*trace, *preload, *site.nginx("-t")], check=True, stdout=subprocess.DEVNULL)
    site.counts()
    with open(log) as file:
        lines = file.read().splitlines()
    read = [int(line.rsplit("= ", 1)[1]) for line in lines if " read(" in line]
    return {
        "opens": sum(" openat(" in line for line in lines),
        "read_bytes": sum(read),
    }


def workers(master):
    with open(f"/proc/{master}/task/{master}/children") as file:
        return set(file.read().split())


def weighed(master):
    """Not what is resident of files: behind a fork that comes back page by page."""
    with open(f"/proc/{master}/smaps_rollup") as file:
        [anonymous] = re.findall(r"^Anonymous: +(\d+) kB", file.read(), re.MULTILINE)
    return int(anonymous) * 1024


def until(is_so):
    for _ in range(60_000):
        if is_so():
            return
        time.sleep(0.005)
    sys.exit("nginx didn't come to it within five minutes")


def reloaded(arm):
    """A master, started and reloaded."""
    site = Site(arm, RELOADED_LOCATIONS)
    master = subprocess.Popen(site.nginx("-g", "daemon off;"), env=site.environment())
    try:
        until(lambda: workers(master.pid))
        time.sleep(0.5)
        started = weighed(master.pid)
        reloads = []
        for _ in range(RELOADS):
            old = workers(master.pid)
            begun = time.monotonic()
            master.send_signal(signal.SIGHUP)
            until(lambda: workers(master.pid) - old)
            wall = time.monotonic() - begun
            until(lambda: not workers(master.pid) & old)
            time.sleep(0.5)
            reloads.append(
                {"wall_seconds": round(wall, 6), "anonymous_bytes": weighed(master.pid)}
            )
        master.send_signal(signal.SIGQUIT)
        master.wait(60)
    finally:
        master.kill()
    return {"name": arm, "started_bytes": started, "reloads": reloads} | site.counts()


def main():
    sites = {arm: Site(arm, LOCATIONS) for arm in ARMS}
    runs = {arm: [] for arm in ARMS}
    for repeat in range(REPEATS):
        order = list(ARMS) if repeat % 2 == 0 else list(reversed(ARMS))
        for arm in order:
            runs[arm].append(tested(sites[arm]))
            print(f"{arm}: {runs[arm][-1]}", file=sys.stderr)
    arms = [{"name": arm, "runs": runs[arm]} | traced(sites[arm]) for arm in ARMS]
    reloads = []
    for arm in ARMS:
        reloads.append(reloaded(arm))
        print(f"reloads, {arm}: {reloads[-1]}", file=sys.stderr)
    told = {
        "parameters": {
            "locations": LOCATIONS,
            "repeats": REPEATS,
            "reloaded_locations": RELOADED_LOCATIONS,
            "reloads": RELOADS,
        },
        "arms": arms,
        "reload": reloads,
    }
    with open(OUT, "w") as file:
        json.dump(told, file)


main()

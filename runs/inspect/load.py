"""What wrk saw of a worker that was trimmed all the time, and what trim told: load.py WRK TRIMS."""

import json
import re
import statistics
import sys


def reports(text):
    """JSON documents one after the other, each with a list of reports."""
    decoder = json.JSONDecoder()
    while text := text.lstrip():
        document, end = decoder.raw_decode(text)
        yield from document["processes"]
        text = text[end:]


def counted(pattern, text):
    """The numbers that follow; 0 if wrk has no such line, as it does when there is nothing to tell."""
    found = re.search(pattern, text)
    return sum(int(number) for number in found.groups()) if found else 0


with open(sys.argv[1]) as file:
    wrk = file.read()
with open(sys.argv[2]) as file:
    trims = list(reports(file.read()))

json.dump(
    {
        "requests": int(re.search(r"(\d+) requests in", wrk)[1]),
        "failed_requests": counted(
            r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", wrk
        )
        + counted(r"Non-2xx or 3xx responses: (\d+)", wrk),
        "trims": len(trims),
        "trimmed": sum(trim["outcome"] == "trimmed" for trim in trims),
        "stopped_more_than_once": sum(trim["attempts"] > 1 for trim in trims),
        "attempts": max(trim["attempts"] for trim in trims),
        "held_seconds": {
            "median": statistics.median(trim["held_seconds"] for trim in trims),
            "longest": max(trim["longest_held_seconds"] for trim in trims),
        },
    },
    sys.stdout,
    indent=2,
)

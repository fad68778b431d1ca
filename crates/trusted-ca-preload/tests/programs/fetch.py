"""Fetches a page twice, each time with a context of its own. Usage: fetch.py PORT BUNDLE"""

import ssl
import sys
import urllib.error
import urllib.request

for turn in (1, 2):
    context = ssl.create_default_context(cafile=sys.argv[2])
    try:
        with urllib.request.urlopen(f"https://localhost:{sys.argv[1]}/", context=context) as page:
            print(page.status)
    except urllib.error.URLError as error:
        sys.exit(str(error))

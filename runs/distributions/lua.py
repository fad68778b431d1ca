"""Which server nginx's Lua believes, before and after reloads: lua.py BUNDLE

Run where prepare.sh was. Prints JSON, which has to be the same however the bundles were loaded.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

from server import serving, without_library

# Location, what it trusts, its revocation list.
LOCATIONS = [
    ("right", "right.pem", None),
    ("wrong", "wrong.pem", None),
    ("bundle", sys.argv[1], None),
    ("both", "both.pem", None),
    ("listed", "both.pem", "crl.pem"),
    ("both-again", "both.pem", None),
    ("changing", "changing.pem", None),
]

CONFIGURATION = """
load_module /usr/lib/nginx/modules/ndk_http_module.so;
load_module /usr/lib/nginx/modules/ngx_http_lua_module.so;
daemon off; user root; worker_processes 1; pid /files/lua.pid; error_log /files/lua.log;
events {}
http {
    access_log off;
    init_by_lua_block {
        function fetch(port)
            local socket = ngx.socket.tcp()
            socket:settimeout(20000)
            assert(socket:connect("127.0.0.1", port))
            -- Where the handshake is done at once, lua-resty-core fails an assertion instead of saying
            -- why the server is refused. The log says it in any case.
            local done, session = pcall(socket.sslhandshake, socket, nil, "localhost", true)
            ngx.print(done and session and "believed" or "refused")
            socket:close()
        end
    }
    server {
        listen unix:/files/lua.socket;
"""


def configuration(port):
    text = CONFIGURATION
    for name, trusted, revoked in LOCATIONS:
        text += "location /%s { lua_ssl_verify_depth 3;" % name
        text += " lua_ssl_trusted_certificate %s;" % os.path.abspath(trusted)
        if revoked:
            text += " lua_ssl_crl %s;" % os.path.abspath(revoked)
        text += " content_by_lua_block { fetch(%d) } }\n" % port
    return text + "} }\n"


def asked():
    """What each location says, and the log."""
    said = {}
    for name, _, _ in LOCATIONS:
        open("lua.log", "w").close()
        curl = ["curl", "-sS", "-m", "30", "--unix-socket", "lua.socket", "http://localhost/" + name]
        body = subprocess.run(curl, env=without_library(), stdout=subprocess.PIPE).stdout.decode()
        with open("lua.log") as log:
            said[name] = [body, re.findall(r"certificate verify error: \((.*?)\)", log.read())]
    return said


def put(file):
    """Another file takes the place of the one that changes, and becomes old enough to be remembered."""
    shutil.copyfile(file, "changing.new")
    os.rename("changing.new", "changing.pem")
    time.sleep(3.5)


def workers(master):
    with open("/proc/%d/task/%d/children" % (master, master)) as children:
        return set(children.read().split())


def wait_for(done):
    end = time.monotonic() + 60
    while not done():
        if time.monotonic() > end:
            raise SystemExit("nginx took longer than a minute")
        time.sleep(0.05)


def reload(master):
    """The new workers have come, and the old ones are gone."""
    old = workers(master)
    os.kill(master, signal.SIGHUP)
    wait_for(lambda: workers(master) - old and not workers(master) & old)


result = {}
put("wrong.pem")
with serving() as port:
    with open("lua.conf", "w") as file:
        file.write(configuration(port))
    nginx = subprocess.Popen(["nginx", "-c", "/files/lua.conf"])
    try:
        wait_for(lambda: nginx.poll() is not None or (os.path.exists("lua.socket") and workers(nginx.pid)))
        result["started"] = asked()
        reload(nginx.pid)
        result["reloaded"] = asked()
        put("right.pem")
        reload(nginx.pid)
        result["replaced"] = asked()
        nginx.terminate()
        result["ended"] = nginx.wait(60)
    finally:
        nginx.kill()
json.dump(result, sys.stdout, indent=1, sort_keys=True)

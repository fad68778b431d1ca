# Sourced by the recordings that watch a running nginx. They set `place`, where its configuration
# lies; `master` is its process while it runs.

workers() { # PID: how many children, and which
    { pgrep -P "$1" || true; } | tr '\n' ' '
}

start_nginx() {
    (cd "$place" && nginx -p "$place" -c nginx.conf -e error.log)
    nginx_has_started
}

nginx_has_started() {
    until [ -s "$place/nginx.pid" ]; do sleep 0.1; done
    master=$(cat "$place/nginx.pid")
    until [ -n "$(workers "$master")" ]; do sleep 0.1; done
    sleep 1
}

stop_nginx() {
    kill "$master"
    while [ -e "/proc/$master" ]; do sleep 0.1; done
    master=
}

nginx_has_reloaded() { # OLD: until none of these workers is left
    local now
    while now=$(workers "$master") && { [ -z "$now" ] || [ -n "$(comm -12 \
        <(tr ' ' '\n' <<< "$1" | sed '/^$/d' | sort) \
        <(tr ' ' '\n' <<< "$now" | sed '/^$/d' | sort))" ]; }; do
        sleep 0.2
    done
}

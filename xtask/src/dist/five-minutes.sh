# What an operator types, from the package to the cure, and what is seen. Run by `cargo xtask dist
# --check` in a fresh root that has nginx and neither compiler nor Rust; the packages are in
# /packages, what is only for the check is kept in /results.
set -eu
cd /packages
export DEBIAN_FRONTEND=noninteractive

# A command and what it prints.
typed() {
    printf '$ %s\n' "$1"
    sh -c "$1" 2>&1
}

# A command whose talk is only of interest where it fails.
quietly() {
    printf '$ %s\n' "$1"
    sh -c "$1" >/results/log 2>&1
}

for tool in cc gcc cargo rustc strace gdb; do
    if command -v "$tool"; then exit 1; fi
done

# The line of the story in a hundred locations, each with settings of its own.
{
    echo 'server { listen 8080;'
    number=0
    while [ $number -lt 100 ]; do
        number=$((number + 1))
        echo "location /$number { lua_ssl_verify_depth 1;"
        echo '    lua_ssl_trusted_certificate /etc/ssl/certs/ca-certificates.crt; }'
    done
    echo '}'
} >/etc/nginx/conf.d/story.conf

quietly 'apt install --yes ./brkhole_*.deb'
typed 'brkhole --version'
typed 'brkhole trace nginx -t'
brkhole trace --format json -o /results/before.json nginx -t >/dev/null 2>&1

echo
quietly 'apt install --yes ./libtrusted-ca-preload_*.deb'
preload=LD_PRELOAD=/usr/lib/libtrusted_ca_preload.so
typed "brkhole trace env $preload nginx -t"
brkhole trace --format json -o /results/after.json env "$preload" nginx -t >/dev/null 2>&1

# What isn't for the operator's eyes.
exec >/results/log 2>&1
set -x
refused() { if "$@"; then exit 1; fi; }

# All that the packages promise to bring is there. Containers may have dpkg leave documents out.
for file in bash-completion/completions/brkhole man/man1/brkhole-trace.1.gz \
    man/man8/trusted-ca-preload.8.gz doc/brkhole/fleet/brkhole.rules.yml \
    doc/brkhole/copyright doc/libtrusted-ca-preload/copyright; do
    [ -s "/usr/share/$file" ] || grep -qr path-exclude /etc/dpkg/dpkg.cfg.d
done
# What the unit runs is there.
program=$(sed -n 's/^ExecStart=\([^ ]*\).*/\1/p' /usr/lib/systemd/system/brkhole-inspect.service)
"$program" inspect --all --format openmetrics >/results/metrics.prom

# Nothing is on by default. Here is no systemd: what the helper asks it is answered by a script.
[ ! -e /etc/ld.so.preload ]
refused command -v systemctl
status() { said=0; trusted-ca-preload status nginx || said=$?; [ "$said" = "$1" ]; }
group=/system.slice/nginx.service
mkdir -p /run/systemd/system "/sys/fs/cgroup$group"
cat >/usr/bin/systemctl <<END
#!/bin/sh
case "\$*" in *ControlGroup*) echo $group ;; *other.service) exit 1 ;; esac
END
chmod 755 /usr/bin/systemctl
refused trusted-ca-preload on other
refused trusted-ca-preload on ../nginx
# Waits a minute for a condition, no longer.
waited() {
    tries=600
    until "$@"; do
        tries=$((tries - 1))
        [ $tries -gt 0 ] || exit 1
        sleep 0.1
    done
}
# nginx as its service would start it, without a network: other roots have one at the same time. Its
# first process ends before the master has written its number.
started() {
    unshare --net "$@"
    waited [ -s /run/nginx.pid ]
    cat /run/nginx.pid >"/sys/fs/cgroup$group/cgroup.procs"
}
stopped() {
    nginx -s stop
    waited [ ! -e /run/nginx.pid ]
}
status 3
started nginx
trusted-ca-preload on nginx | grep 'systemctl restart nginx.service'
status 1
trusted-ca-preload status nginx | grep '0 of 1 processes'
stopped
environment=$(sed -n 's/^Environment=//p' /etc/systemd/system/nginx.service.d/*.conf)
started env "$environment" nginx
status 0
trusted-ca-preload off nginx
status 3
trusted-ca-preload on nginx
stopped

apt-get remove --yes brkhole libtrusted-ca-preload
for file in /usr/bin/brkhole /usr/sbin/trusted-ca-preload /usr/lib/libtrusted_ca_preload.so \
    /etc/systemd/system/nginx.service.d; do
    [ ! -e "$file" ]
done

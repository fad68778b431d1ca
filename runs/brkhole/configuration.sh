#!/bin/sh
# The story's nginx configuration, with so many empty locations: configuration.sh N DIRECTORY
set -eu
locations=$1
place=$2
modules=${NGINX_MODULES:-/usr/lib/nginx/modules}

mkdir -p "$place"
{
    echo "load_module $modules/ndk_http_module.so;"
    echo "load_module $modules/ngx_http_lua_module.so;"
    echo "pid $place/nginx.pid;"
    echo "events {}"
    echo "http { access_log off;"
    # Where nginx keeps these otherwise, only root may write.
    for what in client_body proxy fastcgi uwsgi scgi; do
        echo "    ${what}_temp_path $place/$what;"
    done
    echo "    lua_ssl_trusted_certificate /etc/ssl/certs/ca-certificates.crt;"
    echo "    server { listen 127.0.0.1:18080;"
    for number in $(seq "$locations"); do
        echo "        location /$number { }"
    done
    echo "    }"
    echo "}"
} > "$place/nginx.conf"

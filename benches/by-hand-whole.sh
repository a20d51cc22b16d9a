#!/usr/bin/env bash
# by-hand-whole.sh ROOT PROGRAMS VERSION ZONE SERVER PORT SECRET FRONT,FRONT ADDRESS…: all five parts as somebody would start
# them by hand: by-hand.sh and by-hand-kubernetes.sh on the same hosts; and, while the API servers start, HAProxy at each FRONT,
# the name api.ZONE for them by the name server, and a first snapshot that is looked at. Returns when all of that is there.
set -euo pipefail

root=$1 programs=$2 version=$3 zone=$4 server=$5 port=$6 secret=$7 fronts=$8
shift 8
addresses=("$@")
here=$(dirname "$0")
PATH+=:/usr/sbin
IFS=, read -ra fronts <<<"$fronts"

# front ADDRESS
front() {
    local at=$root/front-$1 number=0
    mkdir -p "$at"
    {
        cat <<END
global
    maxconn 4000
defaults
    mode tcp
    option redispatch 1
    timeout connect 1s
    timeout client 10m
    timeout server 10m
    timeout check 300ms
frontend api
    bind $1:6443
    default_backend api
backend api
    balance leastconn
    option httpchk
    http-check send meth GET uri /readyz ver HTTP/1.1 hdr Host kubernetes
    http-check expect status 200
    default-server check inter 500ms fastinter 250ms fall 2 rise 2 check-ssl verify required ca-file $root/kubernetes/ca.crt check-sni kubernetes
END
        for address in "${addresses[@]}"; do
            number=$((number + 1))
            echo "    server m$number $address:6443"
        done
    } >"$at/haproxy.cfg"
    until [[ -s $root/kubernetes/ca.crt ]]; do sleep 0.02; done
    haproxy -c -q -f "$at/haproxy.cfg"
    setsid haproxy -W -f "$at/haproxy.cfg" >"$at/log" 2>&1 </dev/null &
    until curl -sf -m 5 -o /dev/null --cacert "$root/kubernetes/ca.crt" --resolve "api.$zone:6443:$1" "https://api.$zone:6443/readyz"; do
        sleep 0.05
    done
}

name() {
    nsupdate -y "hmac-sha256:ha:$secret" <<END
server $server $port
zone $zone
$(printf "update add api.$zone. 30 A %s\n" "${fronts[@]}")
send
END
    [[ $(dig +short -p "$port" "@$server" "api.$zone" | wc -l) -eq ${#fronts[@]} ]]
}

snapshot() {
    local at=$root/m1
    "$at/lib/etcdctl" --endpoints="https://${addresses[0]}:2379" --cacert="$at/pki/ca.crt" --cert="$at/pki/server.crt" \
        --key="$at/pki/server.key" snapshot save "$at/snapshot.db" >/dev/null 2>&1
    "$at/lib/etcdutl" snapshot status "$at/snapshot.db" >/dev/null
}

"$here/by-hand.sh" "$root" "$programs" "$version" "${addresses[@]}"
working=()
"$here/by-hand-kubernetes.sh" "$root" "$programs" "api.$zone" "${addresses[@]}" &
working+=($!)
for address in "${fronts[@]}"; do
    front "$address" &
    working+=($!)
done
name &
working+=($!)
snapshot &
working+=($!)
# One by one, so that a failure is one.
for process in "${working[@]}"; do wait "$process"; done

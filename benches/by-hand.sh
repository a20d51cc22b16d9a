#!/usr/bin/env bash
# by-hand.sh ROOT PROGRAMS VERSION ADDRESS…: a TLS cluster of etcd as somebody would start it by hand with all commands at
# hand: the same keys, the same archive copied, verified and unpacked for each host, all hosts at the same time.
# Returns when every member takes writes. The members run on; each names its directory below ROOT in its arguments.
set -euo pipefail

root=$1 programs=$2 version=$3
shift 3
folder=etcd-v$version-linux-$(uname -m | sed 's/x86_64/amd64/; s/aarch64/arm64/')
ca=$root/ca
mkdir -p "$ca"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj /CN=etcd-hand \
    -keyout "$ca/ca.key" -out "$ca/ca.crt" 2>/dev/null

number=0 cluster='' addresses=("$@")
for address in "${addresses[@]}"; do
    number=$((number + 1))
    cluster+=${cluster:+,}m$number=https://$address:2380
done

# certify DIRECTORY ADDRESS NAME
certify() {
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=etcd-$3" -keyout "$1/$3.key" -out "$1/$3.csr" 2>/dev/null
    openssl x509 -req -in "$1/$3.csr" -CA "$ca/ca.crt" -CAkey "$ca/ca.key" -set_serial "0x$(openssl rand -hex 8)" -days 365 -out "$1/$3.crt" \
        -extfile <(printf 'subjectAltName=IP:%s,IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n' "$2") 2>/dev/null
}

# host NAME ADDRESS
host() {
    local at=$root/$1
    mkdir -p "$at/pki" "$at/lib"
    cp "$ca/ca.crt" "$at/pki/"
    certify "$at/pki" "$2" server &
    certify "$at/pki" "$2" peer &
    cp "$programs/$folder.tar.gz" "$at/"
    (cd "$at" && grep -F "  $folder.tar.gz" "$programs/SHA256SUMS" | sha256sum --check --quiet --strict -)
    tar -xzf "$at/$folder.tar.gz" -C "$at/lib" --strip-components=1 --no-same-owner
    # As a crash would find it.
    sync "$at/lib/etcd" "$at/lib/etcdctl" "$at/lib/etcdutl" "$at/lib"
    wait
    setsid "$at/lib/etcd" --name="$1" --data-dir="$at/data" \
        --listen-client-urls="https://$2:2379" --advertise-client-urls="https://$2:2379" \
        --listen-peer-urls="https://$2:2380" --initial-advertise-peer-urls="https://$2:2380" \
        --initial-cluster="$cluster" --initial-cluster-token=hand --initial-cluster-state=new \
        --client-cert-auth --trusted-ca-file="$at/pki/ca.crt" --cert-file="$at/pki/server.crt" --key-file="$at/pki/server.key" \
        --peer-client-cert-auth --peer-trusted-ca-file="$at/pki/ca.crt" --peer-cert-file="$at/pki/peer.crt" --peer-key-file="$at/pki/peer.key" \
        >"$at/log" 2>&1 </dev/null &
    until "$at/lib/etcdctl" --endpoints="https://$2:2379" --cacert="$at/pki/ca.crt" --cert="$at/pki/server.crt" --key="$at/pki/server.key" \
        put "ready/$1" yes >/dev/null 2>&1; do
        sleep 0.05
    done
}

number=0 hosts=()
for address in "${addresses[@]}"; do
    number=$((number + 1))
    host "m$number" "$address" &
    hosts+=($!)
done
# One by one, so that a failure is one.
for process in "${hosts[@]}"; do wait "$process"; done

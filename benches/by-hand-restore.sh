#!/usr/bin/env bash
# by-hand-restore.sh ROOT SNAPSHOT ADDRESS…: the data of SNAPSHOT, as ours has stored it, in the place of that of by-hand.sh
# with the same ROOT and addresses, as somebody would do it by hand with all commands at hand: copied, unpacked and made data
# of on all hosts at the same time while the cluster goes on; API servers stopped first, if by-hand-kubernetes.sh has started
# any; and everything started again as it was. Returns when a write went through and every API server is ready.
set -euo pipefail

root=$1 snapshot=$2
shift 2
addresses=("$@")
number=0 cluster=''
for address in "${addresses[@]}"; do
    number=$((number + 1))
    cluster+=${cluster:+,}m$number=https://$address:2380
done

# each FUNCTION: with the number and the address of each host, at the same time.
each() {
    local number=0 working=() process
    for address in "${addresses[@]}"; do
        number=$((number + 1))
        "$1" $number "$address" &
        working+=($!)
    done
    # One by one, so that a failure is one.
    for process in "${working[@]}"; do wait "$process"; done
}

prepare() {
    local at=$root/m$1
    rm -rf "$at/data.restored"
    cp "$snapshot" "$at/snapshot.zst"
    zstd -dqf "$at/snapshot.zst" -o "$at/snapshot.db"
    # It proves the digest at the end of the snapshot.
    "$at/lib/etcdutl" snapshot restore "$at/snapshot.db" --name="m$1" --initial-cluster="$cluster" --initial-cluster-token="hand-$$" \
        --initial-advertise-peer-urls="https://$2:2380" --data-dir="$at/data.restored" --bump-revision=1000000000 --mark-compacted \
        >"$at/restore.log" 2>&1
    # As a crash would find it.
    find "$at/data.restored" -exec sync {} +
}

# stop HOST PROGRAM: and keeps how it was started.
stop() {
    local process
    process=$(pgrep -f "^$root/$1/(lib|kubernetes/bin)/$2 ") || return 0
    cp "/proc/$process/cmdline" "$root/$1/$2.command"
    kill -TERM "$process"
    while read -rd '' _ <"/proc/$process/cmdline"; do sleep 0.02; done 2>/dev/null
}

# again HOST PROGRAM
again() {
    local command
    [[ -e $root/$1/$2.command ]] || return 0
    mapfile -d '' command <"$root/$1/$2.command"
    setsid "${command[@]}" >>"$root/$1/$2.log" 2>&1 </dev/null &
}

stop_clients() {
    stop "m$1" kube-controller-manager &
    stop "m$1" kube-scheduler &
    stop "m$1" kube-apiserver
    wait
}
stop_member() { stop "m$1" etcd; }

start_member() {
    local at=$root/m$1
    rm -rf "$at/data.before"
    mv "$at/data" "$at/data.before"
    mv "$at/data.restored" "$at/data"
    again "m$1" etcd
}

start_clients() { for it in kube-apiserver kube-controller-manager kube-scheduler; do again "m$1" $it; done; }

each prepare
each stop_clients
each stop_member
each start_member
at=$root/m1
until "$at/lib/etcdctl" --endpoints="https://${addresses[0]}:2379" --cacert="$at/pki/ca.crt" --cert="$at/pki/server.crt" \
    --key="$at/pki/server.key" put restored yes >/dev/null 2>&1; do
    sleep 0.05
done
[[ -d $root/kubernetes ]] || exit 0
each start_clients
for address in "${addresses[@]}"; do
    until curl -sf -m 5 -o /dev/null --cacert "$root/kubernetes/ca.crt" "https://$address:6443/readyz"; do sleep 0.05; done
done

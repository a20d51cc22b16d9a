#!/usr/bin/env bash
# by-hand-kubernetes.sh ROOT PROGRAMS NAME ADDRESS…: a control plane as somebody would start it by hand with all commands at
# hand, on the hosts of by-hand.sh with the same ROOT and addresses: the same keys, programs copied, verified and written
# through, the same arguments as ours, all hosts at the same time, each component as soon as its host has what it needs.
# NAME is what the endpoint is called. Returns when every API server is ready, and a controller manager and a scheduler lead.
set -euo pipefail

root=$1 programs=$2 name=$3
shift 3
addresses=("$@")
ca=$root/kubernetes
mkdir -p "$ca"
# Nothing of what the system would add to certificates.
printf '[req]\ndistinguished_name=name\n[name]\n' >"$ca/openssl.cnf"

# authority FILE NAME
authority() {
    openssl req -x509 -config "$ca/openssl.cnf" -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj "/CN=$2" \
        -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,digitalSignature \
        -keyout "$ca/$1.key" -out "$ca/$1.crt" 2>/dev/null
}

# certify CA FILE SUBJECT USAGE [NAMES]
certify() {
    openssl req -x509 -config "$ca/openssl.cnf" -CA "$1.crt" -CAkey "$1.key" -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
        -days 365 -subj "$3" -addext basicConstraints=critical,CA:FALSE -addext "extendedKeyUsage=$4" \
        ${5:+-addext "subjectAltName=$5"} -keyout "$2.key" -out "$2.crt" 2>/dev/null
}

authority ca kubernetes &
authority front-proxy-ca front-proxy-ca &
openssl ecparam -name prime256v1 -genkey -noout -out "$ca/sa.key"
openssl pkey -in "$ca/sa.key" -pubout -out "$ca/sa.pub"
wait
certify "$ca/ca" "$ca/admin" /O=system:masters/CN=admin clientAuth &

cat >"$ca/authentication.yaml" <<END
apiVersion: apiserver.config.k8s.io/v1
kind: AuthenticationConfiguration
anonymous:
  enabled: true
  conditions: [{path: /livez}, {path: /readyz}, {path: /healthz}]
END
cat >"$ca/admission.yaml" <<END
apiVersion: apiserver.config.k8s.io/v1
kind: AdmissionConfiguration
plugins:
- name: EventRateLimit
  configuration:
    apiVersion: eventratelimit.admission.k8s.io/v1alpha1
    kind: Configuration
    limits: [{type: Server, qps: 5000, burst: 20000}]
END
cat >"$ca/audit-policy.yaml" <<END
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- {level: None, nonResourceURLs: [/healthz, /livez, /readyz]}
- level: Metadata
END
cat >"$ca/encryption.yaml" <<END
apiVersion: apiserver.config.k8s.io/v1
kind: EncryptionConfiguration
resources:
- resources: [secrets]
  providers: [{secretbox: {keys: [{name: k1, secret: $(head -c 32 /dev/urandom | base64)}]}}, {identity: {}}]
END

# kubeconfig AT LEAF USER ADDRESS
kubeconfig() {
    cat >"$1/$2.conf" <<END
apiVersion: v1
kind: Config
clusters: [{name: hand, cluster: {certificate-authority: $1/ca.crt, server: "https://$4:6443"}}]
contexts: [{name: hand, context: {cluster: hand, user: $3}}]
current-context: hand
users: [{name: $3, user: {client-certificate: $1/$2.crt, client-key: $1/$2.key}}]
END
}

# stage DIRECTORY PROGRAM
stage() {
    cp "$programs/$2" "$1/"
    sha256sum --check --quiet --strict <<<"$(<"$programs/$2.sha256")  $1/$2"
    chmod 0755 "$1/$2"
    # As a crash would find it.
    sync "$1/$2" "$1"
}

# begin DIRECTORY PROGRAM ARGUMENT…
begin() {
    setsid "$1/bin/$2" "${@:3}" >"$1/$2.log" 2>&1 </dev/null &
}

suites=TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256

# host NUMBER ADDRESS
host() {
    local at=$root/m$1/kubernetes address=$2 servers working=() it
    mkdir -p "$at/bin"
    cp "$ca"/{ca.crt,ca.key,front-proxy-ca.crt,sa.key,sa.pub} "$ca"/*.yaml "$at/"
    cp "$root/ca/ca.crt" "$at/etcd-ca.crt"
    for it in kube-apiserver kube-controller-manager kube-scheduler; do
        stage "$at/bin" "$it" &
        working+=($!)
    done
    certify "$ca/ca" "$at/apiserver" /CN=kube-apiserver serverAuth "DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local,DNS:$name,IP:10.96.0.1,IP:$address"
    certify "$ca/ca" "$at/apiserver-kubelet-client" /CN=kube-apiserver-kubelet-client clientAuth
    certify "$ca/ca" "$at/controller-manager" /CN=system:kube-controller-manager clientAuth
    certify "$ca/ca" "$at/scheduler" /CN=system:kube-scheduler clientAuth
    certify "$ca/front-proxy-ca" "$at/front-proxy-client" /CN=front-proxy-client clientAuth
    certify "$root/ca/ca" "$at/apiserver-etcd-client" /CN=kube-apiserver-etcd-client clientAuth
    kubeconfig "$at" controller-manager system:kube-controller-manager "$address"
    kubeconfig "$at" scheduler system:kube-scheduler "$address"
    # That of this host first.
    servers=https://$address:2379
    for it in "${addresses[@]}"; do [[ $it == "$address" ]] || servers+=,https://$it:2379; done
    for it in "${working[@]}"; do wait "$it"; done
    begin "$at" kube-apiserver --bind-address="$address" --advertise-address="$address" --secure-port=6443 \
        --etcd-servers="$servers" --etcd-prefix=/registry --etcd-cafile="$at/etcd-ca.crt" \
        --etcd-certfile="$at/apiserver-etcd-client.crt" --etcd-keyfile="$at/apiserver-etcd-client.key" \
        --service-cluster-ip-range=10.96.0.0/12 --service-account-issuer=https://kubernetes.default.svc.cluster.local \
        --service-account-key-file="$at/sa.pub" --service-account-signing-key-file="$at/sa.key" \
        --service-account-lookup=true --service-account-extend-token-expiration=false --client-ca-file="$at/ca.crt" \
        --tls-cert-file="$at/apiserver.crt" --tls-private-key-file="$at/apiserver.key" --kubelet-certificate-authority="$at/ca.crt" \
        --kubelet-client-certificate="$at/apiserver-kubelet-client.crt" --kubelet-client-key="$at/apiserver-kubelet-client.key" \
        --proxy-client-cert-file="$at/front-proxy-client.crt" --proxy-client-key-file="$at/front-proxy-client.key" \
        --requestheader-client-ca-file="$at/front-proxy-ca.crt" --requestheader-allowed-names=front-proxy-client \
        --requestheader-extra-headers-prefix=X-Remote-Extra- --requestheader-group-headers=X-Remote-Group \
        --requestheader-username-headers=X-Remote-User --authorization-mode=Node,RBAC --endpoint-reconciler-type=none \
        --authentication-config="$at/authentication.yaml" --admission-control-config-file="$at/admission.yaml" \
        --enable-admission-plugins=DenyServiceExternalIPs,EventRateLimit,NodeRestriction \
        --encryption-provider-config="$at/encryption.yaml" --encryption-provider-config-automatic-reload=true \
        --audit-policy-file="$at/audit-policy.yaml" --audit-log-path="$at/audit.log" --audit-log-maxage=30 \
        --audit-log-maxbackup=10 --audit-log-maxsize=100 --shutdown-delay-duration=5s --shutdown-send-retry-after=true \
        --shutdown-watch-termination-grace-period=5s --tls-min-version=VersionTLS12 --tls-cipher-suites=$suites \
        --allow-privileged=true --enable-bootstrap-token-auth=true --goaway-chance=0.001 \
        --kubelet-preferred-address-types=InternalIP,ExternalIP,Hostname --profiling=false --request-timeout=60s
    begin "$at" kube-controller-manager --kubeconfig="$at/controller-manager.conf" \
        --authentication-kubeconfig="$at/controller-manager.conf" --authorization-kubeconfig="$at/controller-manager.conf" \
        --bind-address="$address" --leader-elect=true --client-ca-file="$at/ca.crt" --requestheader-client-ca-file="$at/front-proxy-ca.crt" \
        --cluster-name=hand --cluster-cidr=10.244.0.0/16 --service-cluster-ip-range=10.96.0.0/12 --root-ca-file="$at/ca.crt" \
        --cluster-signing-cert-file="$at/ca.crt" --cluster-signing-key-file="$at/ca.key" --service-account-private-key-file="$at/sa.key" \
        --use-service-account-credentials=true --tls-min-version=VersionTLS12 --tls-cipher-suites=$suites --allocate-node-cidrs=true \
        --controllers='*,bootstrap-signer-controller,token-cleaner-controller' --profiling=false --terminated-pod-gc-threshold=12500
    begin "$at" kube-scheduler --kubeconfig="$at/scheduler.conf" --authentication-kubeconfig="$at/scheduler.conf" \
        --authorization-kubeconfig="$at/scheduler.conf" --bind-address="$address" --leader-elect=true --client-ca-file="$at/ca.crt" \
        --requestheader-client-ca-file="$at/front-proxy-ca.crt" --tls-min-version=VersionTLS12 --tls-cipher-suites=$suites --profiling=false
}

number=0 working=()
for address in "${addresses[@]}"; do
    number=$((number + 1))
    host $number "$address" &
    working+=($!)
done
# One by one, so that a failure is one.
for process in "${working[@]}"; do wait "$process"; done
wait

ask() { curl -sf -m 5 -o /dev/null --cacert "$ca/ca.crt" --cert "$ca/admin.crt" --key "$ca/admin.key" "https://$1:6443$2"; }
for address in "${addresses[@]}"; do
    until ask "$address" /readyz; do sleep 0.05; done
done
# Nobody makes a lease but who holds it.
for it in kube-controller-manager kube-scheduler; do
    until ask "$address" "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/$it"; do sleep 0.05; done
done

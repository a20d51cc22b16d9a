use super::super::arguments::Arguments;
use super::super::desired::Wish;
use super::super::notation::wish;
use super::*;

fn lines(component: Component, edit: impl Fn(&mut Wish)) -> Vec<String> {
    let mut wish = wish("a b c", "1.34");
    edit(&mut wish);
    let desired = Desired::new(wish).unwrap();
    let layout = Layout::new(&desired.name, "").unwrap();
    let place = desired.nodes[&"b".parse().unwrap()];
    flags(&desired, component, place, &layout)
}

fn check(component: Component, edit: impl Fn(&mut Wish), with: &[&str], without: &[&str]) {
    let found = lines(component, edit);
    for line in with {
        assert!(found.iter().any(|it| it == line), "{line} is not in {found:#?}");
    }
    for flag in without {
        assert!(!found.iter().any(|it| it.starts_with(flag)), "{flag} is in {found:#?}");
    }
}

const API_SERVER: &str = "\
--bind-address=192.0.2.2
--advertise-address=192.0.2.2
--secure-port=6443
--etcd-servers=https://192.0.2.2:2379,https://198.51.100.1:2379
--etcd-prefix=/registry
--etcd-cafile=/etc/kubernetes-prod/pki/etcd/ca.crt
--etcd-certfile=/etc/kubernetes-prod/pki/apiserver-etcd-client.crt
--etcd-keyfile=/etc/kubernetes-prod/pki/apiserver-etcd-client.key
--service-cluster-ip-range=10.96.0.0/12
--service-account-issuer=https://kubernetes.default.svc.cluster.local
--service-account-key-file=/etc/kubernetes-prod/pki/sa.pub
--service-account-signing-key-file=/etc/kubernetes-prod/pki/sa.key
--service-account-lookup=true
--service-account-extend-token-expiration=false
--client-ca-file=/etc/kubernetes-prod/pki/ca.crt
--tls-cert-file=/etc/kubernetes-prod/pki/apiserver.crt
--tls-private-key-file=/etc/kubernetes-prod/pki/apiserver.key
--kubelet-certificate-authority=/etc/kubernetes-prod/pki/ca.crt
--kubelet-client-certificate=/etc/kubernetes-prod/pki/apiserver-kubelet-client.crt
--kubelet-client-key=/etc/kubernetes-prod/pki/apiserver-kubelet-client.key
--proxy-client-cert-file=/etc/kubernetes-prod/pki/front-proxy-client.crt
--proxy-client-key-file=/etc/kubernetes-prod/pki/front-proxy-client.key
--requestheader-client-ca-file=/etc/kubernetes-prod/pki/front-proxy-ca.crt
--requestheader-allowed-names=front-proxy-client
--requestheader-extra-headers-prefix=X-Remote-Extra-
--requestheader-group-headers=X-Remote-Group
--requestheader-username-headers=X-Remote-User
--authorization-mode=Node,RBAC
--authentication-config=/etc/kubernetes-prod/authentication.yaml
--admission-control-config-file=/etc/kubernetes-prod/admission.yaml
--enable-admission-plugins=DenyServiceExternalIPs,EventRateLimit,NodeRestriction
--encryption-provider-config=/etc/kubernetes-prod/encryption.yaml
--encryption-provider-config-automatic-reload=true
--audit-policy-file=/etc/kubernetes-prod/audit-policy.yaml
--audit-log-path=/var/log/kubernetes-prod/audit.log
--audit-log-maxage=30
--audit-log-maxbackup=10
--audit-log-maxsize=100
--shutdown-delay-duration=5000ms
--shutdown-send-retry-after=true
--shutdown-watch-termination-grace-period=5s
--tls-min-version=VersionTLS12
--tls-cipher-suites=TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,\
TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,\
TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256
--allow-privileged=true
--enable-bootstrap-token-auth=true
--goaway-chance=0.001
--kubelet-preferred-address-types=InternalIP,ExternalIP,Hostname
--profiling=false
--request-timeout=60s";

const CONTROLLER_MANAGER: &str = "\
--kubeconfig=/etc/kubernetes-prod/controller-manager.conf
--authentication-kubeconfig=/etc/kubernetes-prod/controller-manager.conf
--authorization-kubeconfig=/etc/kubernetes-prod/controller-manager.conf
--bind-address=127.0.0.1
--leader-elect=true
--client-ca-file=/etc/kubernetes-prod/pki/ca.crt
--requestheader-client-ca-file=/etc/kubernetes-prod/pki/front-proxy-ca.crt
--cluster-name=prod
--cluster-cidr=10.244.0.0/16
--service-cluster-ip-range=10.96.0.0/12
--root-ca-file=/etc/kubernetes-prod/pki/ca.crt
--cluster-signing-cert-file=/etc/kubernetes-prod/pki/ca.crt
--cluster-signing-key-file=/etc/kubernetes-prod/pki/controller-manager/ca.key
--service-account-private-key-file=/etc/kubernetes-prod/pki/controller-manager/sa.key
--use-service-account-credentials=true
--tls-min-version=VersionTLS13
--allocate-node-cidrs=true
--controllers=*,bootstrap-signer-controller,token-cleaner-controller
--profiling=false
--terminated-pod-gc-threshold=12500";

const SCHEDULER: &str = "\
--kubeconfig=/etc/kubernetes-prod/scheduler.conf
--authentication-kubeconfig=/etc/kubernetes-prod/scheduler.conf
--authorization-kubeconfig=/etc/kubernetes-prod/scheduler.conf
--bind-address=127.0.0.1
--leader-elect=true
--client-ca-file=/etc/kubernetes-prod/pki/ca.crt
--requestheader-client-ca-file=/etc/kubernetes-prod/pki/front-proxy-ca.crt
--tls-min-version=VersionTLS13
--profiling=false";

#[test]
fn the_command_lines_are_these() {
    let tls = |it: &mut Wish| it.tls_min_version = TlsVersion::V13;
    assert_eq!(lines(Component::ApiServer, |_| ()).join("\n"), API_SERVER);
    assert_eq!(lines(Component::ControllerManager, tls).join("\n"), CONTROLLER_MANAGER);
    assert_eq!(lines(Component::Scheduler, tls).join("\n"), SCHEDULER);
}

#[test]
fn what_is_switched_off_leaves_nothing_behind() {
    let off = |it: &mut Wish| {
        it.audit = None;
        it.encryption = Encryption::None;
        it.anonymous_paths.clear();
        it.admission.disabled.insert("EventRateLimit".parse().unwrap());
        it.admission.enabled.insert("PodNodeSelector".parse().unwrap());
    };
    check(
        Component::ApiServer,
        off,
        &[
            "--anonymous-auth=false",
            "--enable-admission-plugins=DenyServiceExternalIPs,NodeRestriction,PodNodeSelector",
            "--disable-admission-plugins=EventRateLimit",
        ],
        &["--audit", "--encryption", "--authentication-config", "--admission-control"],
    );
}

#[test]
fn a_local_node_binds_to_its_address_and_is_no_endpoint() {
    let local = |it: &mut Wish| {
        for (at, place) in (2..).zip(it.nodes.values_mut()) {
            *place = Place { address: [127, 0, 0, at].into(), is_local: true };
        }
    };
    let reconciler = ["--bind-address=127.0.0.3", "--endpoint-reconciler-type=none"];
    check(Component::ApiServer, local, &reconciler, &[]);
    check(Component::Scheduler, local, &["--bind-address=127.0.0.3"], &["--endpoint"]);
}

#[test]
fn what_a_user_chose_is_not_set_a_second_time() {
    let edit = |it: &mut Wish| {
        let written = ["--profiling=true", "--request_timeout=90s"].map(str::to_owned);
        it.api_server.arguments = Arguments::new(Component::ApiServer, written.to_vec()).unwrap();
        it.feature_gates.insert("AllAlpha".parse().unwrap(), false);
        it.feature_gates.insert("ABeta".parse().unwrap(), true);
    };
    let gates = "--feature-gates=ABeta=true,AllAlpha=false";
    let own = ["--profiling=true", "--request_timeout=90s", gates];
    check(Component::ApiServer, edit, &own, &["--profiling=false", "--request-timeout"]);
    check(Component::Scheduler, edit, &["--profiling=false", gates], &["--request_", "--request-"]);
}

#[test]
fn nothing_listens_everywhere() {
    for component in Component::ALL {
        check(*component, |_| (), &[], &["--bind-address=0.0.0.0", "--insecure"]);
    }
}

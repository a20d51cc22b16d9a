//! Ranges of services and pods: whether they fit each other, the nodes, and the limits of Kubernetes.

use std::net::IpAddr;

use super::arguments::Arguments;
use super::cidr::Cidr;
use super::desired::Wish;
use super::refusal::{Refusal, Subject};

/// Everything that does not fit.
pub(super) fn faults(wish: &Wish) -> Vec<Refusal> {
    let mut faults = Vec::new();
    let kinds =
        [(Subject::ServiceCidrs, &wish.service_cidrs), (Subject::PodCidrs, &wish.pod_cidrs)];
    for (subject, ranges) in &kinds {
        faults.extend(families(subject, ranges));
    }
    faults.extend(wish.service_cidrs.iter().filter_map(|it| service_size(*it)));
    let is_default = |it: &Arguments| {
        [
            "node-cidr-mask-size",
            "node-cidr-mask-size-ipv4",
            "node-cidr-mask-size-ipv6",
            "allocate-node-cidrs",
        ]
        .iter()
        .all(|flag| !it.has(flag))
    };
    if is_default(&wish.controller_manager.arguments) {
        faults.extend(wish.pod_cidrs.iter().filter_map(|it| pod_size(*it)));
    }
    let all: Vec<_> = kinds
        .iter()
        .flat_map(|(subject, ranges)| ranges.iter().map(|it| (subject.clone(), *it)))
        .collect();
    for (at, (subject, range)) in all.iter().enumerate() {
        let earlier = all[..at].iter().find(|(_, it)| it.overlaps(*range));
        faults.extend(earlier.map(|(_, other)| Refusal::Overlap {
            subject: subject.clone(),
            range: *range,
            other: other.to_string(),
        }));
        let taken = addresses(wish).find(|(_, it)| range.contains(*it));
        faults.extend(taken.map(|(whose, address)| Refusal::Overlap {
            subject: subject.clone(),
            range: *range,
            other: format!("{address} of {whose}"),
        }));
    }
    faults.extend(other_family(wish));
    faults
}

/// Whatever must be reached from services and pods, and whose it is.
fn addresses(wish: &Wish) -> impl Iterator<Item = (String, IpAddr)> {
    let nodes = wish.nodes.iter().map(|(name, it)| (name.to_string(), it.address));
    let etcd = wish.etcd.endpoints.iter();
    let etcd = etcd.filter_map(|it| Some(("etcd".to_owned(), it.address()?)));
    let endpoint = wish.endpoint.address().map(|it| ("the endpoint".to_owned(), it));
    nodes.chain(etcd).chain(endpoint)
}

/// One, or one of each family.
fn families(subject: &Subject, ranges: &[Cidr]) -> Option<Refusal> {
    match ranges {
        [_] => None,
        [a, b] if a.is_v6() != b.is_v6() => None,
        _ => Some(Refusal::Families(subject.clone())),
    }
}

/// API servers refuse ranges with more than 20 bits (`cmd/kube-apiserver/app/options/validation.go`); with fewer than 4
/// there is hardly one address for each service that every cluster has.
fn service_size(range: Cidr) -> Option<Refusal> {
    let bits = range.host_bits();
    (!(4..=20).contains(&bits)).then(|| {
        let (shortest, longest) = if range.is_v6() { (108, 124) } else { (12, 28) };
        Refusal::Size { subject: Subject::ServiceCidrs, range, shortest, longest }
    })
}

/// Each node gets a range of 24 or 64 bits, and their number has at most 16 bits
/// (`pkg/controller/nodeipam/ipam/cidrset`).
fn pod_size(range: Cidr) -> Option<Refusal> {
    let node = if range.is_v6() { 64 } else { 24 };
    let is_fine = range.length() <= node && node <= range.length() + 16;
    (!is_fine).then(|| Refusal::Size {
        subject: Subject::PodCidrs,
        range,
        shortest: node - 16,
        longest: node,
    })
}

/// An API server advertises its address in the range of the first family, or does not start.
fn other_family(wish: &Wish) -> Option<Refusal> {
    let first = wish.service_cidrs.first()?;
    let (name, _) = wish.nodes.iter().find(|(_, it)| it.address.is_ipv6() != first.is_v6())?;
    Some(Refusal::OtherFamily { name: name.clone(), range: *first })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::kubernetes::arguments::Component;
    use crate::domain::kubernetes::notation::wish;

    fn check(services: &str, pods: &str, expected: &[&str]) {
        check_with(services, pods, |_| (), expected);
    }

    fn check_with(services: &str, pods: &str, edit: impl Fn(&mut Wish), expected: &[&str]) {
        let ranges = |it: &str| it.split_whitespace().map(|it| it.parse().unwrap()).collect();
        let mut wish = wish("a b", "1.34");
        (wish.service_cidrs, wish.pod_cidrs) = (ranges(services), ranges(pods));
        edit(&mut wish);
        let found = faults(&wish);
        let texts: Vec<_> = found.iter().map(|it| format!("{}: {it}", it.subject())).collect();
        assert_eq!(texts, expected, "{services} and {pods}");
    }

    #[test]
    fn ranges_overlap_neither_each_other_nor_what_they_must_reach() {
        check("10.96.0.0/12", "10.244.0.0/16", &[]);
        check("10.96.0.0/12 fd00::/108", "10.244.0.0/16 fd01::/48", &[]);
        check("10.96.0.0/12", "10.96.0.0/16", &["pod_cidrs: 10.96.0.0/16 overlaps 10.96.0.0/12"]);
        check("10.96.0.0/12", "192.0.0.0/16", &["pod_cidrs: 192.0.0.0/16 overlaps 192.0.2.1 of a"]);
        check_with(
            "203.0.113.0/24",
            "10.244.0.0/16",
            |it| it.endpoint = "203.0.113.9:6443".parse().unwrap(),
            &["service_cidrs: 203.0.113.0/24 overlaps 203.0.113.9 of the endpoint"],
        );
        check(
            "198.51.100.0/24",
            "10.244.0.0/16",
            &["service_cidrs: 198.51.100.0/24 overlaps 198.51.100.1 of etcd"],
        );
    }

    #[test]
    fn there_is_one_range_or_one_of_each_family() {
        let services = "service_cidrs: there is one range, or one of each family";
        check("", "10.244.0.0/16", &[services]);
        check("10.96.0.0/16 10.97.0.0/16", "10.244.0.0/16", &[services]);
        check("10.96.0.0/16 fd00::/108 fd01::/108", "10.244.0.0/16", &[services]);
        check(
            "fd00::/108 10.96.0.0/16",
            "10.244.0.0/16",
            &[
                "nodes[\"a\"].address: the address of a is of another family than fd00::/108, the first of service_cidrs",
            ],
        );
    }

    #[test]
    fn ranges_have_the_sizes_that_the_programs_take() {
        let size = "service_cidrs: 10.0.0.0/11 is not between /12 and /28";
        check("10.0.0.0/11", "10.244.0.0/16", &[size]);
        check(
            "10.96.0.0/29",
            "10.244.0.0/16",
            &["service_cidrs: 10.96.0.0/29 is not between /12 and /28"],
        );
        let pods = "pod_cidrs: 10.244.0.0/25 is not between /8 and /24";
        check("10.96.0.0/12", "10.244.0.0/25", &[pods]);
        let smaller = |it: &mut Wish| {
            let written = vec!["--node-cidr-mask-size=27".to_owned()];
            it.controller_manager.arguments =
                Arguments::new(Component::ControllerManager, written).unwrap();
        };
        check_with("10.96.0.0/12", "10.244.0.0/25", smaller, &[]);
        check(
            "10.96.0.0/12",
            "10.244.0.0/16 fd00::/40",
            &["pod_cidrs: fd00::/40 is not between /48 and /64"],
        );
    }
}

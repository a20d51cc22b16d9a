//! Backups of etcd: what a snapshot must be before it counts.

pub mod pages;

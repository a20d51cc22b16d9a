//! Observe and perform: what brings a topic of the domain to something real.

pub mod dns;

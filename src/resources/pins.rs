//! The keys that hosts have shown, where none was given.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::host::HostModel;

/// Host keys by where the hosts are: a key is good for whoever answers there, not for whatever something of the same name
/// will run on later.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Pins(BTreeMap<String, String>);

/// Where hosts are, by their keys in the fleet.
pub(super) type Places = BTreeMap<String, String>;

/// Where a host is.
pub(super) fn place_of(host: &HostModel) -> String {
    let address = host.address.or_default();
    host.port.known().map_or(address.clone(), |port| format!("{address} {port}"))
}

impl Pins {
    /// The key that the host at this place has shown.
    pub(super) fn of(&self, host: &HostModel) -> Option<&str> {
        self.0.get(&place_of(host)).map(String::as_str)
    }

    /// What the hosts of a run have shown, by their keys in the fleet.
    pub(super) fn take(&mut self, places: &Places, shown: &BTreeMap<String, String>) {
        let shown = shown.iter().filter_map(|(key, it)| Some((places.get(key)?, it)));
        self.0.extend(shown.map(|(place, it)| (place.clone(), it.clone())));
    }

    /// What a host has shown in a look: it is believed where nothing is known yet, as an apply does. This is how an import
    /// comes to its keys.
    pub(super) fn meet(&mut self, places: &Places, key: &str, shown: Option<&str>) {
        if let (Some(shown), Some(place)) = (shown, places.get(key)) {
            self.0.entry(place.clone()).or_insert_with(|| shown.to_owned());
        }
    }

    /// Forgets those of all other hosts.
    pub(super) fn retain<'a>(&mut self, hosts: impl Iterator<Item = &'a HostModel>) {
        let places: BTreeSet<_> = hosts.map(place_of).collect();
        self.0.retain(|it, _| places.contains(it));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(address: &str, port: Option<u16>) -> HostModel {
        HostModel { address: address.into(), port: port.into(), ..HostModel::default() }
    }

    #[test]
    fn a_key_belongs_to_a_place_and_not_to_a_name() {
        let places = Places::from([("a".to_owned(), place_of(&host("192.0.2.1", None)))]);
        let mut pins = Pins::default();
        pins.meet(&places, "a", Some("first"));
        pins.meet(&places, "a", Some("second"));
        pins.meet(&places, "b", Some("of nobody"));
        assert_eq!(pins.of(&host("192.0.2.1", None)), Some("first"));
        // The map was edited: another machine has this name now.
        assert_eq!(pins.of(&host("192.0.2.2", None)), None);
        assert_eq!(pins.of(&host("192.0.2.1", Some(2222))), None);
        pins.take(&places, &BTreeMap::from([("a".to_owned(), "third".to_owned())]));
        assert_eq!(pins.of(&host("192.0.2.1", None)), Some("third"));
        pins.retain([&host("192.0.2.2", None)].into_iter());
        assert_eq!(pins, Pins::default());
    }

    #[test]
    fn private_data_holds_them_as_a_map() {
        let text = r#"{"192.0.2.1":"x"}"#;
        let pins: Pins = serde_json::from_str(text).unwrap();
        assert_eq!(pins.of(&host("192.0.2.1", None)), Some("x"));
        assert_eq!(serde_json::to_string(&pins).unwrap(), text);
    }
}

//! What lies on the disk of a node, read back.

use std::collections::BTreeMap;

use super::arguments::Component;
use super::desired::Desired;
use super::files::{EncryptionKey, files};
use super::layout::Layout;
use super::observed::Settings;
use super::unit::service;
use crate::domain::host::Place;
use crate::domain::service::parse;

/// What the unit and the files of a component say. None: there is no unit, or nobody of us wrote it.
///
/// `contents` has what was found at the paths that [`files`] names. Without the `key` nothing is known of the file that
/// holds it, and nothing is current.
pub fn settings(
    desired: &Desired,
    component: Component,
    place: Place,
    at: &Layout,
    unit: &str,
    (contents, key): (&BTreeMap<String, String>, Option<&EncryptionKey>),
) -> Option<Settings> {
    let found = parse(&at.service(component), unit).ok()?;
    let version = at.version(component, &found.program)?;
    let is_unit = *found == service(desired, component, place, version, at);
    let has_key = key.is_some() || !desired.needs_key(component);
    let is_file = |it: &super::ConfigFile| contents.get(&it.path) == Some(&it.content);
    let are_files = files(desired, component, place, at, key).iter().all(is_file);
    Some(Settings { version, is_current: is_unit && has_key && are_files })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::kubernetes::notation::want;
    use crate::domain::kubernetes::{ConfigFile, Version};
    use crate::domain::service::{Definition, render};

    const KEY: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

    fn check(
        component: Component,
        edit: impl Fn(&mut String, &mut BTreeMap<String, String>),
        key: Option<&str>,
        expected: Option<bool>,
    ) {
        let desired = want("a b", "1.34");
        let place = desired.nodes[&"a".parse().unwrap()];
        let at = Layout::new(&desired.name, "/tmp/a").unwrap();
        let own = EncryptionKey::new(KEY);
        // A version that is not wished any more may be there as it should be.
        let version = Version::new(34, 2);
        let it = service(&desired, component, place, version, &at);
        let mut unit = render(&Definition::new(it).unwrap());
        let of = |it: ConfigFile| (it.path, it.content);
        let mut contents =
            files(&desired, component, place, &at, own.as_ref()).into_iter().map(of).collect();
        edit(&mut unit, &mut contents);
        let key = key.and_then(EncryptionKey::new);
        let found = settings(&desired, component, place, &at, &unit, (&contents, key.as_ref()));
        let expected = expected.map(|is_current| Settings { version, is_current });
        assert_eq!(found, expected, "{component}");
    }

    #[test]
    fn what_was_written_is_read_back_and_what_was_edited_is_noticed() {
        for component in Component::ALL {
            check(*component, |_, _| (), Some(KEY), Some(true));
            let edited =
                |it: &mut String, _: &mut _| *it = it.replace("profiling=false", "profiling=true");
            check(*component, edited, Some(KEY), Some(false));
            check(*component, |_, files| files.clear(), Some(KEY), Some(false));
            let theirs = |it: &mut String, _: &mut _| it.push_str("Nice=5\n");
            check(*component, theirs, Some(KEY), None);
            let elsewhere =
                |it: &mut String, _: &mut _| *it = it.replace("/tmp/a/usr/local", "/usr");
            check(*component, elsewhere, Some(KEY), None);
        }
        let other = "YWJjZGVmMDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODk=";
        check(Component::ApiServer, |_, _| (), Some(other), Some(false));
        check(Component::ApiServer, |_, _| (), None, Some(false));
        check(Component::Scheduler, |_, _| (), None, Some(true));
    }
}

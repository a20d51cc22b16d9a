//! Reference documentation in the layout of the registries, made of schemas and examples.
//!
//! It is pure: [`pages`] is given the texts of the examples and returns the texts of the pages. A
//! test of the provider compares them with its tree.

mod attributes;
mod changes;
mod contract;
mod literal;
mod markdown;
mod page;

use page::{Kind, Subject};

use super::api::{Provider, Registry};
use super::model::Model;
use super::schema::Schema;

/// A page must be smaller than this: the registries refuse others.
pub const PAGE_LIMIT: usize = 500_000;

/// One page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Where it belongs, from the folder `docs`: `resources/etcd_cluster.md`.
    pub path: String,
    /// Markdown with front matter.
    pub text: String,
}

/// All pages of a provider: its index first, then resources, data sources and ephemeral resources,
/// each by name.
///
/// `provider` is its short name, which the names of all types begin with: `ha`. `example` is asked
/// for the text of each file that may be shown, as `examples/provider/provider.tf` and, for a
/// resource, `resource.tf`, `import-by-identity.tf`, `import-by-string-id.tf` and `import.sh` of
/// `examples/resources/ha_etcd_cluster`.
pub fn pages<P: Provider>(
    registry: &Registry<P>,
    provider: &str,
    example: impl Fn(&str) -> Option<String>,
) -> Vec<Page> {
    let block = P::Config::schema(0);
    let served = served(registry);
    let mut pages = vec![index(provider, &block).index_page(&served, &example)];
    pages.extend(served.iter().map(|it| it.page(provider, &example)));
    pages
}

/// What users may rely on: a file for the provider block and one for each type that it serves, as
/// `resources/ha_etcd_cluster.txt`. A line for each attribute says what it holds, who sets it, its default, what it must
/// be, and what a change does; `{}` and `[]` stand for one object of many.
pub fn contract<P: Provider>(registry: &Registry<P>, provider: &str) -> Vec<Page> {
    let block = P::Config::schema(0);
    let served = served(registry);
    [index(provider, &block)].iter().chain(&served).map(Subject::contract).collect()
}

fn index<'a>(provider: &'a str, block: &'a Schema) -> Subject<'a> {
    Subject { kind: Kind::Provider, name: provider, schema: block, identity: None }
}

/// All types: resources first, then data sources and ephemeral resources, each by name.
fn served<P: Provider>(registry: &Registry<P>) -> Vec<Subject<'_>> {
    let resources = registry.resources.iter().map(|(name, it)| Subject {
        kind: Kind::Resource,
        name,
        schema: it.schema(),
        identity: it.identity(),
    });
    let data_sources = registry.data_sources.iter().map(|(name, it)| Subject {
        kind: Kind::DataSource,
        name,
        schema: it.schema(),
        identity: None,
    });
    let ephemerals = registry.ephemerals.iter().map(|(name, it)| Subject {
        kind: Kind::Ephemeral,
        name,
        schema: it.schema(),
        identity: None,
    });
    resources.chain(data_sources).chain(ephemerals).collect()
}

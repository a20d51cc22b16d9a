//! A page as a whole: front matter, title, description, example, reference, import.

use super::Page;
use super::attributes::{identity_reference, reference};
use super::contract;
use super::markdown::{block, clean, code, item, sentence, summary};
use crate::tfplugin::schema::Schema;

/// What a page is about.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Provider,
    Resource,
    DataSource,
    Ephemeral,
}

/// One thing that has a page.
pub(super) struct Subject<'a> {
    pub(super) kind: Kind,
    /// The full name: `ha_etcd_cluster`; of a provider its short name.
    pub(super) name: &'a str,
    pub(super) schema: &'a Schema,
    pub(super) identity: Option<&'a Schema>,
}

type Example<'a> = &'a dyn Fn(&str) -> Option<String>;

impl Kind {
    fn title(self) -> &'static str {
        match self {
            Self::Provider => "Provider",
            Self::Resource => "Resource",
            Self::DataSource => "Data Source",
            Self::Ephemeral => "Ephemeral Resource",
        }
    }

    fn folder(self) -> &'static str {
        match self {
            Self::Provider => "provider",
            Self::Resource => "resources",
            Self::DataSource => "data-sources",
            Self::Ephemeral => "ephemeral-resources",
        }
    }

    fn example(self) -> &'static str {
        match self {
            Self::Provider => "provider.tf",
            Self::Resource => "resource.tf",
            Self::DataSource => "data-source.tf",
            Self::Ephemeral => "ephemeral-resource.tf",
        }
    }
}

impl Subject<'_> {
    /// The page of a resource, data source or ephemeral resource.
    pub(super) fn page(&self, provider: &str, example: Example<'_>) -> Page {
        let (name, title) = (self.name, self.kind.title());
        let stem = name.strip_prefix(provider).and_then(|it| it.strip_prefix('_')).unwrap_or(name);
        let folder = self.kind.folder();
        let shown = |file: &str| example(&format!("examples/{folder}/{name}/{file}"));
        let page_title = format!("{name} {title} - {provider}");
        let mut parts = vec![
            front_matter(&page_title, true, &self.summary()),
            format!("# {name} ({title})\n"),
            paragraph(&self.schema.description),
        ];
        if self.kind == Kind::Ephemeral {
            parts.push(format!("> **Note:** {EPHEMERAL}\n"));
        }
        parts.extend(shown(self.kind.example()).map(|it| usage(&it)));
        parts.push(self.reference());
        parts.push(self.import(&shown));
        Page { path: format!("{folder}/{stem}.md"), text: joined(parts) }
    }

    /// The page of the provider, which also lists what it serves.
    pub(super) fn index_page(&self, served: &[Subject<'_>], example: Example<'_>) -> Page {
        let name = self.name;
        let shown = example(&format!("examples/{}/{}", self.kind.folder(), self.kind.example()));
        let parts = vec![
            front_matter(&format!("{name} Provider"), false, &self.summary()),
            format!("# {name} Provider\n"),
            paragraph(&self.schema.description),
            shown.map(|it| usage(&it)).unwrap_or_default(),
            contents(served),
            self.reference(),
        ];
        Page { path: "index.md".to_owned(), text: joined(parts) }
    }

    pub(super) fn contract(&self) -> Page {
        let path = format!("{}/{}.txt", self.kind.folder(), self.name);
        Page { path, text: contract::text(self.schema, self.identity) }
    }

    fn summary(&self) -> String {
        let summary = summary(&self.schema.description);
        if !summary.is_empty() {
            return summary;
        }
        format!("{} {}.", self.kind.title(), self.name)
    }

    fn reference(&self) -> String {
        let reference = reference(&self.schema.attributes, self.kind == Kind::Resource);
        let nothing = match self.kind {
            Kind::Provider => "The provider block takes no arguments.\n",
            _ => "There are no arguments.\n",
        };
        let text = if reference.is_empty() { nothing } else { &reference };
        format!("## Schema\n\n{text}")
    }

    fn import(&self, shown: &dyn Fn(&str) -> Option<String>) -> String {
        let (by_identity, by_id) =
            (shown("import-by-identity.tf"), shown("import-by-string-id.tf"));
        let command = shown("import.sh");
        if [&by_identity, &by_id, &command].iter().all(|it| it.is_none()) && self.identity.is_none()
        {
            return String::new();
        }
        let mut parts = vec!["## Import\n".to_owned()];
        let mut part = |text: &str, language: &str, example: Option<String>| {
            parts.extend(example.map(|it| format!("{text}\n\n{}", block(language, &it))));
        };
        part(BY_ID, "terraform", by_id);
        part(BY_COMMAND, "shell", command);
        if self.identity.is_some() || by_identity.is_some() {
            let shown = by_identity.map(|it| format!("\n{}", block("terraform", &it)));
            parts.push(format!("{BY_IDENTITY}\n{}", shown.unwrap_or_default()));
        }
        if let Some(identity) = self.identity {
            let heading = "### Identity Schema\n";
            parts.extend([heading.to_owned(), paragraph(&identity.description)]);
            parts.push(identity_reference(&identity.attributes));
        }
        joined(parts)
    }
}

const EPHEMERAL: &str = "Ephemeral resources need Terraform 1.10 or OpenTofu 1.11.";
const BY_ID: &str =
    "An `import` block names an existing object by its id (Terraform 1.5, OpenTofu 1.6):";
const BY_COMMAND: &str = "So does the command, which writes to the state at once:";
const BY_IDENTITY: &str = "From Terraform 1.12 and OpenTofu 1.12 on an `import` block may name it \
                           by its identity instead:";

/// Parts with an empty line between them.
fn joined(parts: Vec<String>) -> String {
    parts.into_iter().filter(|it| !it.is_empty()).collect::<Vec<_>>().join("\n")
}

/// An index page may have no subcategory, every other page needs one.
fn front_matter(page_title: &str, has_subcategory: bool, description: &str) -> String {
    let subcategory = if has_subcategory { "subcategory: \"\"\n" } else { "" };
    format!(
        "---\n# Made of the schema and the examples; what is edited here is overwritten.\n\
         page_title: \"{page_title}\"\n{subcategory}description: |-\n  {description}\n---\n"
    )
}

fn paragraph(markdown: &str) -> String {
    let text = clean(markdown);
    if text.is_empty() { text } else { format!("{text}\n") }
}

fn usage(example: &str) -> String {
    format!("## Example Usage\n\n{}", block("terraform", example))
}

/// What the provider serves, each with the first sentence of its description.
fn contents(served: &[Subject<'_>]) -> String {
    let mut text = String::from("## Contents\n\n");
    if served.is_empty() {
        text.push_str(
            "This version serves no resources, no data sources and no ephemeral resources.\n",
        );
    }
    for subject in served {
        let summary = subject.summary();
        let first = summary.split_once(". ").map_or(summary.as_str(), |(first, _)| first);
        let (name, title) = (code(subject.name), subject.kind.title().to_lowercase());
        text.push_str(&item('-', &format!("{name} ({title}): {}", sentence(&clean(first)))));
    }
    text
}

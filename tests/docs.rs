//! The reference documentation: that of the provider is the one in `docs/`, and a sample provider
//! with every rule shows how each is told.
#![allow(clippy::disallowed_methods, reason = "it compares files")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

#[path = "docs/sample.rs"]
mod sample;
#[path = "docs/tree.rs"]
mod tree;

use std::fs;
use std::path::Path;

use terraform_provider_ha::resources::registry;
use terraform_provider_ha::tfplugin::api::Registry;
use terraform_provider_ha::tfplugin::docs::{PAGE_LIMIT, Page, contract, pages};

/// Folders and files of `docs/` that are generated. The others are written by hand.
const GENERATED: [&str; 4] = ["index.md", "resources/", "data-sources/", "ephemeral-resources/"];

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn provider_pages() -> Vec<Page> {
    pages(&registry(), "ha", |path| fs::read_to_string(repository().join(path)).ok())
}

#[test]
fn the_documentation_is_that_of_the_schemas() {
    let is_generated = |path: &str| GENERATED.iter().any(|it| path.starts_with(it));
    tree::compare("1", &repository().join("docs"), &provider_pages(), is_generated);
}

/// `make docs` does not touch it: what users rely on changes knowingly.
#[test]
fn the_schemas_are_those_that_users_were_promised() {
    let lines = contract(&registry(), "ha");
    tree::compare("contract", &repository().join("tests/contract"), &lines, |_| true);
}

#[test]
fn every_type_has_an_example_and_every_example_a_type() {
    let with_examples: Vec<_> = provider_pages()
        .iter()
        .filter(|it| it.text.contains("\n## Example Usage\n"))
        .map(|it| it.path.clone())
        .collect();
    let all: Vec<_> = provider_pages().iter().map(|it| it.path.clone()).collect();
    assert_eq!(with_examples, all, "pages with an example, and all pages");
    for folder in ["resources", "data-sources", "ephemeral-resources"] {
        for name in tree::folders(&repository().join("examples").join(folder)) {
            let page = format!("{folder}/{}.md", name.trim_start_matches("ha_"));
            assert!(all.contains(&page), "examples/{folder}/{name} is of no type");
        }
    }
}

#[test]
fn the_page_of_the_module_has_all_that_goes_in_and_comes_out() {
    let folder = repository().join("modules/control-plane");
    let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
    let page = read("README.md");
    let (_, inputs) = page.split_once("\n## Inputs\n").unwrap();
    let (inputs, outputs) = inputs.split_once("\n## Outputs\n").unwrap();
    for (file, word, section) in
        [("variables.tf", "variable", inputs), ("outputs.tf", "output", outputs)]
    {
        let told = section.lines().filter_map(|it| it.strip_prefix("| ")?.split(" | ").next());
        let told = told.flat_map(|it| it.split(", ")).filter(|it| it.starts_with('`'));
        let told: Vec<_> = told.map(|it| it.trim_matches('`').to_owned()).collect();
        let text = read(file);
        let named = text.lines().filter_map(|it| it.strip_prefix(word)?.strip_prefix(" \""));
        let named: Vec<_> = named.map(|it| it.trim_end_matches("\" {").to_owned()).collect();
        assert_eq!(told, named, "{file} and the page");
    }
}

#[test]
fn what_backs_each_claim_of_the_readme_exists() {
    let page = fs::read_to_string(repository().join("README.md")).unwrap();
    let (_, claims) = page.split_once("\n| claim | backed by |\n|---|---|\n").unwrap();
    let (claims, _) = claims.split_once("\n\n").unwrap();
    for claim in claims.lines() {
        let links: Vec<_> = claim.split('[').skip(1).filter_map(|it| it.split_once("](")).collect();
        assert!(!links.is_empty(), "nothing backs {claim}");
        for (name, target) in links {
            let target = target.split(')').next().unwrap();
            let (path, heading) = target.split_once('#').unwrap_or((target, ""));
            let text = fs::read_to_string(repository().join(path)).unwrap();
            let is_heading = |it: &str| {
                let title = it.strip_prefix("## ").map(str::to_lowercase);
                title.is_some_and(|it| it.replace(' ', "-") == heading)
            };
            let name = name.trim_matches('`');
            let is_word = |it: &str| {
                it.split(|it: char| it != '_' && !it.is_alphanumeric()).any(|it| it == name)
            };
            let exists = if heading.is_empty() {
                text.lines().any(is_word)
            } else {
                text.lines().any(is_heading)
            };
            assert!(exists, "{target} has no {name}: {claim}");
        }
    }
}

#[test]
fn the_provider_has_no_schema_that_terraform_refuses() {
    check_flaws(&registry(), &[]);
}

#[test]
fn a_sample_with_every_rule_is_documented() {
    let pages = pages(&sample::registry(), "sample", sample::example);
    tree::compare("1", &repository().join("tests/snapshots/docs"), &pages, |_| true);
    let lines = contract(&sample::registry(), "sample");
    tree::compare("1", &repository().join("tests/snapshots/contract"), &lines, |_| true);
    check_flaws(&sample::registry(), &[]);
}

#[test]
fn each_flaw_is_told_with_what_it_is_in() {
    let flawed = [
        "resource sample_flawed: count: the name is reserved",
        "identity of sample_flawed: tags: an identity holds primitives and lists of them",
    ];
    check_flaws(&Registry::new(sample::Sample).resource(sample::Flawed), &flawed);
}

#[test]
fn every_page_fits_into_the_registry_and_has_no_broken_anchor() {
    let sample = pages(&sample::registry(), "sample", sample::example);
    for page in provider_pages().iter().chain(&sample) {
        assert!(page.text.len() < PAGE_LIMIT, "{} is too long", page.path);
        assert!(!page.text.contains("\n\n\n") && page.text.ends_with('\n'), "{}", page.path);
        for link in page.text.split("](#").skip(1) {
            let target = link.split(')').next().unwrap();
            let anchor = format!("<a id=\"{target}\"></a>\n");
            assert!(page.text.contains(&anchor), "{} has no {target}", page.path);
        }
    }
}

#[track_caller]
fn check_flaws<P: terraform_provider_ha::tfplugin::api::Provider>(
    registry: &Registry<P>,
    wanted: &[&str],
) {
    let flaws = registry.flaws();
    let flaws: Vec<_> = flaws.iter().map(|(of, flaw)| format!("{of}: {flaw}")).collect();
    assert_eq!(flaws, wanted);
}

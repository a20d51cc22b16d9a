//! What guides and the first page show is what the provider takes: the blocks of each are one configuration.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::directory::Directory;
use crate::engine::Engine;

/// The blocks of a page in this language, one after the other.
fn blocks(page: &str, language: &str) -> Vec<String> {
    let begin = format!("```{language}\n");
    let parts = page.split(begin.as_str()).skip(1);
    parts.map(|it| it.split_once("```\n").unwrap().0.to_owned()).collect()
}

/// For both engines, and written as they would write it.
#[track_caller]
fn is_valid(repository: &Path, configuration: &str) {
    for engine in [Engine::Terraform, Engine::Tofu] {
        let at = Directory::with_ha(engine);
        at.config(configuration);
        // As in a clone of the repository.
        symlink(repository.join("modules"), at.path("modules")).unwrap();
        at.run(&["fmt", "-check", "-diff", "main.tf"]).succeeds();
        at.run(&["get"]).succeeds();
        at.run(&["validate"]).succeeds();
    }
}

#[test]
fn the_example_of_the_first_page_is_valid() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(repository.join("README.md")).unwrap();
    let [example] = &blocks(&page, "terraform")[..] else { panic!("not one example:\n{page}") };
    is_valid(repository, example);
}

#[test]
fn each_guide_has_one_configuration_that_is_valid() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    let pages = fs::read_dir(repository.join("docs/guides")).unwrap().map(|it| it.unwrap().path());
    let mut checked = Vec::new();
    for page in pages {
        let text = fs::read_to_string(&page).unwrap();
        let name = page.file_stem().unwrap().to_str().unwrap().to_owned();
        assert!(text.starts_with("---\npage_title: "), "{name}: has no title");
        let configuration = blocks(&text, "terraform").join("\n");
        if configuration.is_empty() {
            continue;
        }
        is_valid(repository, &configuration);
        checked.push(name);
    }
    checked.sort();
    assert_eq!(checked, ["air-gapped", "day-2", "disaster-recovery", "getting-started", "hosts"]);
}

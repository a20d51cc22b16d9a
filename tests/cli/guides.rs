//! What guides show is what the provider takes: the blocks of each are one configuration.

use std::fs;
use std::path::Path;

use crate::directory::Directory;
use crate::engine::Engine;

/// The blocks of a page in this language, one after the other.
fn blocks(page: &str, language: &str) -> Vec<String> {
    let begin = format!("```{language}\n");
    let parts = page.split(begin.as_str()).skip(1);
    parts.map(|it| it.split_once("```\n").unwrap().0.to_owned()).collect()
}

#[test]
fn each_guide_has_one_configuration_that_is_valid() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/guides");
    let pages = fs::read_dir(folder).unwrap().map(|it| it.unwrap().path());
    let mut checked = Vec::new();
    for page in pages {
        let text = fs::read_to_string(&page).unwrap();
        let name = page.file_stem().unwrap().to_str().unwrap().to_owned();
        assert!(text.starts_with("---\npage_title: "), "{name}: has no title");
        let configuration = blocks(&text, "terraform").join("\n");
        if configuration.is_empty() {
            continue;
        }
        let at = Directory::with_ha(Engine::Terraform);
        at.config(&configuration);
        at.run(&["fmt", "-check", "-diff", "main.tf"]).succeeds();
        at.run(&["validate"]).succeeds();
        checked.push(name);
    }
    checked.sort();
    assert_eq!(checked, ["day-2", "hosts"]);
}

//! Pages against the files of a folder.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use terraform_provider_ha::tfplugin::docs::Page;

/// Fails with every file that is not as its page, is missing, or has no page. With this word in `UPDATE` it
/// writes and deletes them instead. Files that are not `ours` are left alone.
pub(crate) fn compare(word: &str, root: &Path, pages: &[Page], ours: impl Fn(&str) -> bool) {
    let wanted: BTreeMap<_, _> = pages.iter().map(|it| (it.path.clone(), &it.text)).collect();
    assert_eq!(wanted.len(), pages.len(), "two pages have the same path");
    if std::env::var("UPDATE").is_ok_and(|it| it == word) {
        update(root, &wanted, &ours);
    }
    let found: BTreeSet<_> = files(root, "").into_iter().filter(|it| ours(it)).collect();
    let mut faults: Vec<_> = wanted
        .iter()
        .filter_map(|(path, text)| match fs::read_to_string(root.join(path)) {
            Ok(file) if file == **text => None,
            Ok(file) => Some(format!("{path} is stale: {}", first_difference(&file, text))),
            Err(_) => Some(format!("{path} is missing")),
        })
        .collect();
    let orphans = found.iter().filter(|it| !wanted.contains_key(*it));
    faults.extend(orphans.map(|it| format!("{it} is of nothing that is served")));
    assert!(
        faults.is_empty(),
        "in {}:\n{}\n`UPDATE={word} cargo test --test docs` writes all of them anew",
        root.display(),
        faults.join("\n"),
    );
}

fn update(root: &Path, wanted: &BTreeMap<String, &String>, ours: &impl Fn(&str) -> bool) {
    for (path, text) in wanted {
        let file = root.join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }
    let orphans = files(root, "").into_iter().filter(|it| ours(it) && !wanted.contains_key(it));
    for path in orphans {
        fs::remove_file(root.join(path)).unwrap();
    }
}

fn first_difference(file: &str, wanted: &str) -> String {
    let (mut had, mut wants) = (file.lines(), wanted.lines());
    for line in 1.. {
        match (had.next(), wants.next()) {
            (None, None) => break,
            (had, wants) if had == wants => (),
            (had, wants) => {
                let [had, wants] = [had, wants].map(|it| it.unwrap_or("the end"));
                return format!("line {line} is\n  {had}\nand would become\n  {wants}");
            }
        }
    }
    "in its line ends".to_owned()
}

/// The paths of all files below a folder that may not exist, with `/` on every system.
fn files(root: &Path, below: &str) -> Vec<String> {
    let Ok(entries) = fs::read_dir(root.join(below)) else { return Vec::new() };
    let entries = entries.map(Result::unwrap).map(|it| {
        let path = format!("{below}{}", it.file_name().to_str().unwrap());
        if it.file_type().unwrap().is_dir() { files(root, &format!("{path}/")) } else { vec![path] }
    });
    entries.flatten().collect()
}

/// The names of the folders in a folder that may not exist.
pub(crate) fn folders(root: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(root) else { return Vec::new() };
    let folders = entries.map(Result::unwrap).filter(|it| it.file_type().unwrap().is_dir());
    folders.map(|it| it.file_name().to_str().unwrap().to_owned()).collect()
}

/// A folder of its own for a test.
fn scratch(pages: &[Page]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let wanted = pages.iter().map(|it| (it.path.clone(), &it.text)).collect();
    update(folder.path(), &wanted, &|_| true);
    folder
}

fn page(path: &str, text: &str) -> Page {
    Page { path: path.to_owned(), text: text.to_owned() }
}

#[test]
fn a_tree_as_its_pages_passes_and_other_files_are_left_alone() {
    let pages = [page("index.md", "a\n"), page("resources/b.md", "b\n")];
    let folder = scratch(&[pages.as_slice(), &[page("guides/c.md", "c\n")]].concat());
    compare("1", folder.path(), &pages, |it| !it.starts_with("guides/"));
    assert!(folder.path().join("guides/c.md").exists());
}

#[test]
fn stale_missing_and_orphaned_files_are_told() {
    if std::env::var("UPDATE").is_ok() {
        return;
    }
    let folder = scratch(&[page("index.md", "a\nb\n"), page("resources/old.md", "")]);
    let pages = [page("index.md", "a\nc\n"), page("resources/new.md", "")];
    let outcome = std::panic::catch_unwind(|| compare("1", folder.path(), &pages, |_| true));
    let told = outcome.unwrap_err().downcast::<String>().unwrap();
    for part in [
        "index.md is stale: line 2 is\n  b\nand would become\n  c",
        "resources/new.md is missing",
        "resources/old.md is of nothing that is served",
        "`UPDATE=1 cargo test --test docs`",
    ] {
        assert!(told.contains(part), "{told}");
    }
}

//! Promise: unsafe code stands only where SECURITY.md says, in every package of the workspace and in the Python package.

use std::path::{Path, PathBuf};

/// Files that may have unsafe code, each with its reason in an attribute.
const ALLOWED: [&str; 4] = [
    "cli/src/bench/floor.rs",
    "python/src/memory.rs",
    "src/core/options.rs",
    "src/source/mmap.rs",
];

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

/// The folders of the workspace's packages, as the root's manifest lists them.
fn members(manifest: &str) -> Vec<&str> {
    let list = manifest.split_once("\nmembers = [").expect("a list").1;
    let list = list.split_once(']').expect("its end").0;
    list.split(',')
        .map(|name| name.trim().trim_matches('"'))
        .collect()
}

#[test]
fn only_where_it_is_said_to_be() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest = std::fs::read_to_string(root.join("Cargo.toml")).expect("the manifest");
    let lints = manifest
        .split_once("[workspace.lints.rust]")
        .expect("lints")
        .1;
    let lints = lints.split("\n[").next().unwrap_or_default();
    assert!(lints.contains("\nunsafe_code = \"deny\""), "{lints}");
    let mut members = members(&manifest);
    assert!(members.contains(&".") && members.len() >= 4, "{members:?}");
    // A workspace of its own, with the same lints.
    members.push("python");
    let mut all = Vec::new();
    for member in members {
        let folder = root.join(member);
        let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).expect("a manifest");
        assert!(
            manifest.contains("[lints]\nworkspace = true"),
            "{member}: takes the workspace's lints"
        );
        // The root's folder has all the others in it.
        let sources = if member == "." { "src" } else { "" };
        files(&folder.join(sources), &mut all);
    }
    assert!(all.len() > 100, "{} files", all.len());
    let mut with: Vec<_> = all
        .into_iter()
        .filter(|path| {
            let text = std::fs::read_to_string(path).expect("a file");
            // The lint's name, in whatever attribute lets it pass.
            text.contains("unsafe_code")
        })
        .map(|path| {
            path.strip_prefix(root)
                .expect("inside")
                .display()
                .to_string()
        })
        .collect();
    with.sort();
    assert_eq!(with, ALLOWED);
    let security = std::fs::read_to_string(root.join("SECURITY.md")).expect("the page");
    assert!(security.contains("src/source/mmap.rs") && security.contains("zero_copy"));
}

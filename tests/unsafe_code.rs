//! Promise: unsafe code stands only where SECURITY.md says.

use std::path::{Path, PathBuf};

/// Files that may have unsafe code, each with its reason in an attribute.
const ALLOWED: [&str; 3] = [
    "src/bin/voxload/bench/floor.rs",
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

#[test]
fn only_where_it_is_said_to_be() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest = std::fs::read_to_string(root.join("Cargo.toml")).expect("the manifest");
    assert!(manifest.contains("[lints.rust]\nunsafe_code = \"deny\""));
    let mut all = Vec::new();
    files(&root.join("src"), &mut all);
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

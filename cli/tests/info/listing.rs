//! `voxload info -r`: what is in a folder, in the order of names.

use std::path::Path;

use serde_json::Value;

use super::{name, objects, printed, text, voxload};
use crate::support::files::folder;
use crate::support::nifti::{Nifti, gz};
use crate::support::seeds;

fn put(folder: &Path, name: &str, bytes: &[u8]) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    std::fs::write(path, bytes).expect("a file");
}

/// A data set: volumes of several formats and halves, files of other kinds, hidden and linked folders.
fn data_set(root: &Path) {
    let volume = Nifti::counting(&[4, 3, 2]);
    let series = Nifti::counting(&[4, 3, 2, 5]);
    put(root, "sub-01/anat/T1w.nii.gz", &gz(&volume.single(), 6));
    put(root, "sub-01/anat/T1w.json", b"{}");
    put(root, "sub-01/func/bold.nii", &series.single());
    put(root, "sub-02/anat/old.hdr", &volume.pair().0);
    put(root, "sub-02/anat/old.img", &volume.pair().1);
    put(root, "sub-02/anat/zipped.hdr", &volume.pair().0);
    put(root, "sub-02/anat/zipped.img.gz", &gz(&volume.pair().1, 6));
    put(root, "participants.tsv", b"id\n");
    put(root, ".git/objects/x.nii", &volume.single());
    put(root, ".hidden.nii", &volume.single());
    for (seed, folder) in [
        (seeds::afni(), "afni"),
        (seeds::parrec(), "philips"),
        (seeds::mhd(), "itk"),
    ] {
        std::fs::create_dir_all(root.join(folder)).expect("a folder");
        seed.write(&root.join(folder));
    }
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(root, root.join("loop")).expect("a link");
        std::os::unix::fs::symlink(root.join("sub-01/func/bold.nii"), root.join("link.nii"))
            .expect("a link");
    }
}

const EXPECTED: [&str; 9] = [
    "afni/seed+orig.HEAD  AFNI  2 x 3 x 4 x 2",
    "itk/seed.mhd  MetaImage  2 x 3 x 4",
    "link.nii  NIfTI-1  4 x 3 x 2 x 5",
    "philips/seed.par  PAR/REC  3 x 2 x 2 x 2",
    "sub-01/anat/T1w.nii.gz  NIfTI-1  4 x 3 x 2",
    "sub-01/func/bold.nii  NIfTI-1  4 x 3 x 2 x 5",
    "sub-02/anat/old.hdr  NIfTI-1 pair  4 x 3 x 2",
    "sub-02/anat/zipped.hdr  NIfTI-1 pair  4 x 3 x 2",
    "",
];

/// The first three columns of each line, below the root.
fn columns(shown: &str, root: &Path) -> Vec<String> {
    let prefix = format!("{}/", root.display());
    let rows = shown.lines().skip(1);
    rows.map(|row| {
        let cells: Vec<&str> = row
            .split("  ")
            .map(str::trim)
            .filter(|cell| !cell.is_empty())
            .collect();
        let cells: Vec<&str> = cells.into_iter().take(3).collect();
        cells.join("  ").replacen(&prefix, "", 1)
    })
    .collect()
}

#[cfg(unix)]
#[test]
fn a_data_set_is_listed_once_and_in_order() {
    let dir = folder();
    let root = dir.path();
    data_set(root);
    let shown = printed(&voxload(&["info", "-r", name(root)]));
    assert_eq!(columns(&shown, root), EXPECTED[..8], "{shown}");
    let titles: Vec<&str> = shown
        .lines()
        .next()
        .expect("titles")
        .split_whitespace()
        .collect();
    assert_eq!(
        titles,
        [
            "path", "format", "shape", "type", "voxel", "size", "TR", "problems"
        ]
    );
    let afni = shown
        .lines()
        .find(|line| line.contains("HEAD"))
        .expect("a line");
    for cell in ["int16", "1.5 x 2 x 3 mm", "2.5"] {
        assert!(afni.contains(cell), "{cell} in {afni}");
    }
    // The same as JSON, by the same schema as of single files.
    let listed = objects(&voxload(&["info", "-r", "--json", name(root)]));
    let files: Vec<&str> = listed
        .iter()
        .filter_map(|object| object["file"].as_str())
        .collect();
    assert_eq!(files.len(), 8);
    assert!(files[0].ends_with("afni/seed+orig.HEAD"), "{files:?}");
    assert!(listed.iter().all(|object| object["shape"].is_array()));
}

#[test]
fn problems_are_listed_and_are_the_status() {
    let dir = folder();
    let root = dir.path();
    put(root, "a.nii", &Nifti::counting(&[4, 3, 2]).single());
    put(
        root,
        "b/pointer.nii.gz",
        b"version https://git-lfs.github.com/spec/v1\n",
    );
    put(root, "c/alone.img", &[0; 48]);
    put(root, "d.nii.gz", &Nifti::counting(&[4, 3, 2]).single());
    let output = voxload(&["info", "-r", name(root)]);
    assert_eq!(output.status.code(), Some(1));
    let shown = text(&output.stdout);
    let line = |name: &str| {
        shown
            .lines()
            .find(|line| line.contains(name))
            .expect("a line")
            .to_owned()
    };
    assert_eq!(shown.lines().count(), 5, "{shown}");
    assert!(
        line("pointer.nii.gz")
            .ends_with("a Git LFS pointer, not the file itself: run git lfs pull"),
        "{shown}"
    );
    assert!(
        line("alone.img").contains("alone.hdr: no such file"),
        "{shown}"
    );
    assert!(
        line("d.nii.gz").ends_with("the content is not compressed, but the name ends in .gz"),
        "{shown}"
    );
    assert_eq!(
        text(&output.stderr),
        "voxload: 2 of 4 files cannot be loaded\n"
    );
    let output = voxload(&["info", "-r", "--json", name(root)]);
    assert_eq!(output.status.code(), Some(1));
    let failed = objects(&output)
        .into_iter()
        .filter(|object| object["error"] != Value::Null);
    assert_eq!(failed.count(), 2);
    // An empty folder has no volumes, which is no failure; one that is not there is.
    let empty = root.join("empty");
    std::fs::create_dir(&empty).expect("a folder");
    assert_eq!(
        printed(&voxload(&["info", "-r", name(&empty)]))
            .lines()
            .count(),
        1
    );
    let gone = voxload(&["info", "-r", name(&root.join("gone"))]);
    assert_eq!(gone.status.code(), Some(1));
}

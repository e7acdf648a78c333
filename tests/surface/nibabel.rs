//! The guide's table "every public name of nibabel's classes" against nibabel itself.

use std::collections::BTreeSet;
use std::process::Command;

/// Prints `prefix.name` for each public name of the classes and of instances of them.
const NAMES: &str = r#"
import io
import numpy as np
from nibabel import filebasedimages, spatialimages
from nibabel.arrayproxy import ArrayProxy
from nibabel.dataobj_images import DataobjImage
classes = {
    "img": [DataobjImage, spatialimages.SpatialImage, filebasedimages.FileBasedImage, filebasedimages.SerializableImage],
    "proxy": [ArrayProxy],
    "slicer": [spatialimages.SpatialFirstSlicer],
}
image = spatialimages.SpatialImage(np.zeros((2, 2, 2), "f4"), np.eye(4))
instances = {
    "img": image,
    "proxy": ArrayProxy(io.BytesIO(bytes(8)), ((2, 2, 2), "u1")),
    "slicer": image.slicer,
}
for prefix, found in classes.items():
    names = {name for cls in found for name in dir(cls)} | set(vars(instances[prefix]))
    for name in sorted(names):
        if not name.startswith("_"):
            print(f"{prefix}.{name}")
"#;

/// What the first column of the table names.
fn table() -> BTreeSet<String> {
    let guide = include_str!("../../doc/guide/nibabel.md");
    let (_, table) = guide
        .split_once("| public name | here |")
        .expect("the guide has the table");
    let rows = table
        .lines()
        .skip(2)
        .map_while(|line| line.strip_prefix("| "));
    let first = rows.filter_map(|row| row.split(" | ").next());
    let names: Vec<String> = first
        .flat_map(|cell| cell.split(", "))
        .map(|name| name.trim_matches('`').to_owned())
        .collect();
    let set: BTreeSet<String> = names.iter().cloned().collect();
    assert_eq!(set.len(), names.len(), "a name stands there twice");
    set
}

#[test]
fn the_table_has_every_public_name() {
    let table = table();
    assert!(table.len() > 40, "{table:?}");
    let Some(python) = std::env::var_os("VOXLOAD_ORACLE_PYTHON") else {
        println!("skipped: VOXLOAD_ORACLE_PYTHON is not set (tests/run.sh sets it)");
        return;
    };
    let asked = Command::new(python).args(["-c", NAMES]).output();
    let asked = asked.expect("the oracle's Python");
    let complaint = String::from_utf8_lossy(&asked.stderr);
    assert!(asked.status.success(), "{complaint}");
    let nibabel: BTreeSet<String> = String::from_utf8_lossy(&asked.stdout)
        .lines()
        .map(str::to_owned)
        .collect();
    let missing: Vec<_> = nibabel.difference(&table).collect();
    let invented: Vec<_> = table.difference(&nibabel).collect();
    assert!(
        missing.is_empty() && invented.is_empty(),
        "missing {missing:?}, not in nibabel {invented:?}"
    );
}

//! The loading options of the command have the same effect as the library's.

use serde_json::Value;
use voxload::format::Format;
use voxload::{DataobjImage, Index, LoadOptions, ParScaling};

use super::{fails, name, status, text, voxload};
use crate::support::files::folder;
use crate::support::seeds;

#[test]
fn loading_options_reach_the_library() {
    let dir = folder();
    let par = seeds::parrec().write(dir.path());
    let cut = dir.path().join("cut.par");
    let lines: Vec<&str> = seeds::PAR
        .lines()
        .filter(|line| !line.starts_with(" 2 1 2"))
        .collect();
    std::fs::write(&cut, lines.join("\n") + "\n").unwrap();
    std::fs::write(dir.path().join("cut.rec"), [5; 36]).unwrap();
    let analyze = seeds::analyze().write(dir.path());
    let none = LoadOptions::new;
    let table = [
        (&par, vec![], none()),
        (&par, vec!["--par-scaling", "dv"], none()),
        (
            &par,
            vec!["--par-scaling", "fp"],
            none().par_scaling(ParScaling::Fp),
        ),
        (&par, vec!["--strict-sort"], none().strict_sort(true)),
        (
            &cut,
            vec!["--permit-truncated"],
            none().permit_truncated(true),
        ),
        (
            &analyze,
            vec!["--format", "analyze"],
            none().format(Format::Analyze),
        ),
        (
            &analyze,
            vec!["--format", "spm99"],
            none().format(Format::Spm99Analyze),
        ),
        (
            &analyze,
            vec!["--format", "spm2"],
            none().format(Format::Spm2Analyze),
        ),
    ];
    let mut outputs = Vec::new();
    for (path, flags, options) in table {
        let image = DataobjImage::from_filename(path, &options).unwrap();
        let out = dir.path().join("out.raw");
        let args = ["convert", name(path), name(&out), "--dtype", "f64"];
        let output = voxload(&[&args[..], &flags].concat());
        assert_eq!(status(&output), 0, "{flags:?}: {}", text(&output.stderr));
        let values = image.dataobj().slice::<f64>(&Index::new()).unwrap();
        let found = std::fs::read(&out).unwrap();
        assert_eq!(
            found,
            bytemuck::cast_slice::<f64, u8>(values.as_slice()),
            "{flags:?}"
        );
        outputs.push(found);

        let output = voxload(&[&["info", "--json", name(path)], &flags[..]].concat());
        let shown: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(
            shown[0]["format"],
            image.header().format.name(),
            "{flags:?}"
        );
        assert_eq!(
            shown[0]["shape"],
            serde_json::json!(image.shape()),
            "{flags:?}"
        );

        let output = voxload(&[&["stats", "--json", name(path)], &flags[..]].concat());
        let shown: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(shown["count"], values.len(), "{flags:?}");
    }
    assert_eq!(outputs[0], outputs[1]);
    assert_ne!(outputs[0], outputs[2], "fp is another scaling");
    fails(&["info", name(&cut)], "incomplete volumes");
    let out = dir.path().join("refused.npy");
    let output = voxload(&["convert", name(&par), name(&out), "--par-scaling", "xy"]);
    assert_eq!(status(&output), 2, "wrong usage");
}

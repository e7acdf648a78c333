//! NIfTI made of random files of other formats, read by nibabel and SimpleITK: `tests/oracle/check_conversions.py`.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use voxload::{DType, SaveOptions};

use super::truth::{self, Truth};
use crate::support::environment::{oracle_python, skipped};
use crate::support::folder;
use crate::support::program::{script, text};

/// Writes the files that are asked for into a folder, and the list of them; one in `canonical` in canonical order too.
fn convert(files: &[Truth], folder: &Path, canonical: usize) -> std::path::PathBuf {
    let mut lines = String::new();
    for truth in files {
        let image = truth.load();
        // Scaled values would be rounded to whole numbers.
        let options = match truth.exact {
            true => SaveOptions::new(),
            false => SaveOptions::new().dtype(DType::F64),
        };
        let number = truth.number;
        let ending = if number % 5 == 0 { "nii.gz" } else { "nii" };
        let mut save = |what: &str, image: &voxload::DataobjImage, options: &SaveOptions| {
            let path = folder.join(format!("{number}_{}.{ending}", &what[..2]));
            let notes = voxload::save(image, &path, options)
                .unwrap_or_else(|error| panic!("{}: {error}", truth.path.display()));
            // Notes tell of axes that change places.
            let kept =
                ["ss", "sss", "ssst", "ssso", "ssstc", "sssoc"].contains(&truth.letters.as_str());
            assert_eq!(notes.is_empty(), kept, "{} {notes:?}", truth.letters);
            lines += &format!("{number}|{}|{what}\n", path.display());
        };
        save("as it is", &image, &options);
        if number % canonical == 1 {
            save("in NIfTI-2", &image, &options.nifti2());
        }
        if truth.letters.matches('s').count() == 3 && number % canonical == 0 {
            save(
                "canonical",
                &image.as_closest_canonical().unwrap(),
                &options,
            );
        }
    }
    let list = folder.join("list.txt");
    std::fs::write(&list, lines).unwrap();
    list
}

/// All files whose kinds begin with one of these, converted and compared.
fn are_right(formats: &[&str]) {
    let Some(python) = oracle_python() else {
        return skipped("NIfTI made of other formats", "no VOXLOAD_ORACLE_PYTHON");
    };
    let mut files = truth::all();
    files.retain(|truth| formats.iter().any(|format| truth.kind.starts_with(format)));
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for truth in &files {
        *counts.entry(&truth.kind).or_default() += 1;
    }
    assert!(counts.values().all(|&count| count >= 200), "{counts:?}");
    let folder = folder();
    let list = convert(&files, folder.path(), 8);
    let said = script(
        &python,
        "check_conversions.py",
        [truth::folder().as_os_str(), list.as_os_str()],
    );
    println!("{said}");
    assert!(said.contains(", 0 differ"), "{said}");
    for (kind, count) in counts {
        let line = format!("{kind} as it is: {count} files");
        assert!(said.contains(&line), "{line}: {said}");
    }
}

#[test]
#[ignore = "needs the files of tests/oracle (tests/run.sh)"]
fn nifti_made_of_nrrd() {
    are_right(&["NRRD"]);
}

#[test]
#[ignore = "needs the files of tests/oracle (tests/run.sh)"]
fn nifti_made_of_metaimage_and_minc() {
    are_right(&["MetaImage", "MINC"]);
}

#[test]
#[ignore = "needs the files of tests/oracle (tests/run.sh)"]
fn nifti_made_of_nifti_mgh_and_parrec() {
    are_right(&["NIfTI", "MGH", "PAR/REC"]);
}

/// Whatever is expected wrongly is found in every file: values, their order, places, intents, zooms, units.
#[test]
#[ignore = "needs the files of tests/oracle (tests/run.sh)"]
fn the_comparison_of_conversions_can_fail() {
    let Some(python) = oracle_python() else {
        return skipped("broken expectations", "no VOXLOAD_ORACLE_PYTHON");
    };
    // Volumes of three axes have no zoom but those of space.
    let mut files = truth::all();
    files.retain(|truth| truth.number % 20 == 0 && truth.letters != "sss");
    let folder = folder();
    let list = convert(&files, folder.path(), usize::MAX);
    let count = std::fs::read_to_string(&list).unwrap().lines().count();
    assert!(count >= 100, "{count}");
    let check = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle/check_conversions.py");
    for broken in ["value", "order", "place", "intent", "zoom", "unit"] {
        let arguments = [truth::folder(), list.clone(), broken.into()];
        let output = Command::new(&python).arg(&check).args(arguments).output();
        let said = text(&output.unwrap().stdout);
        let all = format!("compared {count}, {count} differ");
        assert!(said.contains(&all), "{broken}: {said}");
    }
}

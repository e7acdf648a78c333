//! The command's message for damaged files: one line with the file, the field, what was found and what was expected.

use std::process::Command;

use voxload::ByteOrder;

use crate::support::files::{folder, write};
use crate::support::nifti::{Nifti, gz, one, put_int, put_real, two};
use crate::support::seeds;
use crate::support::table::Row;

/// A file's name, its bytes, and the words that must be in the line.
type Bad = (&'static str, Vec<u8>, &'static [&'static str]);

fn table() -> Vec<Bad> {
    let sound = || Nifti::counting(&[4, 3, 2]).single();
    let with_int = |at, value| {
        let mut bytes = sound();
        put_int(&mut bytes, at, value, ByteOrder::Little);
        bytes
    };
    let with_real = |at, value| {
        let mut bytes = sound();
        put_real(&mut bytes, at, value, ByteOrder::Little);
        bytes
    };
    let text = |format: seeds::Seed, from: &str, to: &str| {
        let bytes = format.files.into_iter().next().expect("a header").1;
        String::from_utf8_lossy(&bytes)
            .replacen(from, to, 1)
            .into_bytes()
    };
    let zipped = gz(&sound(), 6);
    let mut wrong_sum = zipped.clone();
    let end = wrong_sum.len();
    wrong_sum[end - 8] ^= 1;
    let mut slope_alone = with_real(one::SCL_SLOPE, 2.0);
    put_real(
        &mut slope_alone,
        one::SCL_INTER,
        f64::INFINITY,
        ByteOrder::Little,
    );
    vec![
        ("dim.nii", with_int(one::DIM, -1), &["dim", "-1", "0 to 7"]),
        (
            "type.nii",
            with_int(one::DATATYPE, 3),
            &["datatype", "found 3", "expected"],
        ),
        (
            "offset.nii",
            with_real(one::VOX_OFFSET, 100.0),
            &["vox_offset", "found 100", "352"],
        ),
        (
            "nan.nii",
            with_real(one::VOX_OFFSET, f64::NAN),
            &["vox_offset", "found NaN", "352"],
        ),
        (
            "inter.nii",
            slope_alone,
            &["scl_inter", "found inf", "expected"],
        ),
        (
            "cut.nii",
            sound()[..360].to_vec(),
            &["truncated", "voxel data", "400", "360"],
        ),
        (
            "header.nii",
            sound()[..300].to_vec(),
            &["truncated", "header", "348", "300"],
        ),
        ("empty.nii", Vec::new(), &["empty"]),
        ("text.nii", b"no volume at all".repeat(40), &["format"]),
        (
            "cut.nii.gz",
            zipped[..zipped.len() - 3].to_vec(),
            &["truncated", "gzip trailer"],
        ),
        (
            "sum.nii.gz",
            wrong_sum,
            &["damaged gzip", "checksum", "the file says"],
        ),
        (
            "text.nii.gz",
            b"no volume at all".repeat(40),
            &["damaged gzip", "1f 8b"],
        ),
        (
            "pointer.nii.gz",
            b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n".to_vec(),
            &["Git LFS pointer", "not the file itself", "git lfs pull"],
        ),
        ("bomb.nii.gz", bomb(), &["inflated bytes", "limit"]),
        (
            "a.nrrd",
            text(seeds::nrrd(), "sizes: 2 3 4", "sizes: 2 x 4"),
            &["sizes", "found", "expected"],
        ),
        (
            "a.mha",
            text(seeds::mha(), "MET_SHORT", "MET_NONE"),
            &["ElementType", "MET_NONE", "expected"],
        ),
        (
            "new\nline.nii",
            with_int(one::DIM, 8),
            &["new\\nline.nii", "dim", "expected"],
        ),
        (
            "a.mgh",
            seeds::mgh().files[0].1[..100].to_vec(),
            &["truncated", "voxel data", "332", "100"],
        ),
    ]
}

fn bomb() -> Vec<u8> {
    let mut bytes = Nifti::counting(&[4, 3, 2]).version(2).single();
    put_int(&mut bytes, two::DIM.nth(1), 1 << 40, ByteOrder::Little);
    gz(&bytes, 9)
}

#[test]
fn one_line_names_file_and_field() {
    let row = Row::new("the command's messages");
    let table = table();
    let mut cases = 0;
    for (name, bytes, words) in &table {
        let folder = folder();
        let path = write(&folder, name, bytes);
        let output = folder.path().join("out.npy");
        for arguments in [
            vec!["convert".as_ref(), path.as_os_str(), output.as_os_str()],
            vec!["stats".as_ref(), path.as_os_str()],
        ] {
            let mut command = Command::new(env!("CARGO_BIN_EXE_voxload"));
            let ran = command.args(&arguments).output().expect("the command runs");
            let line = String::from_utf8_lossy(&ran.stderr).into_owned();
            let last = line.trim_end().lines().last().unwrap_or_default();
            assert_eq!(ran.status.code(), Some(1), "{name}: {line}");
            assert!(last.starts_with("voxload: "), "{name}: {line}");
            let faults = line
                .lines()
                .filter(|line| line.starts_with("voxload: "))
                .count();
            assert_eq!(faults, 1, "{name}: {line}");
            let file = name.rsplit('\n').next().expect("a name");
            for word in words.iter().chain(&[file]) {
                assert!(last.contains(word), "{name}: {word:?} in {last:?}");
            }
            assert!(
                !output.exists() && ran.stdout.is_empty(),
                "{name}: nothing incomplete"
            );
            cases += 1;
        }
    }
    row.done(cases, 2 * 18);
}

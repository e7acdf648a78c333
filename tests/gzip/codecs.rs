//! `.bz2` and `.zst`: bit-exact where the features are on, a clear error where they are not.

use voxload::{DType, ErrorKind, Index};

use super::files::{by_tool, open, scan};
use crate::support::rng::Rng;
use crate::support::slicing::random_index;
use crate::support::{folder, write};

/// The codecs, their tools, and whether this build has them.
const CODECS: [(&str, &str, bool); 2] = [
    ("bz2", "bzip2", cfg!(feature = "bz2")),
    ("zst", "zstd", cfg!(feature = "zst")),
];

#[test]
fn whole_reads_and_slices() {
    let folder = folder();
    let shape = [31, 23, 19, 7];
    let bytes = scan(DType::I16, &shape, 2).single();
    let plain = open(&write(&folder, "plain.nii", &bytes));
    let half = bytes.len() / 2;
    for (ending, tool, built) in CODECS {
        let Some(one) = by_tool(tool, &["-c", "-q"], &bytes) else {
            continue;
        };
        let parts = [&bytes[..half], &bytes[half..]];
        let two: Vec<u8> = parts
            .iter()
            .filter_map(|part| by_tool(tool, &["-c", "-q"], part))
            .flatten()
            .collect();
        for (n, file) in [one, two].into_iter().enumerate() {
            for name in [
                format!("it.nii.{ending}"),
                format!("IT.NII.{}", ending.to_uppercase()),
            ] {
                let path = write(&folder, &name, &file);
                if !built {
                    let error = voxload::load(&path).expect_err("not built");
                    assert!(matches!(error.kind(), ErrorKind::Unsupported(_)), "{error}");
                    continue;
                }
                let image = open(&path);
                #[cfg(target_os = "linux")]
                assert_eq!(crate::support::handles(&path), 0, "{ending}");
                let mut rng = Rng::new(3);
                let mut indexes = vec![Index::new()];
                indexes.extend((0..20).map(|_| random_index(&mut rng, &shape)));
                for index in indexes {
                    let found = image.dataobj().slice::<f32>(&index).expect("a read");
                    let right = plain.dataobj().slice::<f32>(&index).expect("a read");
                    assert_eq!(
                        found.as_slice(),
                        right.as_slice(),
                        "{ending} {n}: {index:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn damage_is_found() {
    let folder = folder();
    let bytes = scan(DType::I16, &[31, 23, 19, 7], 2).single();
    let plain = open(&write(&folder, "plain.nii", &bytes));
    let right = plain.dataobj().slice::<f32>(&Index::new()).expect("a read");
    for (ending, tool, built) in CODECS {
        let name = format!("it.nii.{ending}");
        let named = open(&write(&folder, &name, &bytes));
        let found = named.dataobj().slice::<f32>(&Index::new()).expect("a read");
        assert_eq!(found.as_slice(), right.as_slice(), "plain content: {name}");
        let text = b"neither compressed nor a volume".repeat(20);
        let error = voxload::load(write(&folder, &name, &text)).expect_err("a text");
        assert!(
            error.to_string().contains(&format!("not a {tool}")),
            "{error}"
        );
        let Some(file) = by_tool(tool, &["-c", "-q"], &bytes).filter(|_| built) else {
            continue;
        };
        let read = |file: &[u8]| {
            let image = voxload::load(write(&folder, &name, file))?;
            image.dataobj().slice::<f32>(&Index::new())
        };
        let mut rng = Rng::new(9);
        let mut harmless = 0;
        for _ in 0..300 {
            let mut flipped = file.clone();
            let at = rng.below(file.len());
            flipped[at] ^= 1 << rng.below(8);
            if let Ok(values) = read(&flipped) {
                assert!(values.as_slice() == right.as_slice(), "{ending}: byte {at}");
                harmless += 1;
            }
        }
        assert!(harmless < 10, "{ending}: {harmless} flips went unnoticed");
        for _ in 0..50 {
            let error = read(&file[..rng.below(file.len())]).expect_err("it is cut");
            let kind = error.kind();
            let cut = matches!(
                kind,
                ErrorKind::Truncated { .. } | ErrorKind::Integrity { .. } | ErrorKind::Empty
            );
            assert!(
                cut || matches!(kind, ErrorKind::UnknownFormat(_)),
                "{error}"
            );
        }
    }
}

//! Whole reads and slices of every kind of file are those of the plain file.

use half::f16;
use voxload::{DType, DataobjImage, Float, Index, LoadOptions, Threads};

use super::files::{kinds, open, scan};
use crate::support::nifti::Nifti;
use crate::support::rng::Rng;
use crate::support::slicing::random_index;
use crate::support::{folder, write};

fn same<T: Float>(found: &DataobjImage, plain: &DataobjImage, index: &Index, what: &str) {
    let values = |image: &DataobjImage| {
        let array = image
            .dataobj()
            .slice::<T>(index)
            .unwrap_or_else(|error| panic!("{what}: {error}"));
        array.as_slice().to_vec()
    };
    assert!(
        bytemuck::cast_slice::<T, u8>(&values(found))
            == bytemuck::cast_slice::<T, u8>(&values(plain)),
        "{what}: {index:?} in {}",
        T::DTYPE
    );
}

#[test]
fn whole_reads_of_every_kind() {
    let folder = folder();
    for dtype in [DType::U8, DType::I16, DType::F32, DType::F64] {
        let bytes = scan(dtype, &[61, 53, 29, 5], 7).single();
        let plain = open(&write(&folder, "plain.nii", &bytes));
        for (name, file) in kinds(&bytes) {
            let what = format!("{name}, {dtype}");
            let image = open(&write(&folder, "it.nii.gz", &file));
            let all = Index::new();
            same::<f32>(&image, &plain, &all, &what);
            same::<f64>(&image, &plain, &all, &what);
            same::<f16>(&image, &plain, &all, &what);
            let stored = image.dataobj().unscaled().expect("a read");
            assert!(
                stored.as_bytes() == plain.dataobj().unscaled().expect("a read").as_bytes(),
                "{what}"
            );
            assert_eq!(image.notes(), [], "{what}");
        }
    }
}

#[test]
fn whole_reads_of_the_data_file_of_a_pair() {
    let folder = folder();
    for dtype in [DType::U8, DType::I16, DType::F32] {
        let (header, data) = scan(dtype, &[61, 53, 29, 5], 7).pair();
        let plain = open(&{
            write(&folder, "p.hdr", &header);
            write(&folder, "p.img", &data)
        });
        write(&folder, "z.hdr.gz", &crate::support::nifti::gz(&header, 6));
        for (name, file) in kinds(&data) {
            let image = open(&write(&folder, "z.img.gz", &file));
            same::<f32>(&image, &plain, &Index::new(), &format!("{name}, {dtype}"));
        }
    }
}

#[test]
fn slices_of_every_kind() {
    let folder = folder();
    let shape = [61, 53, 29, 16];
    let bytes = scan(DType::I16, &shape, 8).single();
    let plain = open(&write(&folder, "plain.nii", &bytes));
    let mut rng = Rng::new(81);
    for (name, file) in kinds(&bytes) {
        let path = write(&folder, "it.nii.gz", &file);
        let kept = LoadOptions::new().gzip_index(folder.path().join("it.index"));
        for options in [LoadOptions::new(), LoadOptions::new().gzip_cache(0), kept] {
            let image = DataobjImage::from_filename(&path, &options).expect("it loads");
            for _ in 0..8 {
                same::<f32>(&image, &plain, &random_index(&mut rng, &shape), &name);
            }
            same::<f32>(
                &image,
                &plain,
                &Index::new(),
                &format!("{name} after slices"),
            );
        }
    }
}

/// Names say little, content says all.
#[test]
fn names_and_content() {
    let folder = folder();
    let bytes = scan(DType::I16, &[11, 7, 5], 9).single();
    let plain = open(&write(&folder, "plain.nii", &bytes));
    let zipped = crate::support::nifti::gz(&bytes, 6);
    for name in ["named.nii", "UPPER.NII.GZ", "Mixed.nii.Gz", "upper.NII.gz"] {
        same::<f32>(
            &open(&write(&folder, name, &zipped)),
            &plain,
            &Index::new(),
            name,
        );
    }
    same::<f32>(
        &open(&write(&folder, "not.nii.gz", &bytes)),
        &plain,
        &Index::new(),
        "not.nii.gz",
    );
    let text = b"neither gzip nor a volume".repeat(20);
    let error = voxload::load(write(&folder, "text.nii.gz", &text)).expect_err("a text");
    assert!(error.to_string().contains("not a gzip file"), "{error}");
}

/// The three bytes of a colour do not divide a piece of inflated bytes.
#[test]
fn colours_of_every_kind() {
    let folder = folder();
    for dtype in [DType::Rgb24, DType::Rgba32] {
        let shape = [301, 300, 8];
        let voxels = shape.iter().product::<usize>() * dtype.size_bytes();
        let mut bytes = Rng::new(77).bytes(voxels);
        bytes.iter_mut().for_each(|byte| *byte %= 16);
        let bytes = Nifti::new(dtype, &shape, bytes).single();
        let stored = |image: &DataobjImage| image.dataobj().unscaled().expect("a read");
        let plain = stored(&open(&write(&folder, "plain.nii", &bytes)));
        for (name, file) in kinds(&bytes) {
            let path = write(&folder, "it.nii.gz", &file);
            let one = LoadOptions::new().threads(Threads::new(1).expect("a thread"));
            for options in [LoadOptions::new(), one] {
                let image = DataobjImage::from_filename(&path, &options).expect("it loads");
                let found = stored(&image);
                assert!(found.as_bytes() == plain.as_bytes(), "{name}, {dtype}");
            }
        }
    }
}

//! Where voxels are: vectors stored first, and quaternions that are too long.

use voxload::format::nifti::NiftiHeader;
use voxload::{AxisKind, DataobjImage, LoadOptions};

use super::{field, loaded, written};
use crate::support::folder;

#[test]
fn the_affine_of_a_vector_field_belongs_to_its_axes_of_space() {
    let folder = folder();
    let text = "NRRD0004\ntype: float\ndimension: 4\nspace: left-posterior-superior\nsizes: 3 4 5 6\n\
                space directions: none (2,0,0) (0,3,0) (0,0,4)\nkinds: vector domain domain domain\n\
                endian: little\nencoding: raw\nspace origin: (10,20,30)\n\n";
    let voxels: Vec<u8> = (0..360).flat_map(|n| (n as f32).to_le_bytes()).collect();
    let image = loaded(
        folder.path(),
        "vector_first.nrrd",
        [text.as_bytes(), &voxels].concat(),
    )
    .unwrap();
    let header = image.header();
    assert_eq!(header.axes[0], AxisKind::Component);
    assert_eq!(header.space_axes(), [1, 2, 3]);
    let affine = image.affine().unwrap();
    let place: Vec<f64> = affine[..3]
        .iter()
        .map(|row| row[0] + 2.0 * row[1] + 3.0 * row[2] + row[3])
        .collect();
    assert_eq!(place, [-12.0, -26.0, 42.0]);
    let array = image.dataobj().read::<f32>().unwrap();
    for component in 0..3 {
        let index = [component, 1, 2, 3];
        let stored = component + 3 * (1 + 4 * (2 + 5 * 3));
        assert_eq!(array.view()[index], stored as f32);
    }
}

/// A file with a qform of this quaternion, and no sform.
fn with_quaternion(b: f64, c: f64, d: f64) -> Vec<u8> {
    let header = NiftiHeader {
        sizeof_hdr: 348,
        dim: [3, 2, 3, 4, 1, 1, 1, 1],
        datatype: 4,
        bitpix: 16,
        pixdim: [1.0, 2.0, 2.0, 2.0, 0.0, 0.0, 0.0, 0.0],
        vox_offset: 352.0,
        qform_code: 1,
        quatern_b: b,
        quatern_c: c,
        quatern_d: d,
        magic: "n+1".to_owned(),
        ..NiftiHeader::default()
    };
    let mut bytes = header.to_bytes();
    bytes.resize(352 + 48, 0);
    bytes
}

#[test]
fn a_long_quaternion_has_a_way_in() {
    let folder = folder();
    let path = written(
        folder.path(),
        "long_quaternion.nii",
        with_quaternion(0.70712, 0.70712, 0.0),
    );
    let (of, message) = field(voxload::load(&path));
    assert_eq!(of, "quatern_b");
    assert!(message.contains("quaternion_threshold"), "{message}");
    let with = |threshold: f64| {
        DataobjImage::from_filename(&path, &LoadOptions::new().quaternion_threshold(threshold))
    };
    // The squared scalar part is -3.74e-5.
    assert_eq!(field(with(1e-5)).0, "quatern_b");
    assert_eq!(field(with(3.7e-5)).0, "quatern_b");
    let image = with(1e-4).unwrap();
    // A turn by 180 degrees about the diagonal of x and y: they change places, and z turns round.
    let right = [
        [0.0, 2.0, 0.0, 0.0],
        [2.0, 0.0, 0.0, 0.0],
        [0.0, 0.0, -2.0, 0.0],
        [0.0, 0.0, 0.0, 1.0],
    ];
    let affine = *image.affine().unwrap();
    for (found, right) in affine.as_flattened().iter().zip(right.as_flattened()) {
        assert!((found - right).abs() < 1e-6, "{affine:?}");
    }
    // What is saved of it can be read without the option, and is in the same place.
    let mut image = image;
    let saved = folder.path().join("saved.nii");
    image.to_filename(&saved).unwrap();
    let again = voxload::load(&saved).unwrap();
    for (found, right) in again
        .affine()
        .unwrap()
        .as_flattened()
        .iter()
        .zip(affine.as_flattened())
    {
        assert!((found - right).abs() < 1e-6, "{:?}", again.affine());
    }
}

#[test]
fn a_threshold_counts_small_squares_as_nothing() {
    let folder = folder();
    // The squared scalar part is 1 - 0.999^2 = 0.002.
    let path = written(folder.path(), "near.nii", with_quaternion(0.999, 0.0, 0.0));
    let with = |threshold: f64| {
        let options = LoadOptions::new().quaternion_threshold(threshold);
        *DataobjImage::from_filename(&path, &options)
            .unwrap()
            .affine()
            .unwrap()
    };
    assert_eq!(*voxload::load(&path).unwrap().affine().unwrap(), with(1e-3));
    let turned = with(1e-2);
    assert_eq!(turned[1], [0.0, -2.0, 0.0, 0.0]);
    assert_ne!(turned, with(1e-3));
    for quaternion in [f64::from(f32::MAX), f64::INFINITY] {
        let path = written(
            folder.path(),
            "far.nii",
            with_quaternion(quaternion, 0.0, 0.0),
        );
        let options = LoadOptions::new().quaternion_threshold(1e300);
        let loaded = DataobjImage::from_filename(&path, &options);
        assert_eq!(loaded.is_err(), quaternion.is_infinite());
    }
}

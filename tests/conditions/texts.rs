//! Text headers as MetaIO, teem and AFNI read them, and CIFTI's XML.

use voxload::format::Fields;
use voxload::format::cifti::CiftiMeaning;
use voxload::{AxisKind, DType, DataobjImage, LoadOptions, TimeUnit};

use super::{field, loaded, values, written};
use crate::formats::seeds;
use crate::support::folder;

#[test]
fn element_size_is_the_spacing_where_there_is_no_other() {
    let folder = folder();
    let header = |lines: &str| {
        let text = format!(
            "ObjectType = Image\nNDims = 3\nDimSize = 3 4 5\nElementType = MET_UCHAR\n{lines}\
             ElementDataFile = LOCAL\n"
        );
        [text.as_bytes(), &[0; 60]].concat()
    };
    let size = "ElementSize = 0.7 0.7 2.5\n";
    let image = loaded(folder.path(), "element_size.mha", header(size)).unwrap();
    assert_eq!(image.header().zooms, [0.7, 0.7, 2.5]);
    assert_eq!(image.affine().unwrap()[2][2], 2.5);
    let both = format!("{size}ElementSpacing = 1 2 3\n");
    let image = loaded(folder.path(), "both.mha", header(&both)).unwrap();
    assert_eq!(image.header().zooms, [1.0, 2.0, 3.0]);
    // The order of ITK 5.4.
    for (lines, x) in [
        ("Position = 1 0 0\n", -1.0),
        ("Position = 1 0 0\nOffset = 2 0 0\n", -2.0),
        ("Origin = 3 0 0\nPosition = 1 0 0\nOffset = 2 0 0\n", -3.0),
        ("ImagePosition = 4 0 0\nOrigin = 3 0 0\n", -4.0),
    ] {
        let image = loaded(folder.path(), "origin.mha", header(lines)).unwrap();
        assert_eq!(image.affine().unwrap()[0][3], x, "{lines}");
    }
}

#[test]
fn metaimage_with_any_first_key_and_separator() {
    let folder = folder();
    let voxels: Vec<u8> = (0..12).collect();
    for text in [
        "Modality = MET_MOD_CT\nObjectType = Image\nNDims = 2\nDimSize = 3 4\nElementType = MET_UCHAR\n\
         ElementDataFile = LOCAL\n",
        "Comment: a = b : c\nNDims : 2\nDimSize := 3 4\nElementType: MET_UCHAR\nElementDataFile : LOCAL\n",
        "# a comment\n\nNDims=2\r\nDimSize=3 4 5\r\nElementType=MET_UCHAR\r\nElementDataFile=Local\r\n",
        "MyOwnKey = 1\nNDims = 2\nDimSize = 3 4\nElementSpacing = 1 1 1\nElementType = MET_UCHAR\n\
         ElementDataFile = local\n",
    ] {
        let bytes = [text.as_bytes(), &voxels].concat();
        let image = loaded(folder.path(), "any.mha", &bytes).unwrap();
        assert_eq!(image.shape(), [3, 4], "{text}");
        assert_eq!(values(&image)[11], 11.0, "{text}");
    }
    // A first line that is longer than what is read to recognise the format.
    let text = format!(
        "Comment = {}\nNDims = 2\nDimSize = 3 4\nElementType = MET_UCHAR\nElementDataFile = LOCAL\n",
        "x".repeat(1000)
    );
    let bytes = [text.as_bytes(), &voxels].concat();
    let image = loaded(folder.path(), "long.mha", &bytes).unwrap();
    assert_eq!(values(&image)[11], 11.0);
    // A header's size counts from the start of the file.
    let text = "NDims = 2\nHeaderSize = 200\nDimSize = 3 4\nElementType = MET_UCHAR\nElementDataFile = LOCAL\n";
    let mut bytes = text.as_bytes().to_vec();
    bytes.resize(200, b'x');
    bytes.extend(&voxels);
    let image = loaded(folder.path(), "size.mha", &bytes).unwrap();
    assert_eq!(values(&image)[11], 11.0);
    // Without a name the content has to be of the format for sure.
    let text = "Modality = MET_MOD_CT\nNDims = 1\nDimSize = 2\nElementType = MET_UCHAR\nElementDataFile = LOCAL\n";
    let bytes = [text.as_bytes(), &[3, 4]].concat();
    assert_eq!(
        values(&DataobjImage::from_bytes(bytes).unwrap()),
        [3.0, 4.0]
    );
    for other in [
        "Name: something\nKey: value\n",
        "key = value\n[section]\n",
        "a plain text\n",
    ] {
        assert!(
            DataobjImage::from_bytes(other.as_bytes().to_vec()).is_err(),
            "{other}"
        );
    }
}

#[test]
fn nrrd_of_the_first_version() {
    let folder = folder();
    let text = "NRRD00.01\ntype: uchar\ndimension: 2\nsizes: 2 2\nencoding: raw\n\n";
    let bytes = [text.as_bytes(), &[1, 2, 3, 4]].concat();
    let image = loaded(folder.path(), "first.nrrd", &bytes).unwrap();
    assert_eq!(values(&image), [1.0, 2.0, 3.0, 4.0]);
    for magic in ["NRRD00.02", "NRRD0007", "NRRD0000"] {
        let bytes = [text.replace("NRRD00.01", magic).as_bytes(), &[0; 4]].concat();
        assert!(
            loaded(folder.path(), "other.nrrd", bytes).is_err(),
            "{magic}"
        );
    }
}

/// A head of one byte per voxel, without the two attributes that nibabel needs.
fn head(attributes: &str) -> String {
    let mut text = seeds::HEAD.to_owned();
    for name in ["BYTEORDER_STRING", "IJK_TO_DICOM_REAL"] {
        text = text.replace(name, &format!("NO_{name}"));
    }
    text + attributes
}

#[test]
fn afni_without_a_byte_order_and_a_matrix() {
    let folder = folder();
    written(folder.path(), "a+orig.BRIK", (0..96).collect::<Vec<u8>>());
    // The first axis goes from superior (5), the second from left to right (1), the third from anterior (3).
    let attributes = "\ntype = integer-attribute\nname = ORIENT_SPECIFIC\ncount = 3\n 5 1 3\n
type = float-attribute\nname = ORIGIN\ncount = 3\n 40 50 60\n";
    let image = loaded(folder.path(), "a+orig.HEAD", head(attributes)).unwrap();
    let right = [
        [0.0, -2.0, 0.0, -50.0],
        [0.0, 0.0, -3.0, -60.0],
        [-1.5, 0.0, 0.0, 40.0],
        [0.0, 0.0, 0.0, 1.0],
    ];
    assert_eq!(
        image.affine().unwrap().map(|row| row.map(|x| x + 0.0)),
        right
    );
    let notes = image.notes();
    assert!(
        notes.iter().any(|note| note.field == "BYTEORDER_STRING"),
        "{notes:?}"
    );
    assert_eq!(image.header().byte_order, voxload::ByteOrder::NATIVE);
    // Without these attributes there is nothing to go by.
    let (of, message) = field(loaded(folder.path(), "a+orig.HEAD", head("")));
    assert_eq!(of, "IJK_TO_DICOM_REAL");
    assert!(message.contains("ORIENT_SPECIFIC"), "{message}");
    for codes in ["5 1 4", "0 2 6", "0 2 -1"] {
        let attributes = attributes.replace("5 1 3", codes);
        let result = loaded(folder.path(), "a+orig.HEAD", head(&attributes));
        assert_eq!(field(result).0, "ORIENT_SPECIFIC", "{codes}");
    }
}

#[test]
fn afni_complex_numbers_are_two_floats() {
    let folder = folder();
    let mut seed = seeds::afni();
    let text = seeds::HEAD.replace("count = 2\n 1 1\n", "count = 2\n 5 5\n");
    let text = text.replace("BRICK_FLOAT_FACS", "NO_FACS");
    *seed.header() = text.into_bytes();
    let numbers = (0..96).map(|n| n as f32);
    seed.files[1].1 = numbers.flat_map(f32::to_le_bytes).collect();
    let image = voxload::load(seed.write(folder.path())).unwrap();
    assert_eq!(image.header().dtype, DType::C64);
    let complex = image.dataobj().read::<voxload::c64>().unwrap();
    assert_eq!(complex.as_slice()[1], voxload::c64::new(2.0, 3.0));
    assert_eq!(complex.as_slice()[47], voxload::c64::new(94.0, 95.0));
}

/// A CIFTI-2 file of two maps and three indices, with this XML.
fn cifti(xml: &str) -> Vec<u8> {
    let mut bytes = seeds::cifti().header().clone();
    bytes.truncate(544);
    let size = (8 + xml.len()).next_multiple_of(16);
    bytes.extend((size as i32).to_be_bytes());
    bytes.extend(32i32.to_be_bytes());
    bytes.extend(xml.bytes());
    bytes.resize(544 + size, 0);
    let offset = bytes.len() as i64;
    bytes[168..176].copy_from_slice(&offset.to_be_bytes());
    bytes.resize(bytes.len() + 24, 0);
    bytes
}

const SERIES: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<CIFTI Version="2"><Matrix>
<MatrixIndicesMap AppliesToMatrixDimension="0" IndicesMapToDataType="CIFTI_INDEX_TYPE_SERIES"
  NumberOfSeriesPoints="3" SeriesExponent="-3" SeriesStart="0.0" SeriesStep="720" SeriesUnit="SECOND"/>
<MatrixIndicesMap AppliesToMatrixDimension="1" IndicesMapToDataType="CIFTI_INDEX_TYPE_BRAIN_MODELS">
  <BrainModel IndexOffset="0" IndexCount="1" ModelType="CIFTI_MODEL_TYPE_SURFACE"
    BrainStructure="CIFTI_STRUCTURE_CORTEX_LEFT" SurfaceNumberOfVertices="1"><VertexIndices>0</VertexIndices></BrainModel>
  <BrainModel IndexOffset="1" IndexCount="1" ModelType="CIFTI_MODEL_TYPE_VOXELS"
    BrainStructure="CIFTI_STRUCTURE_THALAMUS_LEFT"><VoxelIndicesIJK>0 0 0</VoxelIndicesIJK></BrainModel>
</MatrixIndicesMap></Matrix></CIFTI>"#;

#[test]
fn cifti_series_are_of_time_and_maps_have_names() {
    let folder = folder();
    let image = loaded(folder.path(), "a.dtseries.nii", cifti(SERIES)).unwrap();
    let header = image.header();
    assert_eq!(header.axes, [AxisKind::Time, AxisKind::Other]);
    assert_eq!(header.time_unit, TimeUnit::Second);
    assert_eq!(header.zooms[0], 0.72);
    assert!(
        image
            .notes()
            .iter()
            .all(|note| note.field != "MatrixIndicesMap")
    );
    let Fields::Nifti(nifti) = &header.fields else {
        panic!("{:?}", header.fields);
    };
    let cifti_2 = nifti.cifti().unwrap().unwrap();
    assert_eq!(cifti_2.version, "2");
    let CiftiMeaning::BrainModels(models) = &cifti_2.maps[1].meaning else {
        panic!("{cifti_2:?}");
    };
    let names: Vec<(&str, bool)> = models
        .iter()
        .map(|model| (model.structure.as_str(), model.is_surface))
        .collect();
    assert_eq!(names, [("CORTEX_LEFT", true), ("THALAMUS_LEFT", false)]);

    let hertz = SERIES.replace("SECOND", "HERTZ");
    let image = loaded(folder.path(), "b.dtseries.nii", cifti(&hertz)).unwrap();
    assert_eq!(image.header().axes, [AxisKind::Other; 2]);
    let scalars = r#"<CIFTI Version="2.0"><Matrix>
<MatrixIndicesMap AppliesToMatrixDimension="0" IndicesMapToDataType="CIFTI_INDEX_TYPE_SCALARS">
<NamedMap><MapName>A</MapName></NamedMap><NamedMap><MapName>B &amp; C</MapName></NamedMap></MatrixIndicesMap></Matrix></CIFTI>"#;
    let image = loaded(folder.path(), "c.dscalar.nii", cifti(scalars)).unwrap();
    let Fields::Nifti(nifti) = &image.header().fields else {
        panic!();
    };
    let map = nifti.cifti().unwrap().unwrap().maps.remove(0);
    let names = ["A", "B & C"].map(str::to_owned).to_vec();
    assert_eq!(map.meaning, CiftiMeaning::Scalars(names));
    // Two names for three indices, and an axis without a map.
    let notes = image.notes();
    let of_maps = notes.iter().filter(|note| note.field == "MatrixIndicesMap");
    assert_eq!(of_maps.count(), 2, "{notes:?}");
}

#[test]
fn cifti_of_another_version_or_with_broken_xml_is_an_error() {
    let folder = folder();
    let entities = "<!DOCTYPE x [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]>";
    for (xml, of, word) in [
        (
            SERIES.replace("Version=\"2\"", "Version=\"1.0\""),
            "Version",
            "1.0",
        ),
        (
            SERIES.replace("Version=\"2\"", "Version=\"x\""),
            "Version",
            "\"x\"",
        ),
        (SERIES.replace(" Version=\"2\"", ""), "Version", "nothing"),
        (SERIES.replace("</Matrix>", ""), "CIFTI extension", "XML"),
        (SERIES[..200].to_owned(), "CIFTI extension", "XML"),
        (String::new(), "CIFTI extension", "XML"),
        ("no xml".to_owned(), "CIFTI extension", "XML"),
        (
            "<Other Version=\"2\"/>".to_owned(),
            "CIFTI extension",
            "Other",
        ),
        (
            format!("{entities}<CIFTI Version=\"2\"/>"),
            "CIFTI extension",
            "XML",
        ),
        (SERIES.replace("\"720\"", "\"x\""), "SeriesStep", "x"),
        (
            SERIES.replace("IndexCount=\"1\"", "IndexCount=\"-1\""),
            "IndexCount",
            "-1",
        ),
    ] {
        let (found, message) = field(loaded(folder.path(), "bad.dtseries.nii", cifti(&xml)));
        assert_eq!(found, of, "{message}");
        assert!(message.contains(word), "{message}");
        assert!(message.contains("bad.dtseries.nii"), "{message}");
    }
    let mut bytes = cifti(SERIES);
    let at = bytes
        .windows(5)
        .position(|window| window == b"CIFTI")
        .unwrap();
    bytes[at + 1] = 0xff;
    assert_eq!(
        field(loaded(folder.path(), "latin.dtseries.nii", bytes)).0,
        "CIFTI extension"
    );
    let options = LoadOptions::new();
    let path = written(folder.path(), "good.dtseries.nii", cifti(SERIES));
    assert!(DataobjImage::from_filename(path, &options).is_ok());
}

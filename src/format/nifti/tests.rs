use std::collections::BTreeSet;

use super::*;
use crate::core::affine::Affine;
use crate::testing::floats::from_hex;
use crate::testing::{Rng, oracle_file};

fn parsed_as(bytes: &[u8], version: Version, container: Container) -> Result<Parsed> {
    parse(bytes, version, container, &LoadOptions::new())
}

fn header(version: Version, container: Container) -> NiftiHeader {
    let [single, pair] = version.magics();
    NiftiHeader {
        version,
        sizeof_hdr: version.header_bytes() as i64,
        dim: [3, 2, 3, 4, 1, 1, 1, 1],
        datatype: 16,
        bitpix: 32,
        pixdim: [1.0, 2.0, 3.0, 4.0, 1.0, 1.0, 1.0, 1.0],
        vox_offset: match container {
            Container::Single => version.single_offset() as f64,
            Container::Pair => 0.0,
        },
        magic: if container == Container::Single {
            single
        } else {
            pair
        }
        .to_owned(),
        eol_check: if version == Version::Two {
            [13, 10, 26, 10]
        } else {
            [0; 4]
        },
        ..NiftiHeader::default()
    }
}

fn parsed(edit: impl Fn(&mut NiftiHeader)) -> Parsed {
    let mut header = header(Version::One, Container::Single);
    edit(&mut header);
    parsed_as(&header.to_bytes(), Version::One, Container::Single).unwrap()
}

fn noted(notes: &[Note]) -> Vec<&'static str> {
    notes.iter().map(|note| note.field).collect()
}

#[test]
fn tables_have_no_gaps() {
    for (version, fields) in [(Version::One, 43), (Version::Two, 38)] {
        let header = header(version, Container::Single);
        assert_eq!(header.to_bytes().len(), version.header_bytes());
        assert_eq!(header.fields().count(), fields);
        let mut end = 0;
        for field in version.table() {
            assert_eq!(field.offset, end, "{}", field.name);
            let count = match field.name {
                "dim" | "pixdim" => 8,
                "srow_x" | "srow_y" | "srow_z" | "eol_check" => 4,
                _ if field.stored == Stored::Text => field.count,
                _ => 1,
            };
            assert_eq!(field.count, count, "{}", field.name);
            end += count * field.stored.bytes();
        }
        assert_eq!(end, version.header_bytes());
    }
}

#[test]
fn fields_are_listed_in_the_precision_of_the_file() {
    let Parsed { header, .. } = parsed(|h| {
        h.pixdim[1] = f64::from(0.1f32);
        h.descrip = "na\u{ef}ve\tscan".to_owned();
    });
    let Fields::Nifti(nifti) = header.fields else {
        panic!("a NIfTI header has NIfTI's fields");
    };
    let value = |name| nifti.fields().find(|(field, _)| *field == name).unwrap().1;
    assert_eq!(value("pixdim"), "1 0.1 3 4 1 1 1 1");
    assert_eq!(value("dim"), "3 2 3 4 1 1 1 1");
    assert_eq!(value("vox_offset"), "352");
    assert_eq!(value("descrip"), r"na\u{ef}ve\tscan");
    assert_eq!(nifti.descrip, "na\u{ef}ve\tscan");
}

#[test]
fn small_faults_are_repaired_and_noted() {
    let Parsed { header, notes, .. } = parsed(|h| {
        h.sizeof_hdr = 0;
        h.bitpix = 7;
        h.pixdim = [0.5, 0.0, -3.0, f64::NAN, 0.0, 1.0, 1.0, 1.0];
        h.qform_code = 6;
        h.sform_code = -1;
        h.vox_offset = 352.7;
    });
    let fields = [
        "sizeof_hdr",
        "bitpix",
        "pixdim",
        "pixdim",
        "pixdim",
        "vox_offset",
        "qform_code",
        "sform_code",
    ];
    assert_eq!(noted(&notes), fields);
    assert_eq!(header.data_offset, 352);
    assert_eq!(&header.zooms[..2], [1.0, 3.0]);
    assert!(header.zooms[2].is_nan());
    let Fields::Nifti(nifti) = header.fields else {
        panic!("a NIfTI header has NIfTI's fields");
    };
    assert_eq!(
        (
            nifti.sizeof_hdr,
            nifti.bitpix,
            nifti.qform_code,
            nifti.sform_code
        ),
        (348, 32, 0, 0)
    );
    assert_eq!(nifti.pixdim[0], 1.0);
}

#[test]
fn an_offset_of_zero_is_the_smallest_one_in_a_single_file() {
    for (version, offset) in [(Version::One, 352), (Version::Two, 544)] {
        let mut single = header(version, Container::Single);
        single.vox_offset = 0.0;
        let Parsed { header, notes, .. } =
            parsed_as(&single.to_bytes(), version, Container::Single).unwrap();
        assert_eq!(header.data_offset, offset);
        assert_eq!(noted(&notes), ["vox_offset"]);
        let Parsed { header, notes, .. } =
            parsed_as(&single.to_bytes(), version, Container::Pair).unwrap();
        assert_eq!((header.data_offset, notes), (0, vec![]));
    }
}

#[test]
fn shapes_of_freesurfer_and_without_axes() {
    let shape = |dim, glmin| parsed(|h| (h.dim, h.glmin) = (dim, glmin)).header.shape;
    assert_eq!(shape([3, -1, 1, 1, 1, 1, 1, 1], 70_000), [70_000, 1, 1]);
    assert_eq!(shape([4, 27307, 1, 6, 2, 1, 1, 1], 0), [163_842, 1, 1, 2]);
    assert_eq!(shape([2, 27307, 1, 6, 2, 1, 1, 1], 0), [27307, 1]);
    assert_eq!(shape([4, 2, 0, 1, 1, 1, 1, 1], 0), [2, 0, 1, 1]);
    let none = parsed(|h| h.dim = [0; 8]).header;
    assert_eq!((none.shape, none.zooms), (vec![0], vec![1.0]));
}

#[test]
fn scaling_is_none_for_a_slope_that_is_no_slope() {
    for slope in [0.0, -0.0, f64::NAN, f64::INFINITY] {
        let scaling = parsed(|h| (h.scl_slope, h.scl_inter) = (slope, f64::NAN))
            .header
            .scaling;
        assert!(scaling.is_none(), "{slope}");
    }
    let scaling = parsed(|h| (h.scl_slope, h.scl_inter) = (2.0, -1.0))
        .header
        .scaling;
    assert_eq!((scaling.slope(), scaling.inter()), (Some(2.0), Some(-1.0)));
}

#[test]
fn the_sform_comes_before_the_qform_and_that_before_the_base() {
    let affine = |qform, sform| {
        parsed(|h| {
            (h.qform_code, h.sform_code) = (qform, sform);
            h.pixdim[0] = -1.0;
            h.quatern_d = 1.0;
            h.qoffset_y = 5.0;
            h.srow_z = [0.5; 4];
        })
        .header
        .affine
        .unwrap()
    };
    let last = [0.0, 0.0, 0.0, 1.0];
    assert_eq!(affine(1, 1), [[0.0; 4], [0.0; 4], [0.5; 4], last]);
    assert_eq!(
        affine(1, 0),
        [
            [-2.0, 0.0, 0.0, 0.0],
            [0.0, -3.0, 0.0, 5.0],
            [0.0, 0.0, -4.0, 0.0],
            last
        ]
    );
    assert_eq!(
        affine(0, 0),
        [
            [-2.0, 0.0, 0.0, 1.0],
            [0.0, 3.0, 0.0, -3.0],
            [0.0, 0.0, 4.0, -6.0],
            last
        ]
    );
}

/// A header followed by these bytes after its extension flag.
fn with_extensions(container: Container, region: &[u8]) -> Parsed {
    let mut header = header(Version::One, container);
    if container == Container::Single {
        header.vox_offset += region.len() as f64;
    }
    header.byte_order = ByteOrder::Big;
    let mut bytes = header.to_bytes();
    bytes.extend([1, 0, 0, 0]);
    bytes.extend(region);
    // In a single file, the voxels are not extensions.
    if container == Container::Single {
        bytes.extend([9; 96]);
    }
    let need = need(&bytes, Version::One, container).unwrap();
    let end = need.bytes(&crate::Limits::default()).unwrap() as usize;
    parsed_as(&bytes[..end.min(bytes.len())], Version::One, container).unwrap()
}

fn extension(size: i32, content: &[u8]) -> Vec<u8> {
    [&size.to_be_bytes(), &6i32.to_be_bytes(), content].concat()
}

#[test]
fn extensions_are_read_up_to_the_first_that_does_not_fit() {
    let good = extension(16, b"comment\0");
    let another = extension(32, &[b"a\0b".as_slice(), &[0; 21]].concat());
    let both = [good.clone(), another].concat();
    for container in [Container::Single, Container::Pair] {
        let contents = |region: &[u8]| {
            let parsed = with_extensions(container, region);
            let Fields::Nifti(nifti) = parsed.header.fields else {
                panic!("a NIfTI header has NIfTI's fields");
            };
            assert!(nifti.extensions.iter().all(|extension| extension.code == 6));
            let contents: Vec<_> = nifti.extensions.into_iter().map(|e| e.content).collect();
            (contents, noted(&parsed.notes))
        };
        assert_eq!(
            contents(&both),
            (vec![b"comment".to_vec(), b"a\0b".to_vec()], vec![])
        );
        assert_eq!(contents(&[]), (vec![], vec![]));
        for bad in [0, -16, i32::MIN, 7, 1, 24, 1 << 30, i32::MAX] {
            let region = [good.clone(), extension(bad, b"12345678")].concat();
            assert_eq!(
                contents(&region),
                (vec![b"comment".to_vec()], vec!["esize"]),
                "{bad}"
            );
        }
        // nibabel warns about sizes that are not multiples of 16 and accepts them.
        let odd = [extension(15, b"odd\0\0\0\0"), good.clone()].concat();
        assert_eq!(contents(&odd).0, [b"odd".to_vec(), b"comment".to_vec()]);
        assert!(contents(&odd).1.contains(&"esize"));
    }
    let cut = with_extensions(Container::Pair, &good[..5]);
    assert_eq!(noted(&cut.notes), ["esize"]);
}

/// What `tests/oracle/nifti_headers.py` writes about a header, with floats as bits.
fn outcome(parsed: &Parsed) -> Vec<String> {
    let header = &parsed.header;
    let nifti = own_fields(parsed);
    let joined = |texts: Vec<String>| texts.join(" ");
    // nibabel has no note for an extension that does not fit: it fails.
    let notes = parsed.notes.iter().map(|note| note.field);
    let repaired: BTreeSet<_> = notes.filter(|&field| field != "esize").collect();
    let bits = |values: &[f64]| joined(values.iter().map(|&value| hex(value)).collect());
    let slope_inter = [
        header.scaling.slope().unwrap(),
        header.scaling.inter().unwrap(),
    ];
    vec![
        "ok".to_owned(),
        joined(header.shape.iter().map(usize::to_string).collect()),
        bits(&header.zooms),
        bits(header.affine.unwrap().as_flattened()),
        header.data_offset.to_string(),
        bits(&slope_inter),
        header.dtype.to_string(),
        header.byte_order.to_string(),
        joined(repaired.into_iter().map(str::to_owned).collect()),
        joined(
            nifti
                .extensions
                .iter()
                .map(|e| format!("{}:{}", e.code, e.content.len()))
                .collect(),
        ),
    ]
}

fn own_fields(parsed: &Parsed) -> &NiftiHeader {
    let Fields::Nifti(nifti) = &parsed.header.fields else {
        panic!("a NIfTI header has NIfTI's fields");
    };
    nifti
}

fn hex(value: f64) -> String {
    if value.is_nan() {
        "nan".to_owned()
    } else {
        format!("{:016x}", value.to_bits())
    }
}

/// Python's `float.hex` texts as bits.
fn bits_of(texts: &str) -> String {
    let values = texts.split_whitespace().map(|text| hex(from_hex(text)));
    values.collect::<Vec<_>>().join(" ")
}

/// The largest difference between a qform's affine and nibabel's, as a fraction of the permitted error.
///
/// nibabel computes the rotation in 80-bit floats, voxload in f64. The entries of a rotation are differences of
/// products of at most 1, so small entries have the rounding errors of larger terms. The unit of error is therefore the
/// last place of 1 (2^-52) times the voxel size of the column. One unit is permitted for the rotation and one for its
/// product with the voxel size.
///
/// The scalar part of the quaternion is the root of 1 - b² - c² - d², which is small for rotations near 180 degrees.
/// There, nibabel's own rounding error (2^-64 for each of two sums), divided by the scalar part, is permitted in
/// addition.
fn share_of_allowed(nifti: &NiftiHeader, found: &Affine, expected: &[f64]) -> f64 {
    let zero = 3.0
        * match nifti.version {
            Version::One => f64::from(f32::EPSILON),
            Version::Two => f64::EPSILON,
        };
    let vector = [nifti.quatern_b, nifti.quatern_c, nifti.quatern_d];
    let left = 1.0 - vector.iter().map(|part| part * part).sum::<f64>();
    let scalar = left.max(zero).sqrt();
    let allowed = 2.0 * f64::EPSILON + f64::EPSILON / 2048.0 / scalar;
    let mut largest = 0.0;
    for (row, expected) in found.iter().zip(expected.chunks(4)) {
        for (column, (&found, &expected)) in row.iter().zip(expected).enumerate() {
            // NaN, infinities, the offsets and the last row must be equal.
            let same = found == expected || found.is_nan() && expected.is_nan();
            let share = match nifti.pixdim.get(column + 1) {
                _ if same => 0.0,
                Some(size) if column < 3 => (found - expected).abs() / (allowed * size.abs()),
                _ => f64::INFINITY,
            };
            largest = if share.is_nan() {
                share
            } else {
                share.max(largest)
            };
        }
    }
    largest
}

/// The position of the affine in a line of expectations.
const AFFINE: usize = 3;

#[test]
#[ignore = "needs nibabel's results (tests/run.sh)"]
fn headers_are_read_as_nibabel_reads_them() {
    let binary = oracle_file("nifti_headers.bin");
    let text = String::from_utf8(oracle_file("nifti_headers.txt")).unwrap();
    let mut rest = binary.as_slice();
    let (mut cases, mut failures) = (0, Vec::new());
    let (mut qforms, mut largest) = (0, 0.0);
    for line in text.lines() {
        let mut parts = line.split('|');
        let words: Vec<_> = parts.next().unwrap().split(' ').collect();
        let version = if words[0] == "1" {
            Version::One
        } else {
            Version::Two
        };
        let container = if words[1] == "single" {
            Container::Single
        } else {
            Container::Pair
        };
        let (bytes, others) = rest.split_at(words[2].parse().unwrap());
        rest = others;
        cases += 1;

        let mut expected: Vec<_> = parts.map(str::to_owned).collect();
        let result = parsed_as(bytes, version, container);
        let mut found = match &result {
            Ok(parsed) => outcome(parsed),
            Err(_) => vec!["error".to_owned()],
        };
        if let (Ok(parsed), Some(affine)) = (&result, expected.get(AFFINE)) {
            let nifti = own_fields(parsed);
            if nifti.sform_code == 0 && nifti.qform_code != 0 {
                let affine: Vec<f64> = affine.split_whitespace().map(from_hex).collect();
                let share = share_of_allowed(nifti, &parsed.header.affine.unwrap(), &affine);
                if share <= 1.0 {
                    // Differences in the last bits are permitted.
                    found[AFFINE] = affine
                        .iter()
                        .map(|&value| hex(value))
                        .collect::<Vec<_>>()
                        .join(" ");
                }
                qforms += 1;
                largest = share.max(largest);
            }
        }
        for index in [2, AFFINE, 5] {
            if let Some(floats) = expected.get_mut(index) {
                *floats = bits_of(floats);
            }
        }
        if expected.last().is_some_and(|extensions| extensions == "*") {
            expected.pop();
            found.pop();
        }
        if found != expected {
            failures.push(format!(
                "case {cases}: {line}\n  found    {found:?}\n  expected {expected:?}"
            ));
        }
    }
    println!("{cases} headers, {qforms} with a qform: at most {largest:.3} of what is allowed");
    assert!(
        cases >= 1000 && qforms >= 500,
        "only {cases} headers to compare, {qforms} qforms"
    );
    assert!(rest.is_empty(), "expectations for all headers");
    assert!(
        failures.is_empty(),
        "{} of {cases} differ:\n{}",
        failures.len(),
        failures[..failures.len().min(5)].join("\n")
    );
}

#[test]
fn tables_and_structs_have_the_same_fields() {
    let of_tables: BTreeSet<&str> = [Version::One, Version::Two]
        .iter()
        .flat_map(|version| version.table())
        .map(|field| field.name)
        .collect();
    assert_eq!(of_tables, NiftiHeader::NAMES.iter().copied().collect());
}

/// f32 quaternions, including rotations near 180 degrees: the scalar part is exact, and the matrix is a rotation up to
/// the last bits of an f64.
#[test]
fn qforms_are_rotations() {
    let mut random = Rng::new(17);
    let mut checked = 0;
    for round in 0..20_000 {
        let mut number = || random.below(1 << 24) as f64 / f64::from(1 << 23) - 1.0;
        let mut parts = [number(), number(), number(), number()];
        if round % 3 == 0 {
            parts[0] *= 1e-3;
        }
        let length = parts.iter().map(|part| part * part).sum::<f64>().sqrt();
        let [_, b, c, d] = parts.map(|part| f64::from((part / length) as f32));
        let Parsed { header, .. } = parsed(|header| {
            (
                header.qform_code,
                header.pixdim[1],
                header.pixdim[2],
                header.pixdim[3],
            ) = (1, 1.0, 1.0, 1.0);
            (header.quatern_b, header.quatern_c, header.quatern_d) = (b, c, d);
        });
        let affine = header.affine.unwrap();
        for (i, j) in [(0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2)] {
            let product: f64 = affine.iter().take(3).map(|row| row[i] * row[j]).sum();
            let expected = f64::from(u8::from(i == j));
            assert!(
                (product - expected).abs() <= 4.0 * f64::EPSILON,
                "{affine:?}"
            );
        }
        checked += 1;
    }
    assert_eq!(checked, 20_000);
}

#[test]
fn quaternions_longer_than_a_unit_are_errors() {
    let result = |vector: [f64; 3]| {
        let mut header = header(Version::Two, Container::Single);
        header.qform_code = 1;
        [header.quatern_b, header.quatern_c, header.quatern_d] = vector;
        parsed_as(&header.to_bytes(), Version::Two, Container::Single)
    };
    for long in [
        [1.001, 0.0, 0.0],
        [0.0, 2.5, 0.0],
        [0.0, 0.0, 1e200],
        [f64::INFINITY, 0.0, 0.0],
    ] {
        let error = result(long).unwrap_err();
        assert!(error.to_string().contains("quatern_b"), "{error}");
    }
    // Within the precision of the fields this is a rotation by 180 degrees.
    assert!(result([1.0 + f64::EPSILON, 0.0, 0.0]).is_ok());
    let affine = result([f64::NAN, 9.0, 0.0]).unwrap().header.affine.unwrap();
    assert!(affine[0][0].is_nan() && affine[2][1].is_nan());
}

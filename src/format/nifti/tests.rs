use super::extended::Extended;
use super::*;
use crate::header::Note;

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
    parse(&header.to_bytes(), Version::One, Container::Single).unwrap()
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
        for field in fields::table(version) {
            assert_eq!(field.offset, end, "{}", field.name);
            let count = match field.name {
                "dim" | "pixdim" => 8,
                "srow_x" | "srow_y" | "srow_z" | "eol_check" => 4,
                _ => 1,
            };
            end += count * field.stored.size_bytes();
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
            parse(&single.to_bytes(), version, Container::Single).unwrap();
        assert_eq!(header.data_offset, offset);
        assert_eq!(noted(&notes), ["vox_offset"]);
        let Parsed { header, notes, .. } =
            parse(&single.to_bytes(), version, Container::Pair).unwrap();
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

/// A header with these bytes behind its extension flag.
fn with_extensions(container: Container, region: &[u8]) -> Parsed {
    let mut header = header(Version::One, container);
    if container == Container::Single {
        header.vox_offset += region.len() as f64;
    }
    header.byte_order = ByteOrder::Big;
    let mut bytes = header.to_bytes();
    bytes.extend([1, 0, 0, 0]);
    bytes.extend(region);
    // The voxels of a single file are no extensions.
    if container == Container::Single {
        bytes.extend([9; 96]);
    }
    let need = need(&bytes, Version::One, container).unwrap();
    let end = need.bytes(&crate::Limits::default()).unwrap() as usize;
    parse(&bytes[..end.min(bytes.len())], Version::One, container).unwrap()
}

fn extension(told: i32, content: &[u8]) -> Vec<u8> {
    [&told.to_be_bytes(), &6i32.to_be_bytes(), content].concat()
}

#[test]
fn extensions_are_read_up_to_the_first_that_does_not_fit() {
    let good = extension(16, b"comment\0");
    let good_again = extension(32, &[b"a\0b".as_slice(), &[0; 21]].concat());
    let both = [good.clone(), good_again].concat();
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
        // nibabel warns of sizes that are not multiples of 16 and accepts them.
        let odd = [extension(15, b"odd\0\0\0\0"), good.clone()].concat();
        assert_eq!(contents(&odd).0, [b"odd".to_vec(), b"comment".to_vec()]);
        assert!(contents(&odd).1.contains(&"esize"));
    }
    let cut = with_extensions(Container::Pair, &good[..5]);
    assert_eq!(noted(&cut.notes), ["esize"]);
}

/// A power of two, to the bit: `powi` need not be (Miri makes it err on purpose).
fn two_to(exponent: i64) -> f64 {
    f64::from_bits(((1023 + exponent) as u64) << 52)
}

#[test]
fn extended_numbers_are_those_of_the_x87() {
    let new = |value| Extended::new(value).unwrap();
    for value in [
        0.0,
        1.0,
        -1.5,
        1e300,
        5e-324,
        2.2e-308,
        f64::MAX,
        0.1,
        -1e-310,
    ] {
        assert_eq!(
            new(value).to_f64().to_bits(),
            f64::to_bits(value),
            "{value}"
        );
    }
    assert!(Extended::new(f64::NAN).is_none() && Extended::new(f64::INFINITY).is_none());

    // Significands as an x87 leaves them: 1/3 ends in ...ab, the root of 2 in ...6484.
    let third = new(1.0).div(new(3.0));
    let scaled = |value: Extended, factor: f64| value.mul(new(factor));
    let low_bits = |value: Extended, high: f64| value.sub(new(high)).to_f64();
    assert_eq!(
        low_bits(scaled(third, two_to(65)), 0xaaaa_aaaa_aaaa_a800u64 as f64),
        0x2ab as f64
    );
    let root = new(2.0).sqrt().unwrap();
    assert_eq!(
        low_bits(scaled(root, two_to(63)), 0xb504_f333_f9de_6000u64 as f64),
        0x484 as f64
    );
    assert_eq!(new(0.25).sqrt().unwrap(), new(0.5));
    assert_eq!(
        new(1e-320).sqrt().unwrap().mul(new(two_to(530))).to_f64(),
        1e-320f64.sqrt() * two_to(530)
    );
    assert!(new(-1.0).sqrt().is_none());

    // Half of the last bit goes to even, a little more goes up.
    let last = two_to(-63);
    let one_and = |more: f64| new(1.0).add(new(more)).sub(new(1.0)).to_f64();
    assert_eq!(one_and(last / 2.0), 0.0);
    assert_eq!(one_and(last / 2.0 + last * 1e-9), last);
    assert_eq!(one_and(last * 1.5), 2.0 * last);
    assert_eq!(one_and(1e-300), 0.0);
    // What breaks a tie may lie beyond all bits that are kept.
    let above_half = new(1.0).add(new(last)).mul(new(last / 2.0));
    assert_eq!(new(1.0).add(above_half).sub(new(1.0)).to_f64(), last);
    assert_eq!(new(1.0).sub(new(1e-300)).to_f64(), 1.0);
}

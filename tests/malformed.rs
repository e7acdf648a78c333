//! Promise: bad input gives the documented error, never a panic, never wrong values.

use voxload::format::nifti::{NiftiHeader, Version};
use voxload::{ByteOrder, Caching, DataobjImage, Index, c64};

use crate::support::errors::outcome;
use crate::support::nifti::{At, Nifti, gz, one, put_int, put_real, two};
use crate::support::rng::Rng;
use crate::support::table::Row;
use crate::support::{by_width, folder, write};

#[path = "malformed/nifti.rs"]
mod headers;

use headers::{Expected, cases};

const ORDERS: [ByteOrder; 2] = [ByteOrder::Little, ByteOrder::Big];

/// What is wrong with a file.
#[derive(Debug, Clone, Copy)]
enum Fault {
    Int(At, i64),
    Real(At, f64),
    Bytes(usize, &'static [u8]),
}

use Fault::{Bytes, Int, Real};

impl Fault {
    fn apply(self, bytes: &mut [u8], order: ByteOrder) {
        match self {
            Int(at, value) => put_int(bytes, at, value, order),
            Real(at, value) => put_real(bytes, at, value, order),
            Bytes(at, with) => bytes[at..at + with.len()].copy_from_slice(with),
        }
    }
}

/// Name, faults, outcome of the load, outcome of a read (`-` when the load fails).
type Faulty = (&'static str, &'static [Fault], &'static str, &'static str);

const NAN: f64 = f64::NAN;
const INF: f64 = f64::INFINITY;

/// Faults that a table of refused headers (`malformed/nifti.rs`) does not have: those that a whole file is needed for.
/// Of a volume of shape (4, 3, 2), int16, voxels at 352.
#[rustfmt::skip]
const ONE: &[Faulty] = &[
    ("dim[0] in the other order", &[Int(one::DIM, 0x300)], "Header(vox_offset)", "-"),
    ("dim[0] 0", &[Int(one::DIM, 0)], "Ok", "Ok"),
    ("dim[0] 7", &[Int(one::DIM, 7)], "Ok", "Ok"),
    ("dim[3] smallest", &[Int(one::DIM.nth(3), -32768)], "Header(dim)", "-"),
    ("dim[2] 0", &[Int(one::DIM.nth(2), 0)], "Ok", "Ok"),
    ("dim[3] too large", &[Int(one::DIM.nth(3), 3)], "Ok", "Truncated(voxel data)"),
    ("dim of four terabytes", &[Int(one::DIM.nth(1), 32767), Int(one::DIM.nth(2), 32767), Int(one::DIM.nth(3), 2000)],
     "Ok", "Truncated(voxel data)"),
    ("dim overflow", &[Int(one::DIM, 7), Int(one::DIM.nth(1), 32767), Int(one::DIM.nth(2), 32767),
     Int(one::DIM.nth(3), 32767), Int(one::DIM.nth(4), 32767), Int(one::DIM.nth(5), 32767)], "Header(dim)", "-"),
    ("FreeSurfer without glmin", &[Int(one::DIM.nth(1), -1), Int(one::DIM.nth(2), 1), Int(one::DIM.nth(3), 1)],
     "Header(glmin)", "-"),
    ("FreeSurfer, negative glmin", &[Int(one::DIM.nth(1), -1), Int(one::DIM.nth(2), 1), Int(one::DIM.nth(3), 1),
     Int(one::GLMIN, -5)], "Header(glmin)", "-"),
    ("FreeSurfer, large glmin", &[Int(one::DIM.nth(1), -1), Int(one::DIM.nth(2), 1), Int(one::DIM.nth(3), 1),
     Int(one::GLMIN, 0x7fff_ffff)], "Ok", "Truncated(voxel data)"),
    ("datatype wider than the data", &[Int(one::DATATYPE, 64)], "Ok", "Truncated(voxel data)"),
    ("bitpix wrong", &[Int(one::BITPIX, 64)], "Ok", "Ok"),
    ("bitpix negative", &[Int(one::BITPIX, -1)], "Ok", "Ok"),
    ("magic other", &[Bytes(one::MAGIC, b"xyz\0")], "UnknownFormat", "-"),
    ("magic of a pair", &[Bytes(one::MAGIC, b"ni1\0")], "Ok", "Ok"),
    ("sizeof_hdr wrong", &[Int(one::SIZEOF_HDR, 1)], "Ok", "Ok"),
    ("sizeof_hdr of NIfTI-2", &[Int(one::SIZEOF_HDR, 540)], "Ok", "Ok"),
    ("vox_offset 0", &[Real(one::VOX_OFFSET, 0.0)], "Ok", "Ok"),
    ("vox_offset 352.7", &[Real(one::VOX_OFFSET, 352.7)], "Ok", "Ok"),
    ("vox_offset 353", &[Real(one::VOX_OFFSET, 353.0)], "Ok", "Truncated(voxel data)"),
    ("vox_offset 1e30", &[Real(one::VOX_OFFSET, 1e30)], "Header(vox_offset)", "-"),
    ("vox_offset 2^63", &[Real(one::VOX_OFFSET, 9_223_372_036_854_775_808.0)], "Header(vox_offset)", "-"),
    ("vox_offset 2^62", &[Real(one::VOX_OFFSET, 4_611_686_018_427_387_904.0)], "Ok", "Truncated(voxel data)"),
    ("vox_offset past the end", &[Real(one::VOX_OFFSET, 1e6)], "Ok", "Truncated(voxel data)"),
    ("extensions of a gigabyte", &[Real(one::VOX_OFFSET, 1e9), Bytes(348, &[1])], "Limit(extension bytes)", "-"),
    ("extensions without end", &[Real(one::VOX_OFFSET, INF), Bytes(348, &[1])], "Limit(extension bytes)", "-"),
    ("extensions, vox_offset NaN", &[Real(one::VOX_OFFSET, NAN), Bytes(348, &[1])], "Header(vox_offset)", "-"),
    ("extensions past the end", &[Real(one::VOX_OFFSET, 1e6), Bytes(348, &[1])], "Ok", "Truncated(voxel data)"),
    ("esize 0", &[Real(one::VOX_OFFSET, 368.0), Bytes(348, &[1])], "Ok", "Truncated(voxel data)"),
    ("slope inf", &[Real(one::SCL_SLOPE, INF), Real(one::SCL_INTER, NAN)], "Ok", "Ok"),
    ("pixdim 0", &[Real(one::PIXDIM.nth(1), 0.0)], "Ok", "Ok"),
    ("pixdim negative", &[Real(one::PIXDIM.nth(3), -3.0)], "Ok", "Ok"),
    ("pixdim NaN", &[Real(one::PIXDIM.nth(2), NAN)], "Ok", "Ok"),
    ("qfac 0", &[Real(one::PIXDIM, 0.0)], "Ok", "Ok"),
    ("qform_code 6", &[Int(one::QFORM_CODE, 6)], "Ok", "Ok"),
    ("sform_code -1", &[Int(one::SFORM_CODE, -1)], "Ok", "Ok"),
    ("quaternion too long", &[Int(one::QFORM_CODE, 1), Real(one::QUATERN, 1.0), Real(one::QUATERN.nth(1), 1.0)],
     "Header(quatern_b)", "-"),
];

/// Of a NIfTI-2 volume of the same shape and type, voxels at 544.
#[rustfmt::skip]
const TWO: &[Faulty] = &[
    ("dim[0] 0", &[Int(two::DIM, 0)], "Ok", "Ok"),
    ("dim[3] smallest", &[Int(two::DIM.nth(3), i64::MIN)], "Header(dim)", "-"),
    ("dim overflow to 0", &[Int(two::DIM.nth(1), 1 << 32), Int(two::DIM.nth(2), 1 << 32)], "Header(dim)", "-"),
    ("dim of 2^62 bytes", &[Int(two::DIM.nth(1), 1 << 60), Int(two::DIM.nth(2), 1), Int(two::DIM.nth(3), 1)],
     by_width("Ok", "Header(dim)"), by_width("Truncated(voxel data)", "-")),
    ("dim 0 and overflow", &[Int(two::DIM.nth(1), 0), Int(two::DIM.nth(2), i64::MAX), Int(two::DIM.nth(3), i64::MAX)],
     "Header(dim)", "-"),
    ("dim 0 and large", &[Int(two::DIM.nth(1), 0), Int(two::DIM.nth(2), 1 << 30), Int(two::DIM.nth(3), 1 << 30)],
     "Ok", by_width("Ok", "Header(dim)")),
    ("datatype negative", &[Int(two::DATATYPE, -16)], "Header(datatype)", "-"),
    ("bitpix wrong", &[Int(two::BITPIX, 0)], "Ok", "Ok"),
    ("magic other", &[Bytes(two::MAGIC, b"xyz\0")], "Header(magic)", "-"),
    ("end of lines zero", &[Bytes(two::EOL, &[0, 0, 0, 0])], "Ok", "Ok"),
    ("sizeof_hdr wrong", &[Int(two::SIZEOF_HDR, 541)], "UnknownFormat", "-"),
    ("sizeof_hdr negative", &[Int(two::SIZEOF_HDR, -540)], "UnknownFormat", "-"),
    ("vox_offset 0", &[Int(two::VOX_OFFSET, 0)], "Ok", "Ok"),
    ("vox_offset 545", &[Int(two::VOX_OFFSET, 545)], "Ok", "Truncated(voxel data)"),
    ("vox_offset negative", &[Int(two::VOX_OFFSET, -544)], "Header(vox_offset)", "-"),
    ("vox_offset largest", &[Int(two::VOX_OFFSET, i64::MAX)], "Header(vox_offset)", "-"),
    ("vox_offset 2^62", &[Int(two::VOX_OFFSET, 1 << 62)], "Ok", "Truncated(voxel data)"),
    ("slope NaN", &[Real(two::SCL_SLOPE, NAN), Real(two::SCL_INTER, NAN)], "Ok", "Ok"),
    ("pixdim negative", &[Real(two::PIXDIM.nth(1), -1.0)], "Ok", "Ok"),
    ("qform_code 99", &[Int(two::QFORM_CODE, 99)], "Ok", "Ok"),
    ("sform_code -1", &[Int(two::SFORM_CODE, -1)], "Ok", "Ok"),
    ("quaternion too long", &[Int(two::QFORM_CODE, 1), Real(two::QUATERN.nth(2), 1.1)], "Header(quatern_b)", "-"),
];

pub fn seed(version: u8, order: ByteOrder) -> Nifti {
    let mut nifti = Nifti::counting(&[4, 3, 2]).version(version).order(order);
    if order == ByteOrder::Big {
        nifti.data = (0..24i16).flat_map(i16::to_be_bytes).collect();
    }
    nifti
}

/// Loads and reads in every way; the outcomes of the load and of the whole read.
fn outcomes(load: voxload::Result<DataobjImage>) -> (String, String) {
    let loaded = outcome(&load);
    let Ok(image) = load else {
        return (loaded, "-".to_owned());
    };
    let read = outcome(&image.get_fdata::<f32>(Caching::Fill));
    let again = [
        outcome(&image.dataobj().read::<f64>()),
        outcome(&image.get_fdata::<half::f16>(Caching::Unchanged)),
        outcome(&image.get_fdata::<c64>(Caching::Unchanged)),
        outcome(&image.dataobj().unscaled()),
    ];
    for again in again {
        assert_eq!(again, read);
    }
    if let Ok(values) = image.get_fdata::<f32>(Caching::Fill) {
        assert_eq!(values.view().shape(), image.shape());
    }
    let odd = image
        .dataobj()
        .slice::<f32>(&Index::new().ellipsis().slice(None, None, Some(-2)));
    assert!(read != "Ok" || odd.is_ok());
    (loaded, read)
}

/// Loads and reads a file by name, gzipped, and from memory.
fn check(what: &str, ending: &str, bytes: &[u8], (load, read): (&str, &str)) {
    let dir = folder();
    let expected = (load.to_owned(), read.to_owned());
    let path = write(&dir, &format!("bad{ending}"), bytes);
    assert_eq!(outcomes(voxload::load(path)), expected, "{what}");
    if ending != ".nii" {
        return;
    }
    let zipped = write(&dir, "bad.nii.gz", &gz(bytes, 6));
    // More than deflate can hold is known before anything is inflated.
    let (loaded, mut read) = outcomes(voxload::load(zipped));
    if read == "Limit(inflated bytes)" {
        read = "Truncated(voxel data)".to_owned();
    }
    assert_eq!((loaded, read), expected, "gz, {what}");
    let magic = |at: usize, text: &[u8]| bytes.get(at..).is_some_and(|at| at.starts_with(text));
    if load != "Ok" && (magic(one::MAGIC, b"ni1") || magic(two::MAGIC, b"ni2")) {
        // Without a name it is a pair, whose voxels may begin anywhere.
        return;
    }
    // Without a name the magic decides what it is, so a wrong one is of no format.
    let nameless = match load {
        "Header(magic)" if !magic(two::MAGIC, b"n+2") => {
            ("UnknownFormat".to_owned(), "-".to_owned())
        }
        _ => expected,
    };
    let found = outcomes(DataobjImage::from_bytes(bytes.to_vec()));
    assert_eq!(found, nameless, "from memory, {what}");
}

/// How many files are refused, of the rows of a table in both byte orders.
fn table(version: u8, rows: &[Faulty]) -> usize {
    let mut errors = 0;
    for (name, faults, load, read) in rows {
        for order in ORDERS {
            let mut bytes = seed(version, order).single();
            for fault in *faults {
                fault.apply(&mut bytes, order);
            }
            let what = format!("NIfTI-{version}, {order}: {name}");
            check(&what, ".nii", &bytes, (load, read));
            errors += usize::from((*load, *read) != ("Ok", "Ok"));
        }
    }
    errors
}

#[test]
fn header_fields_out_of_range() {
    let (one, two) = (table(1, ONE), table(2, TWO));
    println!("{one} and {two} files that are refused");
    assert!(one + two >= 60, "{one} and {two} files that are refused");
}

/// The headers that the parser is tested with, from files: alone, and before sound voxels.
#[test]
fn headers_of_the_unit_tests() {
    let row = Row::new("malformed NIfTI-1 and NIfTI-2 headers, by name and cut at every byte");
    let mut refused = 0;
    for version in [Version::One, Version::Two] {
        for case in cases(version) {
            let expected = match case.expected {
                Expected::Header(field) => format!("Header({field})"),
                Expected::Truncated => "Truncated(header)".to_owned(),
                Expected::UnknownFormat => "UnknownFormat".to_owned(),
                Expected::Limit => "Limit(extension bytes)".to_owned(),
            };
            check(&case.name, case.ending, &case.bytes, (&expected, "-"));
            refused += 1;
            if case.ending == ".nii" && case.expected != Expected::Truncated {
                let whole = [&case.bytes[..], &[0; 4 + 48]].concat();
                let what = format!("{}, with voxels", case.name);
                check(&what, case.ending, &whole, (&expected, "-"));
                refused += 1;
            }
        }
    }
    row.done_at_least(refused, 4 * (347 + 539) + 4 * 70);
}

/// A quaternion that is no number: an error at load, or no number in the affine; never a panic.
#[test]
fn quaternions_that_are_no_numbers() {
    for value in [NAN, INF, -INF, 3e38] {
        for field in 0..3 {
            let mut bytes = seed(1, ByteOrder::Little).single();
            put_int(&mut bytes, one::QFORM_CODE, 1, ByteOrder::Little);
            put_real(
                &mut bytes,
                one::QUATERN.nth(field),
                value,
                ByteOrder::Little,
            );
            let found = outcome(&DataobjImage::from_bytes(bytes));
            let allowed = if value.is_nan() {
                ["Ok", "Header(quatern_b)"]
            } else {
                ["Header(quatern_b)"; 2]
            };
            assert!(
                allowed.contains(&found.as_str()),
                "{value} in {field}: {found}"
            );
        }
    }
}

#[test]
fn truncation_at_every_byte() {
    let mut cut = 0;
    for version in [1, 2] {
        for order in ORDERS {
            let nifti = seed(version, order);
            let (bytes, offset) = (nifti.single(), nifti.data_offset());
            let header = offset - 4;
            for length in 0..bytes.len() {
                let (load, read) = outcomes(DataobjImage::from_bytes(bytes[..length].to_vec()));
                let expected = match length {
                    0 => ("Empty", "-"),
                    length if length < header => ("Truncated(header)", "-"),
                    _ => ("Ok", "Truncated(voxel data)"),
                };
                assert_eq!(
                    (load.as_str(), read.as_str()),
                    expected,
                    "{length} of {offset}"
                );
                cut += 1;
            }
            let whole = outcomes(DataobjImage::from_bytes(bytes));
            assert_eq!(whole, ("Ok".to_owned(), "Ok".to_owned()));
        }
    }
    assert_eq!(cut, 2 * (352 + 48) + 2 * (544 + 48));
}

/// As files, mapped and not; and what a truncated file still has can be sliced.
#[test]
fn truncated_files() {
    let nifti = Nifti::counting(&[100, 100, 10]);
    let bytes = nifti.single();
    let options = voxload::LoadOptions::new().mmap(voxload::Mmap::Off);
    for length in (348..bytes.len()).step_by(9973) {
        let dir = folder();
        let path = write(&dir, "cut.nii", &bytes[..length]);
        for image in [
            voxload::load(&path),
            DataobjImage::from_filename(&path, &options),
        ] {
            let image = image.expect("the header is there");
            assert_eq!(
                outcome(&image.dataobj().read::<f32>()),
                "Truncated(voxel data)"
            );
            for at in 0..10 {
                let index: Index = Index::new().ellipsis().at(at as i64);
                let there = 352 + 20_000 * (at + 1) <= length;
                let expected = if there { "Ok" } else { "Truncated(voxel data)" };
                assert_eq!(outcome(&image.dataobj().slice::<f32>(&index)), expected);
            }
        }
    }
}

/// Random bytes changed anywhere: any outcome but a panic, and success only with as many voxels as are said.
#[test]
fn random_mutations_never_panic() {
    let mut rng = Rng::new(99);
    let (mut loaded, mut refused) = (0, 0);
    for _ in 0..20_000 {
        let version = *rng.pick(&[1, 2]);
        let order = *rng.pick(&ORDERS);
        let nifti = seed(version, order).extension(6, b"an extension");
        let mut bytes = nifti.single();
        for _ in 0..1 + rng.below(4) {
            let at = rng.below(bytes.len());
            bytes[at] = match rng.below(4) {
                0 => 0,
                1 => 0xff,
                2 => bytes[at] ^ 1 << rng.below(8),
                _ => rng.bits() as u8,
            };
        }
        if rng.one_in(4) {
            bytes.truncate(rng.below(bytes.len()));
        }
        let (load, read) = outcomes(DataobjImage::from_bytes(bytes));
        match (load.as_str(), read.as_str()) {
            ("Ok", "Ok") => loaded += 1,
            _ => refused += 1,
        }
    }
    assert!(loaded > 2000 && refused > 2000, "{loaded} {refused}");
}

//! Promise: `ArrayProxy::open` reads the raw voxels of a file, compressed or not, as the caller describes them.

use voxload::{
    Access, ArrayProxy, ByteOrder, DType, ErrorKind, Limits, LoadOptions, Mmap, ProxySpec, Scaling,
    Threads,
};

use crate::gzip::files::{bgzf, by_tool};
use crate::support::nifti::gz;
use crate::support::{folder, write};

const SHAPE: [usize; 3] = [40, 30, 20];
const OFFSET: usize = 13;

fn spec() -> ProxySpec {
    ProxySpec::new(&SHAPE, DType::I16)
        .byte_order(ByteOrder::Big)
        .offset(OFFSET as u64)
        .scaling(Scaling::linear(0.5, -3.0))
}

fn voxels() -> impl Iterator<Item = i16> {
    (0..SHAPE.iter().product::<usize>()).map(|n| (n * 7 % 4001) as i16 - 2000)
}

fn raw() -> Vec<u8> {
    let leading = std::iter::repeat_n(9, OFFSET);
    leading.chain(voxels().flat_map(i16::to_be_bytes)).collect()
}

#[test]
fn raw_and_compressed() {
    let folder = folder();
    let raw = raw();
    let mut files = vec![
        ("a.raw", raw.clone()),
        ("no_ending", raw.clone()),
        // The content decides.
        ("b.raw", gz(&raw, 6)),
        ("c.raw.gz", gz(&raw, 1)),
        ("d.gz", bgzf(&raw)),
    ];
    if cfg!(feature = "bz2") {
        files.extend(by_tool("bzip2", &["-c"], &raw).map(|file| ("e.raw.bz2", file)));
    }
    if cfg!(feature = "zst") {
        files.extend(by_tool("zstd", &["-c", "-q"], &raw).map(|file| ("f.raw", file)));
    }
    let right: Vec<f64> = voxels().map(|v| f64::from(v) * 0.5 - 3.0).collect();
    for (name, file) in files {
        let path = write(&folder, name, &file);
        for mmap in [Mmap::CopyOnWrite, Mmap::Off] {
            let options = LoadOptions::new()
                .mmap(mmap)
                .threads(Threads::new(2).expect("a pool"));
            let proxy = ArrayProxy::open(&path, spec(), &options).expect("it opens");
            #[cfg(target_os = "linux")]
            assert_eq!(crate::support::handles(&path), 0, "{name}");
            assert_eq!((proxy.shape(), proxy.dtype()), (&SHAPE[..], DType::I16));
            let whole = proxy.read::<f64>().expect("values");
            assert_eq!(whole.as_slice(), right, "{name} {mmap:?}");
            let slice = proxy.slice::<f64>("[3, ::-1, 4:9]").expect("a slice");
            let at = |j: usize, k: usize| right[3 + 40 * (j + 30 * k)];
            let expected = (4..9).flat_map(|k| (0..30).rev().map(move |j| (j, k)));
            let expected: Vec<f64> = expected.map(|(j, k)| at(j, k)).collect();
            assert_eq!(slice.as_slice(), expected, "{name} {mmap:?}");
        }
    }
}

#[test]
fn options_apply() {
    let folder = folder();
    let path = write(&folder, "it.gz", &gz(&raw(), 6));
    let index = folder.path().join("it.voxgzi");
    let options = LoadOptions::new().gzip_index(&index);
    let proxy = ArrayProxy::open(&path, spec(), &options).expect("it opens");
    proxy.slice::<f32>("[0, 0, 0]").expect("a slice");
    assert!(index.exists());
    let few = LoadOptions::new().limits(Limits::new().output(100));
    let proxy = ArrayProxy::open(&path, spec(), &few).expect("it opens");
    let error = proxy.read::<f32>().expect_err("above the limit");
    assert!(matches!(error.kind(), ErrorKind::Limit { .. }), "{error}");
}

#[test]
fn places_of_bytes_hold_what_typed_ones_do() {
    let folder = folder();
    let path = write(&folder, "it", &raw());
    let proxy = ArrayProxy::open(&path, spec(), &LoadOptions::new()).expect("it opens");
    assert_eq!(proxy.access(), Access::Random);
    let values = proxy.read::<f32>().expect("values");
    let mut place = vec![0f32; values.len()];
    proxy
        .read_into_bytes(DType::F32, bytemuck::cast_slice_mut(&mut place))
        .expect("values");
    assert_eq!(place, values.as_slice());
    let mut place = vec![0f64; values.len()];
    let bytes: &mut [u8] = bytemuck::cast_slice_mut(&mut place);
    proxy.native_into_bytes(bytes).expect("native values");
    assert_eq!(proxy.native().expect("native values").as_bytes(), bytes);
    let stored = proxy.unscaled().expect("stored numbers");
    let length = stored.as_bytes().len();
    proxy
        .unscaled_into_bytes(&mut bytes[..length])
        .expect("stored numbers");
    assert_eq!(stored.as_bytes(), &bytes[..length]);
    let kind = |result: voxload::Result<()>| result.expect_err("refused").kind().clone();
    let integers = kind(proxy.read_into_bytes(DType::I16, bytes));
    assert!(matches!(integers, ErrorKind::DType { .. }), "{integers:?}");
    let length = kind(proxy.read_into_bytes(DType::F32, &mut bytes[..8]));
    assert!(matches!(length, ErrorKind::Shape { .. }), "{length:?}");
    for place in [1..5, 0..7] {
        let refused = kind(proxy.read_into_bytes(DType::F32, &mut bytes[place]));
        assert!(matches!(refused, ErrorKind::Usage(_)), "{refused:?}");
    }
}

#[test]
fn what_does_not_fit_is_found_before_there_is_a_place() {
    let folder = folder();
    let path = write(&folder, "it", &raw());
    let options = LoadOptions::new().limits(Limits::new().output(100));
    let limited = ArrayProxy::open(&path, spec(), &options).expect("it opens");
    assert!(
        limited
            .sliced("[0, 0, :20]")
            .expect("a part")
            .check_fits(4)
            .is_ok()
    );
    let error = limited.check_fits(4).expect_err("above the limit");
    assert!(matches!(error.kind(), ErrorKind::Limit { .. }), "{error}");
    let path = write(&folder, "short", &raw()[..1000]);
    let short = ArrayProxy::open(&path, spec(), &LoadOptions::new()).expect("it opens");
    let error = short.check_fits(4).expect_err("too short");
    assert!(
        matches!(error.kind(), ErrorKind::Truncated { .. }),
        "{error}"
    );
}

#[test]
fn what_cannot_be_opened() {
    let folder = folder();
    let options = LoadOptions::new();
    let open = |path: &std::path::Path, spec| ArrayProxy::open(path, spec, &options);
    let missing = open(&folder.path().join("none"), spec()).expect_err("none");
    assert_eq!(*missing.kind(), ErrorKind::NotFound);
    let directory = open(folder.path(), spec()).expect_err("a folder");
    assert_eq!(*directory.kind(), ErrorKind::NotAFile);
    let empty = write(&folder, "empty", &[]);
    assert_eq!(
        *open(&empty, spec()).expect_err("empty").kind(),
        ErrorKind::Empty
    );
    let nothing = ProxySpec::new(&[4, 0], DType::I16);
    let proxy = open(&empty, nothing).expect("no voxels");
    assert_eq!(proxy.read::<f32>().expect("none").len(), 0);
    let short = write(&folder, "short", &raw()[..1000]);
    let proxy = open(&short, spec()).expect("it opens");
    let error = proxy.read::<f32>().expect_err("too short");
    assert!(
        matches!(error.kind(), ErrorKind::Truncated { have: 1000, .. }),
        "{error}"
    );
    assert!(error.to_string().contains("short"), "{error}");
    let false_name = write(&folder, "false.gz", &raw());
    let error = open(&false_name, spec()).expect_err("not gzip");
    assert!(
        matches!(error.kind(), ErrorKind::Integrity { codec: "gzip", .. }),
        "{error}"
    );
    let vast = ProxySpec::new(&[usize::MAX / 2, usize::MAX / 2, 9], DType::I16);
    let error = open(&short, vast).expect_err("more than 2^63 bytes");
    assert!(matches!(error.kind(), ErrorKind::Header { .. }), "{error}");
}

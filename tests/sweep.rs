//! The quick check (`tests/run.sh quick`): every stored type with every kind of scaling and of index, and a sound file of
//! every format, on the CPU and on the best GPU. Small volumes: what depends on size is tested elsewhere.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use half::f16;
use voxload::scaling::{Arithmetic, Factor, Step};
use voxload::{
    ArrayProxy, ByteOrder, DType, DataobjImage, Extra, FileMap, HostArray, Index, ProxySpec,
    Scaling,
};

use crate::formats::seeds;
use crate::support::backend::Backend;
use crate::support::naive::{self, Number, Out};
use crate::support::nifti::{Nifti, gz};
use crate::support::rng::Rng;
use crate::support::source::CountingSource;
use crate::support::types::REAL;
use crate::support::{folder, for_each_parallel, header_of, slicing};

const SHAPE: [usize; 4] = [5, 4, 3, 2];
const VOXELS: usize = 120;
const ORDERS: [ByteOrder; 2] = [ByteOrder::Little, ByteOrder::Big];

/// Every kind of index: all, integers, ranges, steps, reversed, new axes, empty.
const INDEXES: [&str; 14] = [
    "[...]",
    "[3]",
    "[..., 1]",
    "[-1, -2, -3, -1]",
    "[1:4]",
    "[..., 1:, :]",
    "[::2, ::3]",
    "[::-1]",
    "[..., ::-1]",
    "[4:0:-2, 1:3, ::-1, 0]",
    "[:, 2, 1:2]",
    "[newaxis, ..., 1, newaxis]",
    "[2:2]",
    "[-100:100, 9:]",
];

/// How a value is made, in the model that the crate is compared with.
#[derive(Debug, Clone, Copy)]
enum Model {
    Linear(f64, f64),
    /// By the steps of the scaling: one multiplication after a clip, one addition.
    Steps,
    /// Arithmetic in f32, which other tests compare with nibabel: here slices are compared with the whole.
    Whole,
}

/// Every kind of scaling.
fn scalings() -> Vec<(Scaling, Model)> {
    let one = Factor::One;
    let table = |entries: &[f64]| Factor::Table(entries.into());
    let linear = |slope, inter| (Scaling::linear(slope, inter), Model::Linear(slope, inter));
    let multiply_add = vec![
        Step::Multiply(table(&[0.3, -2.0])),
        Step::Add(table(&[1.0, 0.7])),
    ];
    let all = vec![
        Step::Clip {
            lo: -100.0,
            hi: 1000.25,
        },
        Step::Multiply(table(&[0.1, 0.2, 0.3, 1.0, -1.0, 1e-9])),
        Step::Add(one(-0.3)),
    ];
    let spm = vec![Step::Multiply(one(0.37))];
    vec![
        (Scaling::none(), Model::Linear(1.0, 0.0)),
        linear(2.5, 0.0),
        linear(1.0, -3.0),
        linear(0.1, 7.25),
        // An entry for each of two frames, and for each of six slices.
        (
            Scaling::new(multiply_add, 60, Arithmetic::F64),
            Model::Steps,
        ),
        (Scaling::new(all, 20, Arithmetic::F64), Model::Steps),
        (
            Scaling::new(spm, VOXELS as u64, Arithmetic::Spm99),
            Model::Whole,
        ),
    ]
}

/// The value of the `n`-th voxel by plain arithmetic (`doc/VALUES.md`, section 1).
fn by_steps<T: Out>(number: Number, n: usize, scaling: &Scaling) -> (T, bool) {
    let entry = |factor: &Factor| match factor {
        Factor::One(value) => *value,
        Factor::Table(values) => values[n / scaling.block() as usize],
    };
    let mut value = naive::real(number, (1.0, 0.0));
    for step in scaling.steps() {
        match step {
            Step::Clip { lo, hi } if !value.is_nan() => value = value.max(*lo).min(*hi),
            Step::Clip { .. } => {}
            Step::Multiply(factor) => value *= entry(factor),
            Step::Add(factor) => value += entry(factor),
            other => panic!("{other:?}"),
        }
    }
    (T::narrowed(value), false)
}

/// Random voxels: any bits, and for the wider types small numbers too.
fn voxels(dtype: DType, order: ByteOrder, rng: &mut Rng) -> Vec<u8> {
    let item = dtype.size_bytes();
    let mut bytes = Vec::with_capacity(VOXELS * item);
    for n in 0..VOXELS {
        let small = rng.between(-2000, 2000);
        let bits = match dtype {
            _ if n % 2 == 0 => rng.bits(),
            DType::F16 => u64::from(f16::from_f64(small as f64 / 8.0).to_bits()),
            DType::F32 => u64::from((small as f32 / 8.0).to_bits()),
            DType::F64 => (small as f64 / 8.0).to_bits(),
            _ => small as u64,
        };
        let mut voxel = bits.to_le_bytes()[..item].to_vec();
        if order == ByteOrder::Big {
            voxel.reverse();
        }
        bytes.extend(voxel);
    }
    bytes
}

fn image(dtype: DType, order: ByteOrder, scaling: Scaling, bytes: Vec<u8>) -> DataobjImage {
    let spec = ProxySpec::new(&SHAPE, dtype)
        .byte_order(order)
        .scaling(scaling);
    let header = header_of(&spec);
    let proxy = ArrayProxy::new(CountingSource::new(bytes) as Arc<_>, spec).expect("it fits");
    let image = DataobjImage::new(proxy, header, Extra::new(), FileMap::new());
    image.expect("it fits")
}

/// All values of one output under every index, in new memory and over wrong values; how many slices were compared.
fn compare<T: Out>(
    backends: &[Backend],
    image: &DataobjImage,
    values: &[(T, bool)],
    indexes: &[Index],
) -> usize {
    for index in indexes {
        let (shape, from) = slicing::take(&SHAPE, index.items());
        for backend in backends {
            let what = || format!("{backend:?} {index:?} of {:?}", image.header());
            let wrong = from.iter().map(|&at| values[at].0.unlike()).collect();
            let over = backend.slice_over::<T>(image, index, wrong);
            let over = over.unwrap_or_else(|error| panic!("{}: {error}", what()));
            // On a device, which takes its time, into new memory with one output alone.
            let new = match *backend == Backend::Cpu || T::DTYPE == DType::F32 {
                true => backend.slice::<T>(image, index),
                false => HostArray::from_vec(&shape, over.clone()),
            };
            let new = new.unwrap_or_else(|error| panic!("{}: {error}", what()));
            assert_eq!(new.shape(), shape, "{}", what());
            for (n, &at) in from.iter().enumerate() {
                for found in [new.as_slice()[n], over[n]] {
                    assert!(
                        naive::agrees(found, values[at]),
                        "{}: element {n} is {found:?}, not {:?}",
                        what(),
                        values[at].0
                    );
                }
            }
        }
    }
    backends.len() * indexes.len()
}

#[test]
fn every_type_scaling_and_index() {
    let backends = Backend::available("types, scalings and indexes on a GPU");
    let indexes: Vec<Index> = INDEXES
        .iter()
        .map(|text| text.parse().expect("an index"))
        .collect();
    let scalings = scalings();
    let mut cases = Vec::new();
    for dtype in REAL {
        for (scaling, model) in &scalings {
            // One kernel serves both orders: each has every other kind.
            let order = ORDERS[cases.len() % 2];
            cases.push((dtype, order, scaling.clone(), *model));
        }
    }
    assert_eq!(cases.len(), 11 * 7);
    let (done, expected) = (
        AtomicUsize::new(0),
        cases.len() * 3 * backends.len() * INDEXES.len(),
    );
    for_each_parallel(cases, |(dtype, order, scaling, model)| {
        let bytes = voxels(dtype, order, &mut Rng::new(dtype.size_bytes() as u64));
        let image = image(dtype, order, scaling.clone(), bytes.clone());
        let compared = one_output::<f16>(&backends, &image, &bytes, &indexes, model)
            + one_output::<f32>(&backends, &image, &bytes, &indexes, model)
            + one_output::<f64>(&backends, &image, &bytes, &indexes, model);
        done.fetch_add(compared, Ordering::Relaxed);
    });
    assert_eq!(done.into_inner(), expected);
}

fn one_output<T: Out>(
    backends: &[Backend],
    image: &DataobjImage,
    bytes: &[u8],
    indexes: &[Index],
    model: Model,
) -> usize {
    let header = image.header();
    let stored = bytes.chunks_exact(header.dtype.size_bytes());
    let numbers = stored.map(|voxel| naive::decode(header.dtype, header.byte_order, voxel));
    let values: Vec<(T, bool)> = match model {
        Model::Linear(slope, inter) => numbers
            .map(|number| naive::value(number, (slope, inter)))
            .collect(),
        Model::Steps => numbers
            .enumerate()
            .map(|(n, number)| by_steps(number, n, &header.scaling))
            .collect(),
        Model::Whole => {
            let whole = image.dataobj().read::<T>().expect("values");
            whole
                .as_slice()
                .iter()
                .map(|&value| (value, false))
                .collect()
        }
    };
    compare(backends, image, &values, indexes)
}

/// Stored voxels as they are, of complex numbers and colours too.
#[test]
fn every_type_as_it_is_stored() {
    let others = [DType::C64, DType::C128, DType::Rgb24, DType::Rgba32];
    let mut compared = 0;
    for dtype in REAL.into_iter().chain(others) {
        for order in ORDERS {
            let (item, part) = (dtype.size_bytes(), dtype.part_bytes());
            let bytes = Rng::new(item as u64).bytes(VOXELS * item);
            let image = image(dtype, order, Scaling::none(), bytes.clone());
            let mut native = bytes;
            if order != ByteOrder::NATIVE {
                native.chunks_exact_mut(part).for_each(<[u8]>::reverse);
            }
            for text in INDEXES {
                let index: Index = text.parse().expect("an index");
                let (shape, from) = slicing::take(&SHAPE, index.items());
                let part = image.dataobj().sliced(&index).expect("a slice");
                let found = part.native().expect("its voxels");
                assert_eq!(found.shape(), shape, "{dtype} {order} {text}");
                let expected: Vec<u8> = from
                    .iter()
                    .flat_map(|&at| &native[at * item..][..item])
                    .copied()
                    .collect();
                assert!(found.as_bytes() == expected, "{dtype} {order} {text}");
                compared += 1;
            }
        }
    }
    assert_eq!(compared, 15 * 2 * INDEXES.len());
}

/// A sound file of each format, whole and its last slice, as every backend reads it.
#[test]
fn every_format() {
    let backends = Backend::available("formats on a GPU");
    let folder = folder();
    let nifti = Nifti::counting(&[4, 3, 2]).scl(0.5, -3.0);
    let mut paths = Vec::new();
    for (name, bytes) in [
        ("one.nii", nifti.single()),
        ("one.nii.gz", gz(&nifti.single(), 6)),
        ("two.nii", nifti.clone().version(2).single()),
    ] {
        paths.push(("NIfTI", crate::support::write(&folder, name, &bytes)));
    }
    let (header, voxels) = nifti.pair();
    crate::support::write(&folder, "pair.img", &voxels);
    let pair = crate::support::write(&folder, "pair.hdr", &header);
    paths.push(("NIfTI", pair));
    for (n, seed) in seeds::all().into_iter().enumerate() {
        let folder = folder.path().join(n.to_string());
        std::fs::create_dir(&folder).expect("a folder");
        paths.push((seed.format, seed.write(&folder)));
    }
    let last: Index = "[..., -1]".parse().expect("an index");
    let mut formats = Vec::new();
    for (format, path) in &paths {
        let image = voxload::load(path).unwrap_or_else(|error| panic!("{error}"));
        assert!(image.header().format.name().starts_with(format), "{format}");
        let whole = image.dataobj().read::<f32>().expect("values");
        let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        assert!(!whole.is_empty(), "{format}");
        let (shape, from) = slicing::take(image.shape(), last.items());
        let part: Vec<f32> = from.iter().map(|&at| whole.as_slice()[at]).collect();
        for backend in &backends {
            let read = backend.read::<f32>(&image).expect("values");
            assert_eq!(bits(read.as_slice()), bits(whole.as_slice()), "{format}");
            let slice = backend.slice::<f32>(&image, &last).expect("a slice");
            assert_eq!(slice.shape(), shape, "{format} on {backend:?}");
            assert_eq!(
                bits(slice.as_slice()),
                bits(&part),
                "{format} on {backend:?}"
            );
        }
        formats.push(*format);
    }
    formats.dedup();
    let known = if cfg!(feature = "minc2") { 11 } else { 10 };
    assert_eq!(formats.len(), known, "{formats:?}");
}

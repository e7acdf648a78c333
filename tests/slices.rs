//! Promise: a slice is what slicing the whole array gives, wherever the bytes come from.

use std::sync::atomic::{AtomicUsize, Ordering};

use half::f16;
use ndarray::{ArrayViewD, IxDyn, SliceInfo, SliceInfoElem};
use voxload::{ByteOrder, DataobjImage, Index, LoadOptions, Mmap, c128};

use crate::support::backend::Backend;
use crate::support::environment;
use crate::support::errors::outcome;
use crate::support::naive::{self, Out};
use crate::support::nifti::{Nifti, gz};
use crate::support::rng::Rng;
use crate::support::types::NIFTI_REAL;
use crate::support::{folder, for_each_parallel, oracle, slicing, write};

/// A random volume.
fn volume(rng: &mut Rng) -> Nifti {
    let shape = slicing::random_shape(rng);
    let dtype = *rng.pick(NIFTI_REAL);
    let voxels: usize = shape.iter().product();
    let data = rng.bytes(voxels * dtype.size_bytes());
    let scl = *rng.pick(&[
        (f64::NAN, 0.0),
        (1.0, 0.0),
        (0.1, -7.0),
        (2.0, 0.0),
        (1.0, 3.5),
    ]);
    let order = *rng.pick(&[ByteOrder::Little, ByteOrder::Big]);
    let version = *rng.pick(&[1, 2]);
    let nifti = Nifti::new(dtype, &shape, data);
    nifti.order(order).scl(scl.0, scl.1).version(version)
}

/// The values of the whole volume by the naive model, and whether every bit of them counts.
fn values<T: Out>(nifti: &Nifti) -> Vec<(T, bool)> {
    let scl = match nifti.version {
        1 => (f64::from(nifti.scl.0 as f32), f64::from(nifti.scl.1 as f32)),
        _ => nifti.scl,
    };
    let linear = naive::effective(scl);
    let voxels = nifti.data.chunks_exact(nifti.dtype.size_bytes());
    voxels
        .map(|voxel| naive::value(naive::decode(nifti.dtype, nifti.order, voxel), linear))
        .collect()
}

/// Compares one slice with the naive one: in new memory, and written over wrong values in the caller's buffer.
fn check_slice<T: Out>(backend: Backend, image: &DataobjImage, index: &Index, all: &[(T, bool)]) {
    let (shape, from) = slicing::take(image.shape(), index.items());
    let found = backend.slice::<T>(image, index);
    let found = found.unwrap_or_else(|error| panic!("{index:?} of {:?}: {error}", image.shape()));
    assert_eq!(found.shape(), shape, "{index:?} of {:?}", image.shape());
    // Not one element of it is right, so that each must be written.
    let wrong = from.iter().map(|&at| all[at].0.unlike());
    let over = backend.slice_over::<T>(image, index, wrong.collect());
    let over = over.expect("the buffer fits");
    assert_eq!(found.len(), from.len());
    for (n, &at) in from.iter().enumerate() {
        for found in [found.as_slice()[n], over[n]] {
            assert!(
                naive::agrees(found, all[at]),
                "{backend:?}: element {n} of {index:?} of {:?}: {found:?}, not {:?}",
                image.shape(),
                all[at].0
            );
        }
    }
}

/// One volume from a mapped file, a file read by position, memory and gzip: some slices of each.
fn check_volume(seed: u64, backends: &[Backend], per_volume: usize) {
    let mut rng = Rng::new(seed);
    let nifti = volume(&mut rng);
    let bytes = nifti.single();
    let dir = folder();
    let plain = write(&dir, "a.nii", &bytes);
    let zipped = write(&dir, "a.nii.gz", &gz(&bytes, 1));
    let unmapped = LoadOptions::new().mmap(Mmap::Off);
    let images = [
        voxload::load(&plain).expect("it loads"),
        DataobjImage::from_filename(&plain, &unmapped).expect("it loads"),
        voxload::load(&zipped).expect("it loads"),
        DataobjImage::from_bytes(bytes).expect("it loads"),
    ];
    let (halves, singles, doubles) = (values::<f16>(&nifti), values::<f32>(&nifti), values(&nifti));
    for n in 0..per_volume {
        let index = slicing::random_index(&mut rng, &nifti.shape);
        for image in &images {
            for &backend in backends {
                match n % 3 {
                    0 => check_slice::<f16>(backend, image, &index, &halves),
                    1 => check_slice::<f32>(backend, image, &index, &singles),
                    _ => check_slice::<f64>(backend, image, &index, &doubles),
                }
            }
        }
    }
}

#[test]
fn random_slices_are_those_of_the_whole() {
    let backends = Backend::every_way("random slices");
    let (slices, per_volume) = (environment::volume(2000, 20_000), 8);
    let done = AtomicUsize::new(0);
    for_each_parallel(0..slices.div_ceil(per_volume), |seed| {
        check_volume(seed as u64, &backends, per_volume);
        done.fetch_add(per_volume, Ordering::Relaxed);
    });
    assert!(done.into_inner() >= slices);
}

/// Text in numpy's notation, shape and values from numpy itself.
#[test]
#[ignore = "needs nibabel's results (tests/run.sh)"]
fn slices_of_numpy() {
    let test = "slices of numpy";
    let (folder, rows) = oracle::manifest("slices.txt");
    let backends = Backend::every_way(test);
    assert!(rows.len() >= 2000, "{}", rows.len());
    for_each_parallel(rows.iter().enumerate(), |(number, row)| {
        let [name, text, request, shape, expected] = row.as_slice() else {
            panic!("five columns: {row:?}");
        };
        let image = voxload::load(folder.join("slices").join(name)).expect("it loads");
        let index: Index = text
            .parse()
            .unwrap_or_else(|error| panic!("{text}: {error}"));
        // On the CPU, and on a device in one of the ways to drive it.
        let (cpu, devices) = backends.split_at(1);
        let device = devices.get(number % devices.len().max(1));
        for &backend in cpu.iter().chain(device) {
            let (found_shape, found) = match request.as_str() {
                "f2" => hashed::<f16>(backend, &image, &index),
                "f4" => hashed::<f32>(backend, &image, &index),
                _ => hashed::<f64>(backend, &image, &index),
            };
            assert_eq!(found_shape, oracle::shape(shape), "{name}: {text}");
            assert_eq!(found, *expected, "{backend:?}: {name}: {text} as {request}");
        }
    });
}

fn hashed<T: Out>(backend: Backend, image: &DataobjImage, index: &Index) -> (Vec<usize>, String) {
    let slice = backend.slice::<T>(image, index).expect("it can be read");
    (slice.shape().to_vec(), oracle::hash(&slice))
}

/// Random elements of `s![]` that ndarray itself accepts for the shape.
fn random_elements(rng: &mut Rng, shape: &[usize]) -> Vec<SliceInfoElem> {
    let mut elements = Vec::new();
    for &length in shape {
        let length = length as i64;
        if rng.one_in(8) {
            elements.push(SliceInfoElem::NewAxis);
        }
        if length > 0 && rng.one_in(4) {
            elements.push(SliceInfoElem::Index(
                rng.between(-length, length - 1) as isize
            ));
            continue;
        }
        let (start, end) = (rng.between(0, length), rng.between(0, length));
        let (start, end) = (start.min(end), start.max(end));
        // Ends may be counted from the end, and left out.
        let from_end = |at: i64, rng: &mut Rng| match rng.one_in(3) && at < length {
            true => at - length,
            false => at,
        };
        let step = match rng.between(-4, 4) {
            0 => 1,
            step => step,
        };
        elements.push(SliceInfoElem::Slice {
            start: from_end(start, rng) as isize,
            end: (!rng.one_in(4)).then(|| from_end(end, rng) as isize),
            step: step as isize,
        });
    }
    elements
}

#[test]
fn ndarray_slices_mean_what_ndarray_means() {
    let mut rng = Rng::new(77);
    let mut compared = 0;
    for _ in 0..3000 {
        let shape = slicing::random_shape(&mut rng);
        let nifti = Nifti::counting(&shape);
        let image = DataobjImage::from_bytes(nifti.single()).expect("it loads");
        let whole = image.dataobj().read::<f64>().expect("it can be read");
        let elements = random_elements(&mut rng, &shape);
        let info = SliceInfo::<_, IxDyn, IxDyn>::try_from(elements.as_slice());
        let info = info.expect("elements for this many axes");
        let view: ArrayViewD<'_, f64> = whole.view();
        let expected = view.slice(&info);
        let found = image.dataobj().slice::<f64>(&Index::from(&info));
        let found = found.unwrap_or_else(|error| panic!("{elements:?} of {shape:?}: {error}"));
        assert_eq!(found.view(), expected, "{elements:?} of {shape:?}");
        compared += 1;
    }
    assert_eq!(compared, 3000);
    // ndarray reverses what it sliced, numpy walks back from its start.
    let image = DataobjImage::from_bytes(Nifti::counting(&[6]).single()).expect("it loads");
    let by_ndarray = image
        .dataobj()
        .slice::<f32>(&Index::from(&ndarray::s![1..5;-2]));
    assert_eq!(by_ndarray.expect("a slice").as_slice(), [4.0, 2.0]);
    let by_numpy = image.dataobj().slice::<f32>("[1:5:-2]");
    assert!(by_numpy.expect("a slice").is_empty());
}

#[test]
fn indexes_that_do_not_fit() {
    let image = DataobjImage::from_bytes(Nifti::counting(&[4, 3, 2]).single()).expect("it loads");
    let refused = [
        "[4]",
        "[-5]",
        "[0, 3]",
        "[..., 2]",
        "[..., -3]",
        "[0, 0, 0, 0]",
        "[:, :, :, :]",
        "[..., ...]",
        "[..., 0, ...]",
        "[::0]",
        "[1:2:0]",
        "[99999999999999999999]",
        "[-99999999999999999999]",
    ];
    for text in refused {
        let index: Index = text
            .parse()
            .unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(
            outcome(&image.dataobj().slice::<f32>(&index)),
            "Index",
            "{text}"
        );
        assert_eq!(
            outcome(&image.dataobj().slice::<c128>(&index)),
            "Index",
            "{text}"
        );
        assert_eq!(outcome(&image.dataobj().sliced(&index)), "Index", "{text}");
    }
    let unreadable = [
        "[",
        "]",
        "[1",
        "1]",
        "[a]",
        "[1.5]",
        "[1:2:3:4]",
        "[1,,2]",
        "[]",
        "",
        "[--1]",
        "[1 2]",
        "[[0]]",
        "[True]",
        "[1:x]",
        "[0x10]",
        "[_1]",
    ];
    for text in unreadable {
        assert_eq!(outcome(&text.parse::<Index>()), "Index", "{text}");
    }
    let whole = image.dataobj().sliced("[:]").expect("an index");
    assert_eq!(outcome(&whole.read_into(&mut [0f32; 23])), "Shape");
    assert_eq!(
        outcome(&image.dataobj().read_into(&mut [0f64; 25])),
        "Shape"
    );
}

#[test]
fn bounds_clamp_as_in_numpy() {
    let image = DataobjImage::from_bytes(Nifti::counting(&[4]).single()).expect("it loads");
    let table: [(&str, &[f64]); 10] = [
        ("[-300:]", &[0.0, 1.0, 2.0, 3.0]),
        ("[:-300]", &[]),
        ("[2:300]", &[2.0, 3.0]),
        ("[3:-300:-1]", &[3.0, 2.0, 1.0, 0.0]),
        ("[0:2:-3]", &[]),
        ("[5:5]", &[]),
        ("[::-2]", &[3.0, 1.0]),
        ("[-2:]", &[2.0, 3.0]),
        (
            "[-99999999999999999999:99999999999999999999:3]",
            &[0.0, 3.0],
        ),
        ("[1:3,]", &[1.0, 2.0]),
    ];
    for (text, expected) in table {
        let slice = image.dataobj().slice::<f64>(text);
        assert_eq!(slice.expect("a slice").as_slice(), expected, "{text}");
    }
    let one = image.dataobj().slice::<f64>("[-1]");
    let one = one.expect("one voxel");
    assert_eq!((one.shape(), one.as_slice()), (&[][..], &[3.0][..]));
}

/// Slices of array images follow the same rules.
#[test]
fn slices_of_arrays() {
    let mut rng = Rng::new(3);
    for _ in 0..500 {
        let shape = slicing::random_shape(&mut rng);
        let count: usize = shape.iter().product();
        let elements: Vec<f32> = (0..count).map(|n| n as f32).collect();
        let array = voxload::HostArray::from_vec(&shape, elements.clone()).expect("it fits");
        let image = DataobjImage::from_array(array, None).expect("it fits");
        let index = slicing::random_index(&mut rng, &shape);
        let (expected_shape, from) = slicing::take(&shape, index.items());
        let expected: Vec<f32> = from.iter().map(|&at| elements[at]).collect();
        let found = image.dataobj().slice::<f32>(&index).expect("a slice");
        assert_eq!(
            (found.shape(), found.as_slice()),
            (&expected_shape[..], &expected[..])
        );
    }
}

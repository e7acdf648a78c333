//! Orientation on the way: every order and direction of the axes, closest canonical, slices of both; on each backend
//! the voxels that a naive walk takes, and affines that keep every voxel where it was.

use half::f16;
use voxload::affine::multiply;
use voxload::{
    Affine, AxisDirection, ByteOrder, DType, DataobjImage, HostArray, Index, Orientation,
};

use crate::support::backend::Backend;
use crate::support::floats::from_hex;
use crate::support::naive::Out;
use crate::support::nifti::Nifti;
use crate::support::rng::Rng;
use crate::support::{oracle, slicing};

/// All 48 orders and directions of three axes.
fn all_ways() -> Vec<[AxisDirection; 3]> {
    let orders = [
        [0, 1, 2],
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
    ];
    let ways = orders.into_iter().flat_map(|order| {
        (0..8).map(move |flips| {
            let mut bit = 1;
            order.map(|axis| {
                let flipped = flips & bit != 0;
                bit <<= 1;
                AxisDirection { axis, flipped }
            })
        })
    });
    ways.collect()
}

/// Big-endian, scaled, every voxel another number.
fn volume(shape: &[usize]) -> DataobjImage {
    let count: usize = shape.iter().product();
    let data = (0..count as i16).flat_map(i16::to_be_bytes).collect();
    let nifti = Nifti::new(DType::I16, shape, data)
        .order(ByteOrder::Big)
        .scl(0.1, -7.0);
    DataobjImage::from_bytes(nifti.single()).expect("it loads")
}

/// The shape after reordering, and the position in the column-major original of each voxel.
fn naive(shape: &[usize], sources: &[AxisDirection]) -> (Vec<usize>, Vec<usize>) {
    let mut new_shape = shape.to_vec();
    for (length, source) in new_shape.iter_mut().zip(sources) {
        *length = shape[source.axis];
    }
    let count: usize = shape.iter().product();
    let positions = (0..count).map(|number| {
        let (mut rest, mut index) = (number, vec![0; shape.len()]);
        for (axis, &length) in new_shape.iter().enumerate() {
            let source = sources.get(axis).copied().unwrap_or(AxisDirection {
                axis,
                flipped: false,
            });
            let at = rest % length;
            rest /= length;
            index[source.axis] = if source.flipped { length - 1 - at } else { at };
        }
        let from_slowest = index.iter().zip(shape).rev();
        from_slowest.fold(0, |position, (&at, &length)| position * length + at)
    });
    (new_shape.clone(), positions.collect())
}

fn check<T: Out>(backend: Backend, image: &DataobjImage, turned: &DataobjImage, from: &[usize]) {
    let whole: HostArray<T> = image.dataobj().read().expect("values");
    let found: HostArray<T> = backend.read(turned).expect("values");
    assert_eq!(found.len(), from.len());
    for (&found, &at) in found.as_slice().iter().zip(from) {
        assert_eq!(found.bits(), whole.as_slice()[at].bits(), "{backend:?}");
    }
}

#[test]
fn every_order_and_direction() {
    let test = "every_order_and_direction";
    let mut checked = 0;
    let backends: Vec<Backend> = Backend::available(test)
        .into_iter()
        .chain(Backend::small_devices(test))
        .collect();
    let mut rng = Rng::new(51);
    for shape in [&[5, 6, 7][..], &[7, 1, 4, 3], &[70, 9, 40]] {
        let image = volume(shape);
        for sources in all_ways() {
            let turned = image.as_reoriented(&sources).expect("an order");
            let (new_shape, from) = naive(shape, &sources);
            assert_eq!(turned.shape(), new_shape, "{sources:?}");
            let index = slicing::random_index(&mut rng, &new_shape);
            let (part_shape, part) = slicing::take(&new_shape, index.items());
            let part: Vec<usize> = part.iter().map(|&at| from[at]).collect();
            for &backend in &backends {
                check::<f16>(backend, &image, &turned, &from);
                check::<f32>(backend, &image, &turned, &from);
                check::<f64>(backend, &image, &turned, &from);
                check_slice(backend, &image, &turned, &index, (&part_shape, &part));
                checked += 1;
            }
        }
    }
    assert_eq!(checked, 3 * 48 * backends.len());
}

fn check_slice(
    backend: Backend,
    image: &DataobjImage,
    turned: &DataobjImage,
    index: &Index,
    (shape, from): (&[usize], &[usize]),
) {
    let whole: HostArray<f32> = image.dataobj().read().expect("values");
    let part: HostArray<f32> = backend.slice(turned, index).expect("a slice");
    assert_eq!(part.shape(), shape, "{backend:?} {index:?}");
    let expected = from.iter().map(|&at| whole.as_slice()[at].to_bits());
    let found = part.as_slice().iter().map(|value| value.to_bits());
    assert!(found.eq(expected), "{backend:?} {index:?}");
}

/// Every voxel stays where it was in space; canonical images lead right, anterior, superior.
#[test]
fn affines_follow_the_voxels() {
    let shape = [3, 4, 5];
    for sources in all_ways() {
        let mut affine = [[0.0; 4]; 4];
        affine[3][3] = 1.0;
        for (column, way) in sources.iter().enumerate() {
            for (k, row) in affine.iter_mut().take(3).enumerate() {
                let main = k == way.axis;
                let size = if main { 2.0 } else { 0.1 * column as f64 - 0.1 };
                row[column] = if way.flipped { -size } else { size };
            }
            affine[column][3] = 10.0 * column as f64 - 7.0;
        }
        let values = (0..60).map(f64::from).collect();
        let array = HostArray::from_vec(&shape, values).expect("it fits");
        let image = DataobjImage::from_array(array, Some(affine)).expect("it fits");
        let canonical = image.as_closest_canonical().expect("an affine");
        let canonical_affine = canonical.affine().expect("one too");
        let orientation = Orientation::of(canonical_affine).expect("finite");
        assert!(orientation.is_canonical(), "{sources:?}");
        let orientation = Orientation::of(&affine).expect("finite");
        let from = orientation.canonical_axes().expect("three directions");
        let turned = image.as_reoriented(&from).expect("an order");
        for image in [&canonical, &turned] {
            let (new_shape, from) = naive(&shape, &from);
            assert_eq!(image.shape(), new_shape);
            let found: HostArray<f64> = image.dataobj().read().expect("values");
            for (number, (&value, &at)) in found.as_slice().iter().zip(&from).enumerate() {
                assert_eq!(value, at as f64);
                let here = world(image.affine().expect("one"), &new_shape, number);
                let there = world(&affine, &shape, at);
                let near = here.iter().zip(there).all(|(a, b)| (a - b).abs() < 1e-9);
                assert!(near, "{sources:?}: {here:?} for {there:?}");
            }
        }
    }
}

/// Where the voxel of this number lies.
fn world(affine: &Affine, shape: &[usize], number: usize) -> [f64; 3] {
    let (mut rest, mut at) = (number, [[0.0; 4]; 4]);
    at[3][3] = 1.0;
    for (axis, &length) in shape.iter().enumerate() {
        at[axis][3] = (rest % length) as f64;
        rest /= length;
    }
    let moved = multiply(affine, &at);
    [moved[0][3], moved[1][3], moved[2][3]]
}

#[test]
#[ignore = "needs nibabel's results (tests/run.sh)"]
fn canonical_of_nibabel() {
    let test = "canonical of nibabel";
    let (folder, rows) = oracle::manifest("orientation.txt");
    assert_eq!(rows.len(), 96);
    let backends = Backend::available(test);
    for row in rows {
        let [name, codes, shape, affine, expected] = row.as_slice() else {
            panic!("five columns: {row:?}");
        };
        let image = voxload::load(folder.join("orientation").join(name)).expect("it loads");
        let orientation = Orientation::of(image.affine().expect("one")).expect("finite");
        let found: String = orientation.codes().iter().flatten().collect();
        assert_eq!(found, *codes, "{name}");
        let canonical = image.as_closest_canonical().expect("an affine");
        assert_eq!(canonical.shape(), oracle::shape(shape), "{name}");
        let found = canonical.affine().expect("one").as_flattened();
        for (&found, wanted) in found.iter().zip(affine.split(',')) {
            let wanted = from_hex(wanted);
            // The affine is nibabel's to the last digits of a double.
            let near = (found - wanted).abs() <= 1e-12 * wanted.abs().max(1.0);
            assert!(near, "{name}: {found:e} for {wanted:e}");
        }
        for &backend in &backends {
            let values = backend.read::<f64>(&canonical).expect("values");
            assert_eq!(oracle::hash(&values), *expected, "{backend:?}: {name}");
        }
    }
}

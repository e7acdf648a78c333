//! Promise: what `get_fdata` caches on the host, what it gives back, and what an edit does to it.

use half::f16;
use ndarray::IxDyn;
use voxload::{Caching, DataobjImage, HostArray, StoredArray, c64};

use crate::support::nifti::Nifti;

fn image() -> DataobjImage {
    let nifti = Nifti::counting(&[3, 4]).scl(2.0, 1.0);
    DataobjImage::from_bytes(nifti.single()).expect("it loads")
}

fn fill<T: voxload::Float>(image: &DataobjImage) -> HostArray<T> {
    image.get_fdata(Caching::Fill).expect("it can be read")
}

fn unchanged<T: voxload::Float>(image: &DataobjImage) -> HostArray<T> {
    image.get_fdata(Caching::Unchanged).expect("it can be read")
}

/// `| empty | get_fdata() | new array, cached, in_memory |`
#[test]
fn empty_and_fill() {
    let image = image();
    assert!(!image.in_memory());
    let first = fill::<f64>(&image);
    assert!(image.in_memory());
    assert!(fill::<f64>(&image).shares_memory_with(&first));
}

/// `| empty | 'unchanged' | new array each call, in_memory stays False |`
#[test]
fn empty_and_unchanged() {
    let image = image();
    let (first, second) = (unchanged::<f64>(&image), unchanged::<f64>(&image));
    assert!(!first.shares_memory_with(&second));
    assert_eq!(first.as_slice(), second.as_slice());
    assert!(!image.in_memory());
}

/// `| f64 cached | get_fdata('unchanged') | the cached object |`
#[test]
fn cached_and_unchanged() {
    let image = image();
    let first = fill::<f64>(&image);
    assert!(unchanged::<f64>(&image).shares_memory_with(&first));
}

/// `| f64 cached | get_fdata(dtype=f4) | new f4 array; f64 cache dropped, f4 cached |`
#[test]
fn another_type_takes_the_place() {
    let image = image();
    let wide = fill::<f64>(&image);
    let narrow = fill::<f32>(&image);
    assert!(fill::<f32>(&image).shares_memory_with(&narrow));
    assert!(!unchanged::<f64>(&image).shares_memory_with(&wide));
    assert_eq!(wide.as_slice()[11], 23.0, "a held array lives on");
    let half = fill::<f16>(&image);
    assert!(!unchanged::<f32>(&image).shares_memory_with(&narrow));
    assert!(unchanged::<f16>(&image).shares_memory_with(&half));
}

/// `| f64 cached | get_fdata('unchanged', dtype=f4) | new f4 from the file; f64 cache kept |`
#[test]
fn another_type_unchanged_comes_from_the_file() {
    let mut image = image();
    image.fdata_mut::<f64>().expect("it can be read")[[0, 0]] = 99.0;
    let wide = fill::<f64>(&image);
    assert_eq!(wide.as_slice()[0], 99.0);
    assert_eq!(
        unchanged::<f32>(&image).as_slice()[0],
        1.0,
        "the edit is not visible"
    );
    assert!(
        fill::<f64>(&image).shares_memory_with(&wide),
        "the cache is kept"
    );
}

/// "Edits to a returned 'fill' array are visible later until `uncache()`; then file values return."
#[test]
fn edits_live_until_uncache() {
    let mut image = image();
    image.fdata_mut::<f32>().expect("it can be read")[[1, 2]] = -5.0;
    assert!(image.in_memory());
    assert_eq!(fill::<f32>(&image).view()[[1, 2]], -5.0);
    assert_eq!(unchanged::<f32>(&image).view()[[1, 2]], -5.0);
    let slice = image.dataobj().slice::<f32>("[1, 2]");
    assert_eq!(
        slice.expect("a slice").as_slice(),
        [15.0],
        "slices read the file"
    );
    assert_eq!(
        image.dataobj().read::<f32>().expect("read").view()[[1, 2]],
        15.0
    );
    image.uncache();
    assert!(!image.in_memory());
    assert_eq!(fill::<f32>(&image).view()[[1, 2]], 15.0);
}

/// There is one copy: filling the cache with another type drops the edited one.
#[test]
fn a_fill_of_another_type_drops_the_edit() {
    let mut image = image();
    image.fdata_mut::<f32>().expect("it can be read")[[0, 0]] = -5.0;
    fill::<f64>(&image);
    assert_eq!(fill::<f32>(&image).as_slice()[0], 1.0);
}

/// `fdata_mut` copies first while an array from the cache is still held.
#[test]
fn held_arrays_keep_their_values() {
    let mut image = image();
    let held = fill::<f32>(&image);
    image.fdata_mut::<f32>().expect("it is there")[[0, 0]] = 7.0;
    assert_eq!(held.as_slice()[0], 1.0);
    let edited = fill::<f32>(&image);
    assert_eq!(edited.as_slice()[0], 7.0);
    assert!(!edited.shares_memory_with(&held));
    drop((held, edited));
    image.fdata_mut::<f32>().expect("it is there")[[1, 0]] = 8.0;
    assert_eq!(
        fill::<f32>(&image).as_slice()[..2],
        [7.0, 8.0],
        "both edits"
    );
}

/// Complex requests share the one cache.
#[test]
fn complex_arrays_are_kept_too() {
    let image = image();
    let real = fill::<f64>(&image);
    let complex = image
        .get_fdata::<c64>(Caching::Fill)
        .expect("it can be read");
    let again = image
        .get_fdata::<c64>(Caching::Unchanged)
        .expect("it is there");
    assert!(again.shares_memory_with(&complex));
    assert!(!unchanged::<f64>(&image).shares_memory_with(&real));
}

fn array_image() -> DataobjImage {
    let array = HostArray::from_vec(&[2, 2], vec![1.5f64, 2.5, 3.5, 4.5]).expect("it fits");
    DataobjImage::from_array(array, None).expect("it fits")
}

/// "Array image: D equal to array dtype → the very dataobj object", in memory always.
#[test]
fn an_array_image_gives_its_own_array() {
    let image = array_image();
    assert!(image.in_memory());
    let own = fill::<f64>(&image);
    assert!(unchanged::<f64>(&image).shares_memory_with(&own));
    let dataobj = image.dataobj().read::<f64>().expect("it is there");
    assert!(dataobj.shares_memory_with(&own));
    image.uncache();
    assert!(image.in_memory());
    assert!(fill::<f64>(&image).shares_memory_with(&own));
}

/// "else a converted copy that is cached under 'fill' (distinct copies under 'unchanged')"
#[test]
fn an_array_image_keeps_a_converted_copy() {
    let image = array_image();
    let (one, two) = (unchanged::<f32>(&image), unchanged::<f32>(&image));
    assert!(!one.shares_memory_with(&two));
    let kept = fill::<f32>(&image);
    assert!(fill::<f32>(&image).shares_memory_with(&kept));
    assert!(unchanged::<f32>(&image).shares_memory_with(&kept));
    image.uncache();
    assert!(!fill::<f32>(&image).shares_memory_with(&kept));
}

/// "After editing an f8 array image, an existing f4 cache is stale."
#[test]
fn an_edited_array_image_leaves_a_stale_copy() {
    let mut image = array_image();
    fill::<f32>(&image);
    image.fdata_mut::<f64>().expect("its own array")[[0, 0]] = 9.0;
    assert_eq!(fill::<f32>(&image).as_slice()[0], 1.5, "stale");
    assert_eq!(fill::<f64>(&image).as_slice()[0], 9.0);
    image.uncache();
    assert_eq!(
        fill::<f64>(&image).as_slice()[0],
        9.0,
        "the array itself was edited"
    );
    assert_eq!(fill::<f32>(&image).as_slice()[0], 9.0);
}

/// "Array-image conversion is a direct cast (i64→f32 single rounding) unlike proxies."
#[test]
fn array_images_round_once() {
    let value = (1i64 << 60) + (1 << 36) + 1;
    let stored = value.to_le_bytes().to_vec();
    let array = HostArray::from_vec(&[2], vec![value, -value]).expect("it fits");
    let image = DataobjImage::from_array(array, None).expect("it fits");
    assert_eq!(fill::<f32>(&image).as_slice()[0].to_bits(), 0x5d80_0001);
    assert_eq!(fill::<f32>(&image).as_slice()[1].to_bits(), 0xdd80_0001);
    let large = HostArray::from_vec(&[1], vec![u64::MAX]).expect("it fits");
    let large = DataobjImage::from_array(large, None).expect("it fits");
    assert_eq!(fill::<f32>(&large).as_slice(), [2f32.powi(64)]);
    let file = Nifti::new(voxload::DType::I64, &[1], stored);
    let file = DataobjImage::from_bytes(file.single()).expect("it loads");
    assert_eq!(
        fill::<f32>(&file).as_slice()[0].to_bits(),
        0x5d80_0000,
        "a proxy rounds twice"
    );
}

/// ndarrays of either memory order become column-major arrays of the same elements.
#[test]
fn array_images_of_ndarrays() {
    let rows = ndarray::Array2::from_shape_fn((3, 4), |(i, j)| (10 * i + j) as i16);
    let image = DataobjImage::from_array(HostArray::from(rows.clone()), None).expect("it fits");
    assert_eq!(image.shape(), [3, 4]);
    let columns = rows.clone().reversed_axes();
    let other = DataobjImage::from_array(HostArray::from(columns), None).expect("it fits");
    let (a, b) = (fill::<f32>(&image), fill::<f32>(&other));
    for i in 0..3 {
        for j in 0..4 {
            let expected = f32::from(rows[[i, j]]);
            assert_eq!(a.view()[IxDyn(&[i, j])], expected);
            assert_eq!(b.view()[IxDyn(&[j, i])], expected);
        }
    }
    assert_eq!(
        a.as_slice()[..3],
        [0.0, 10.0, 20.0],
        "the first axis is the fastest"
    );
    assert!(matches!(image.dataobj().native(), Ok(StoredArray::I16(_))));
}

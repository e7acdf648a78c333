//! Budgets: the least recently used copies go first, edits never, handles stay valid, and the counters count.

use voxload::{Budget, Caching, DType, DataobjImage};

use crate::support::nifti::Nifti;

/// Bytes of an image's values as f32.
const BYTES: u64 = 4 * 1000;

fn images(count: usize, budget: &Budget) -> Vec<DataobjImage> {
    let image = |number: usize| {
        let data = vec![number as u8; 1000];
        let file = Nifti::new(DType::U8, &[10, 10, 10], data).single();
        let image = DataobjImage::from_bytes(file).expect("an image");
        image.with_budget(budget)
    };
    (0..count).map(image).collect()
}

fn read(image: &DataobjImage) -> f32 {
    let values = image.get_fdata::<f32>(Caching::Fill).expect("values");
    values.as_slice()[0]
}

#[test]
fn the_least_recently_used_goes_first() {
    let budget = Budget::new(3 * BYTES, 0);
    let images = images(4, &budget);
    let held = images[0].get_fdata::<f32>(Caching::Fill).expect("values");
    assert_eq!((read(&images[1]), read(&images[2])), (1.0, 2.0));
    // The first was used after the second, so the second goes for the fourth.
    assert_eq!((read(&images[0]), read(&images[3])), (0.0, 3.0));
    let kept: Vec<bool> = images.iter().map(DataobjImage::in_memory).collect();
    assert_eq!(kept, [true, false, true, true]);
    let usage = budget.usage();
    assert_eq!((usage.host_bytes, usage.device_bytes), (3 * BYTES, 0));
    assert_eq!((usage.hits, usage.misses, usage.evictions), (1, 4, 1));
    // What was let go is read again, and what a caller holds is what it was.
    assert_eq!(read(&images[1]), 1.0);
    assert!(held.as_slice().iter().all(|&value| value == 0.0));
    drop(images);
    assert_eq!(budget.usage().host_bytes, 0, "dropped images keep nothing");
}

#[test]
fn edits_are_never_let_go() {
    let budget = Budget::new(2 * BYTES, 0);
    let mut images = images(3, &budget);
    images[0].fdata_mut::<f32>().expect("an edit")[[0, 0, 0]] = 77.0;
    for round in 0..5 {
        assert_eq!((read(&images[1]), read(&images[2])), (1.0, 2.0), "{round}");
    }
    assert_eq!(read(&images[0]), 77.0);
    assert_eq!(budget.usage().host_bytes, 2 * BYTES);
    // All but the first read found the other image's copy in its way.
    assert_eq!(budget.usage().evictions, 9);
    images[0].uncache();
    assert_eq!(read(&images[0]), 0.0);
}

#[test]
fn what_does_not_fit_is_given_out_and_not_kept() {
    let budget = Budget::new(BYTES - 1, 0);
    let images = images(2, &budget);
    assert_eq!((read(&images[0]), read(&images[1])), (0.0, 1.0));
    assert!(!images[0].in_memory() && !images[1].in_memory());
    let usage = budget.usage();
    assert_eq!((usage.host_bytes, usage.hits, usage.misses), (0, 0, 2));
    // An edit has no other place than the cache, so it is kept all the same.
    let mut image = images.into_iter().next().expect("the first");
    image.fdata_mut::<f32>().expect("an edit")[[1, 0, 0]] = 5.0;
    assert_eq!(budget.usage().host_bytes, BYTES);
}

#[test]
fn another_type_takes_the_place_of_the_first() {
    let budget = Budget::new(2 * BYTES, 0);
    let images = images(1, &budget);
    read(&images[0]);
    images[0].get_fdata::<f64>(Caching::Fill).expect("values");
    // The f32 copy made room before the f64 copy came: together they would not fit.
    assert_eq!(budget.usage().host_bytes, 2 * BYTES);
    assert_eq!(budget.usage().evictions, 0);
}

#[cfg(feature = "gpu")]
mod on_a_device {
    use super::*;
    use crate::support::backend::{Device, open, ready};
    use crate::support::ways;

    #[test]
    fn device_copies_have_a_budget_of_their_own() {
        if !ready("device_copies_have_a_budget_of_their_own") {
            return;
        }
        for device in [Device::Best, Device::Awaited, Device::AsInBrowsers] {
            device_copies_have_a_budget_of_their_own_on(open(device));
        }
    }

    fn device_copies_have_a_budget_of_their_own_on(gpu: &voxload::Gpu) {
        let budget = Budget::new(0, 2 * BYTES);
        let images = images(3, &budget);
        let load = |image: &DataobjImage| {
            ways::get_fdata_gpu::<f32>(image, gpu, Caching::Fill).expect("device values")
        };
        let first = load(&images[0]);
        load(&images[1]);
        load(&images[0]);
        load(&images[2]);
        let kept: Vec<bool> = images.iter().map(DataobjImage::on_device).collect();
        assert_eq!(kept, [true, false, true]);
        let usage = budget.usage();
        assert_eq!((usage.device_bytes, usage.evictions), (2 * BYTES, 1));
        assert_eq!((usage.hits, usage.misses), (1, 3));
        // A copy that was written to is an edit: it stays, the clean one goes.
        first.mark_modified();
        load(&images[1]);
        let kept: Vec<bool> = images.iter().map(DataobjImage::on_device).collect();
        assert_eq!(kept, [true, true, false]);
        assert!(ways::download(&first).is_ok(), "handles stay valid");
    }
}

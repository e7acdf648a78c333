//! Promise: whatever the order of calls, an image's caches are those of spec 1.2. Random sequences of calls on
//! several images, each compared with a model of three lines a call.
//!
//! The model knows the host side; the device side has its place in [`Call`], [`Model`] and [`step`]:
//! `get_fdata_gpu`, `on_device`, `mark_modified`.

use half::f16;
use voxload::{Caching, DType, DataobjImage, Float, HostArray, StoredArray};

use crate::support::nifti::Nifti;
use crate::support::rng::Rng;

const STEPS: usize = 30_000;
const VOXELS: usize = 6;

#[derive(Debug, Clone, Copy)]
enum Call {
    Get(DType, Caching),
    Edit(DType, usize, i8),
    Uncache,
    InMemory,
    ReadFile(DType),
    Hold(DType),
    DropHeld,
}

/// What an image must do.
#[derive(Debug, Clone)]
struct Model {
    file: [f64; VOXELS],
    /// An array image's own type and values.
    own: Option<DType>,
    kept: Option<(DType, [f64; VOXELS])>,
    /// Whether the next array of the kept type is the very one that was given out last.
    held: Vec<(StoredArray, [f64; VOXELS])>,
}

impl Model {
    fn get(&mut self, dtype: DType, caching: Caching) -> [f64; VOXELS] {
        match self.kept {
            _ if self.own == Some(dtype) => self.file,
            Some((kept, values)) if kept == dtype => values,
            _ => {
                if caching == Caching::Fill {
                    self.kept = Some((dtype, self.file));
                }
                self.file
            }
        }
    }

    fn edit(&mut self, dtype: DType, at: usize, value: f64) {
        if self.own == Some(dtype) {
            self.file[at] = value;
            return;
        }
        self.get(dtype, Caching::Fill);
        if let Some((_, values)) = &mut self.kept {
            values[at] = value;
        }
    }

    fn in_memory(&self) -> bool {
        self.own.is_some() || self.kept.is_some()
    }
}

/// Runs `$body` with the type `$T` that one of the three outputs names.
macro_rules! with_output {
    ($dtype:expr, $T:ident => $body:expr) => {
        match $dtype {
            DType::F16 => {
                type $T = f16;
                $body
            }
            DType::F32 => {
                type $T = f32;
                $body
            }
            _ => {
                type $T = f64;
                $body
            }
        }
    };
}

fn stored(array: HostArray<impl Float>) -> StoredArray {
    array.into()
}

/// The values are small integers, exact in every type.
fn values(array: &StoredArray) -> Vec<f64> {
    match array {
        StoredArray::F16(array) => array.as_slice().iter().map(|v| v.to_f64()).collect(),
        StoredArray::F32(array) => array.as_slice().iter().map(|&v| f64::from(v)).collect(),
        StoredArray::F64(array) => array.as_slice().to_vec(),
        other => panic!("{other:?} was not asked for"),
    }
}

fn random_call(rng: &mut Rng) -> Call {
    let dtype = *rng.pick(&[DType::F16, DType::F32, DType::F64]);
    let caching = *rng.pick(&[Caching::Fill, Caching::Unchanged]);
    match rng.below(12) {
        0..=3 => Call::Get(dtype, caching),
        4 | 5 => Call::Edit(dtype, rng.below(VOXELS), rng.bits() as i8),
        6 => Call::Uncache,
        7 | 8 => Call::InMemory,
        9 => Call::ReadFile(dtype),
        10 => Call::Hold(dtype),
        _ => Call::DropHeld,
    }
}

fn step(image: &mut DataobjImage, model: &mut Model, call: Call) {
    let get = |image: &DataobjImage, dtype, caching| -> StoredArray {
        let array = with_output!(dtype, T => image.get_fdata::<T>(caching).map(stored));
        array.expect("it can be read")
    };
    match call {
        Call::Get(dtype, caching) => {
            let found = get(image, dtype, caching);
            assert_eq!(found.dtype(), dtype);
            assert_eq!(values(&found), model.get(dtype, caching));
        }
        Call::Edit(dtype, at, value) => {
            with_output!(dtype, T => {
                let mut array = image.fdata_mut::<T>().expect("it can be edited");
                array[[at]] = <T as Float>::from_f64(f64::from(value));
            });
            model.edit(dtype, at, f64::from(value));
        }
        Call::Uncache => {
            image.uncache();
            model.kept = None;
        }
        Call::InMemory => assert_eq!(image.in_memory(), model.in_memory()),
        Call::ReadFile(dtype) => {
            let read = with_output!(dtype, T => image.dataobj().read::<T>().map(stored));
            assert_eq!(values(&read.expect("it can be read")), model.file);
        }
        Call::Hold(dtype) => {
            let found = get(image, dtype, Caching::Fill);
            let expected = model.get(dtype, Caching::Fill);
            model.held.push((found, expected));
        }
        Call::DropHeld => model.held.clear(),
    }
    for (array, expected) in &model.held {
        assert_eq!(values(array), expected, "a held array changed");
    }
}

fn images() -> Vec<(DataobjImage, Model)> {
    let model = |file, own| Model {
        file,
        own,
        kept: None,
        held: Vec::new(),
    };
    let plain = Nifti::counting(&[VOXELS]);
    let scaled = Nifti::counting(&[VOXELS]).scl(2.0, 1.0);
    let own = HostArray::from_vec(&[VOXELS], vec![5f32, 4.0, 3.0, 2.0, 1.0, 0.0]);
    let load = |nifti: Nifti| DataobjImage::from_bytes(nifti.single()).expect("it loads");
    let array = DataobjImage::from_array(own.expect("it fits"), None).expect("it fits");
    vec![
        (load(plain), model([0.0, 1.0, 2.0, 3.0, 4.0, 5.0], None)),
        (load(scaled), model([1.0, 3.0, 5.0, 7.0, 9.0, 11.0], None)),
        (
            array,
            model([5.0, 4.0, 3.0, 2.0, 1.0, 0.0], Some(DType::F32)),
        ),
    ]
}

#[test]
fn random_calls_agree_with_the_model() {
    let mut rng = Rng::new(2024);
    let mut images = images();
    let mut steps = 0;
    for _ in 0..STEPS {
        let which = rng.below(images.len());
        let (image, model) = &mut images[which];
        let call = random_call(&mut rng);
        step(image, model, call);
        steps += 1;
    }
    assert!(steps >= 20_000);
}

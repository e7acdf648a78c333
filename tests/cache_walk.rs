//! Promise: whatever the order of calls, an image's caches are those of nibabel, on the host and on a device. Random
//! sequences of calls on several images, each compared with a model of a few lines a call.

use half::f16;
use voxload::{Caching, DType, DataobjImage, Float, HostArray, StoredArray};

use crate::support::backend::Backend;
#[cfg(feature = "gpu")]
use crate::support::backend::open;
use crate::support::nifti::Nifti;
use crate::support::rng::Rng;
#[cfg(feature = "gpu")]
use crate::support::ways;

const STEPS: usize = 30_000;
const VOXELS: usize = 6;

type Values = [f64; VOXELS];

#[derive(Debug, Clone, Copy)]
#[cfg_attr(
    not(feature = "gpu"),
    expect(dead_code, reason = "no device is called without the feature")
)]
enum Call {
    Get(DType, Caching),
    Edit(DType, usize, i8),
    Uncache,
    InMemory,
    ReadFile(DType),
    Hold(DType),
    DropHeld,
    GetGpu(DType, Caching),
    /// Writes to the kept device array and says so.
    EditOnDevice(DType, usize, i8),
    OnDevice,
}

/// A kept array.
#[derive(Debug, Clone, Copy)]
struct Kept {
    dtype: DType,
    values: Values,
    /// Whether it holds an edit.
    edited: bool,
    /// Whether it was edited on the device and the host has not seen it.
    modified: bool,
}

/// What an image must do.
#[derive(Debug, Clone)]
struct Model {
    /// The file's values, or an array image's own.
    file: Values,
    own: Option<DType>,
    host: Option<Kept>,
    device: Option<Kept>,
    held: Vec<(StoredArray, Values)>,
}

impl Model {
    fn kept_on_host(&self, dtype: DType) -> Option<Kept> {
        self.host.filter(|kept| kept.dtype == dtype)
    }

    fn kept_on_device(&self, dtype: DType) -> Option<Kept> {
        self.device.filter(|kept| kept.dtype == dtype)
    }

    fn unseen(&self, dtype: DType) -> Option<Kept> {
        self.kept_on_device(dtype).filter(|kept| kept.modified)
    }

    /// A fill of one type drops the edits of others.
    fn drop_other_edits(&mut self, dtype: DType) {
        let other = |kept: &Kept| kept.edited && kept.dtype != dtype;
        self.host = self.host.filter(|kept| !other(kept));
        self.device = self.device.filter(|kept| !other(kept));
    }

    fn of_file(&self, dtype: DType) -> Kept {
        Kept {
            dtype,
            values: self.file,
            edited: false,
            modified: false,
        }
    }

    fn get(&mut self, dtype: DType, caching: Caching) -> Values {
        if let Some(newer) = self.unseen(dtype) {
            if caching == Caching::Fill {
                let seen = Kept {
                    modified: false,
                    ..newer
                };
                (self.host, self.device) = (Some(seen), Some(seen));
            }
            return newer.values;
        }
        if let Some(kept) = self.kept_on_host(dtype) {
            return kept.values;
        }
        if caching == Caching::Fill && self.own != Some(dtype) {
            self.drop_other_edits(dtype);
            self.host = Some(self.of_file(dtype));
        }
        self.file
    }

    #[cfg(feature = "gpu")]
    fn get_gpu(&mut self, dtype: DType, caching: Caching) -> Values {
        if let Some(kept) = self.kept_on_device(dtype) {
            return kept.values;
        }
        let from = self.kept_on_host(dtype);
        let from = from.unwrap_or(self.of_file(dtype));
        if caching == Caching::Fill {
            self.drop_other_edits(dtype);
            self.device = Some(from);
        }
        from.values
    }

    fn edit(&mut self, dtype: DType, at: usize, value: f64) {
        let in_cache = self.unseen(dtype).or(self.kept_on_host(dtype)).is_some();
        if self.own == Some(dtype) && !in_cache {
            self.file[at] = value;
        } else {
            let mut values = self.get(dtype, Caching::Fill);
            values[at] = value;
            self.host = Some(Kept {
                dtype,
                values,
                edited: true,
                modified: false,
            });
        }
        self.device = self.device.filter(|kept| kept.dtype != dtype);
    }

    #[cfg(feature = "gpu")]
    fn edit_on_device(&mut self, dtype: DType, at: usize, value: f64) -> Values {
        let mut values = self.get_gpu(dtype, Caching::Fill);
        values[at] = value;
        self.device = Some(Kept {
            dtype,
            values,
            edited: true,
            modified: true,
        });
        values
    }

    fn in_memory(&self) -> bool {
        self.own.is_some() || self.host.is_some()
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

fn random_call(rng: &mut Rng, with_gpu: bool) -> Call {
    let dtype = *rng.pick(&[DType::F16, DType::F32, DType::F64]);
    let caching = *rng.pick(&[Caching::Fill, Caching::Unchanged]);
    match rng.below(if with_gpu { 18 } else { 12 }) {
        0..=3 => Call::Get(dtype, caching),
        4 | 5 => Call::Edit(dtype, rng.below(VOXELS), rng.bits() as i8),
        6 => Call::Uncache,
        7 | 8 => Call::InMemory,
        9 => Call::ReadFile(dtype),
        10 => Call::Hold(dtype),
        11 => Call::DropHeld,
        12..=14 => Call::GetGpu(dtype, caching),
        15 | 16 => Call::EditOnDevice(dtype, rng.below(VOXELS), rng.bits() as i8),
        _ => Call::OnDevice,
    }
}

fn get(image: &DataobjImage, dtype: DType, caching: Caching, backend: Backend) -> StoredArray {
    let array = with_output!(dtype, T => match backend {
        Backend::Cpu => image.get_fdata::<T>(caching).map(stored),
        #[cfg(feature = "gpu")]
        Backend::Gpu(device) => ways::get_fdata::<T>(image, open(device), caching).map(stored),
    });
    array.expect("it can be read")
}

fn step(image: &mut DataobjImage, model: &mut Model, call: Call, backend: Backend) {
    match call {
        Call::Get(dtype, caching) => {
            let found = get(image, dtype, caching, backend);
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
            (model.host, model.device) = (None, None);
        }
        Call::InMemory => assert_eq!(image.in_memory(), model.in_memory()),
        Call::ReadFile(dtype) => {
            let read = with_output!(dtype, T => image.dataobj().read::<T>().map(stored));
            assert_eq!(values(&read.expect("it can be read")), model.file);
        }
        Call::Hold(dtype) => {
            let found = get(image, dtype, Caching::Fill, backend);
            let expected = model.get(dtype, Caching::Fill);
            model.held.push((found, expected));
        }
        Call::DropHeld => model.held.clear(),
        Call::GetGpu(..) | Call::EditOnDevice(..) | Call::OnDevice => {
            #[cfg(feature = "gpu")]
            if let Backend::Gpu(device) = backend {
                device::step(image, model, call, open(device));
            }
        }
    }
    for (array, expected) in &model.held {
        assert_eq!(values(array), expected, "a held array changed");
    }
}

#[cfg(feature = "gpu")]
mod device {
    use super::*;
    use voxload::Gpu;

    /// The calls that need a device.
    pub fn step(image: &DataobjImage, model: &mut Model, call: Call, gpu: &Gpu) {
        match call {
            Call::GetGpu(dtype, caching) => {
                let found = with_output!(dtype, T => {
                    let array = ways::get_fdata_gpu::<T>(image, gpu, caching);
                    let array = array.expect("it can be loaded");
                    stored(ways::download(&array).expect("it can be downloaded"))
                });
                assert_eq!(values(&found), model.get_gpu(dtype, caching));
            }
            Call::EditOnDevice(dtype, at, value) => {
                let edited = model.edit_on_device(dtype, at, f64::from(value));
                with_output!(dtype, T => {
                    let array = ways::get_fdata_gpu::<T>(image, gpu, Caching::Fill);
                    let array = array.expect("a load");
                    let edited = edited.map(<T as Float>::from_f64);
                    gpu.queue().write_buffer(array.buffer(), 0, bytemuck::cast_slice(&edited));
                    array.mark_modified();
                });
            }
            _ => assert_eq!(image.on_device(), model.device.is_some()),
        }
    }
}

fn images() -> Vec<(DataobjImage, Model)> {
    let model = |file, own| Model {
        file,
        own,
        host: None,
        device: None,
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

fn walk(seed: u64, steps: usize, backend: Backend) -> usize {
    let mut rng = Rng::new(seed);
    let mut images = images();
    let mut done = 0;
    let mut last = Vec::new();
    for _ in 0..steps {
        let which = rng.below(images.len());
        let (image, model) = &mut images[which];
        let call = random_call(&mut rng, backend != Backend::Cpu);
        last.push((which, call));
        let before = model.clone();
        let stepped = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            step(image, model, call, backend);
        }));
        if let Err(panic) = stepped {
            let tail = &last[last.len().saturating_sub(12)..];
            println!("before: {before:?}\nlast calls: {tail:?}");
            std::panic::resume_unwind(panic);
        }
        done += 1;
    }
    done
}

#[test]
fn random_calls_agree_with_the_model() {
    assert!(walk(2024, STEPS, Backend::Cpu) >= 20_000);
}

#[test]
fn random_calls_agree_with_the_model_on_a_device() {
    for backend in Backend::every_way("random calls with a device") {
        if backend != Backend::Cpu {
            assert!(walk(2025, STEPS, backend) >= 20_000);
        }
    }
}

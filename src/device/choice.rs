//! Which way of computing a load takes: whatever is fastest of those that give the right bits, found out on the device
//! itself, once for each class of conversions.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::kernel::{Kernel, Kernels, Variant};
use super::{table, trial};
use crate::convert::Conversion;
use crate::device::Gpu;
use crate::dtype::{ByteOrder, DType};
use crate::error::{ErrorKind, Result};
use crate::scaling::{Scaling, Step};

/// A class of conversions that has been asked for this many voxels is worth a race, which takes about as long.
const WORTH_A_RACE: u64 = 16 << 20;

/// How much faster than integers another way has to be: less may be chance.
const CLEARLY: f64 = 1.15;

/// How a kernel computes: all ways give the same bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KernelMethod {
    /// Doubles in integers: exact on every device, with no optional feature.
    Integers,
    /// The device's own doubles (features `SHADER_F64` and `SHADER_INT64`).
    NativeF64,
    /// A table of all results, for 8- and 16-bit stored types; made by the CPU.
    Table,
}

impl KernelMethod {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Integers, Self::NativeF64, Self::Table];
}

impl fmt::Display for KernelMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Integers => "exact integers",
            Self::NativeF64 => "native f64",
            Self::Table => "table",
        })
    }
}

/// How the way of computing is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KernelChoice {
    /// The fastest of those that pass a self-test on the device, once a class of conversions has had enough voxels for
    /// a race to be worth it.
    #[default]
    Fastest,
    /// Always this one where it exists and passes the self-test, else [`KernelMethod::Integers`].
    Only(KernelMethod),
}

/// How one way of computing did on a device.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KernelRate {
    /// The way.
    pub method: KernelMethod,
    /// Voxels a second, of the kernel alone; `None` where it does not exist or fails the self-test.
    pub voxels_per_second: Option<f64>,
}

/// How the ways of computing did on a device, and which one is taken.
#[derive(Debug, Clone, PartialEq)]
pub struct KernelReport {
    /// The one that loads take from now on, unless [`KernelChoice::Only`] says otherwise.
    pub chosen: KernelMethod,
    /// All of them, in the order of [`KernelMethod::ALL`].
    pub rates: Vec<KernelRate>,
}

/// The ways of computing that a class of conversions has, as far as they were tried.
#[derive(Default, Clone)]
struct Class {
    /// Voxels asked for so far.
    seen: u64,
    passed: HashMap<KernelMethod, bool>,
    fastest: Option<KernelMethod>,
}

/// What a device has found out so far, and what its user wants.
#[derive(Default)]
pub(super) struct Choices(Mutex<State>);

#[derive(Default)]
struct State {
    choice: KernelChoice,
    classes: HashMap<Variant, Class>,
}

impl Choices {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes what is known of a class. Never called while the device works: the lock is short.
    fn class<R>(&self, conversion: &Conversion, action: impl FnOnce(&mut Class) -> R) -> R {
        let class = Variant::of(conversion, false, KernelMethod::Integers);
        action(self.lock().classes.entry(class).or_default())
    }
}

impl Gpu {
    /// Sets how kernels are chosen from now on, on all clones of this handle. The values are the same in any case.
    pub fn set_kernel_choice(&self, choice: KernelChoice) {
        self.kernels().choices.lock().choice = choice;
    }

    /// How kernels are chosen.
    pub fn kernel_choice(&self) -> KernelChoice {
        self.kernels().choices.lock().choice
    }

    /// Measures each way of computing for a class of conversions: this is what
    /// [`KernelChoice::Fastest`] goes by from now on. Takes some tenths of a second where pipelines have to be made.
    ///
    /// # Errors
    /// [`crate::ErrorKind::DType`] for stored types without a kernel, [`crate::ErrorKind::GpuUnsupported`],
    /// [`crate::ErrorKind::GpuOutOfMemory`], [`crate::ErrorKind::DeviceLost`].
    pub fn kernel_rates(
        &self,
        stored: DType,
        scaling: &Scaling,
        output: DType,
    ) -> Result<KernelReport> {
        let conversion = Conversion::new(stored, ByteOrder::NATIVE, scaling, output)?;
        self.can_convert(&conversion)?;
        race(self, &conversion)
    }
}

impl Kernels {
    /// The kernel for a conversion, of boxes that are dense or not, as far as is known which one is best.
    pub fn get(&self, gpu: &Gpu, conversion: &Conversion, dense: bool) -> Result<Kernel> {
        let choice = gpu.kernel_choice();
        let method = match choice {
            KernelChoice::Only(method) if passes(gpu, conversion, method)? => method,
            KernelChoice::Only(_) => KernelMethod::Integers,
            KernelChoice::Fastest => self
                .choices
                .class(conversion, |class| class.fastest)
                .unwrap_or(KernelMethod::Integers),
        };
        self.get_by(gpu, conversion, dense, method)
    }

    /// The kernel for a load of so many voxels; this one may be worth finding out which one is best.
    pub fn get_for(
        &self,
        gpu: &Gpu,
        conversion: &Conversion,
        dense: bool,
        voxels: u64,
    ) -> Result<Kernel> {
        if gpu.kernel_choice() != KernelChoice::Fastest {
            return self.get(gpu, conversion, dense);
        }
        let (fastest, due) = self.choices.class(conversion, |class| {
            let due = class.fastest.is_none() && class.seen >= WORTH_A_RACE;
            class.seen = class.seen.saturating_add(voxels);
            (
                class.fastest,
                due || class.fastest.is_none() && voxels >= WORTH_A_RACE,
            )
        });
        if due && !has_alternative(gpu, conversion) {
            self.choices.class(conversion, |class| {
                class.fastest = Some(KernelMethod::Integers);
            });
        } else if due {
            match race(gpu, conversion) {
                Err(error) if *error.kind() == ErrorKind::DeviceLost => return Err(error),
                // A device without room for a race has room for loads all the same.
                Err(_) => self.choices.class(conversion, |class| {
                    class.fastest = Some(KernelMethod::Integers);
                }),
                Ok(_) => {}
            }
        }
        let small = table::patterns(conversion.stored).is_some_and(|n| voxels < n.into());
        if fastest == Some(KernelMethod::Table) && small && !self.has_table(conversion) {
            // Making the table is more work than the load.
            return self.get_by(gpu, conversion, dense, KernelMethod::Integers);
        }
        self.get(gpu, conversion, dense)
    }
}

/// Whether a way of computing exists for a conversion on this device.
fn exists(gpu: &Gpu, conversion: &Conversion, method: KernelMethod) -> bool {
    let limits = gpu.limits();
    let float = matches!(conversion.output, DType::F16 | DType::F32 | DType::F64);
    match method {
        KernelMethod::Integers => true,
        // Texels and copies are not what the self-test tests.
        _ if !float || conversion.window.is_some() => false,
        KernelMethod::NativeF64 => {
            let needed = wgpu::Features::SHADER_F64 | wgpu::Features::SHADER_INT64;
            let arithmetic = |step: &Step| matches!(step, Step::Multiply(_) | Step::Add(_));
            gpu.device().features().contains(needed) && conversion.steps.iter().any(arithmetic)
        }
        KernelMethod::Table => {
            limits.max_storage_buffers_per_shader_stage >= 3
                && table::table_bytes(conversion).is_some_and(|bytes| {
                    bytes
                        <= limits
                            .max_storage_buffer_binding_size
                            .min(limits.max_buffer_size)
                })
        }
    }
}

/// Whether there is any other way than integers.
fn has_alternative(gpu: &Gpu, conversion: &Conversion) -> bool {
    let other = |&method: &KernelMethod| method != KernelMethod::Integers;
    let mut others = KernelMethod::ALL.into_iter().filter(other);
    others.any(|method| exists(gpu, conversion, method))
}

/// Whether a way of computing exists and gives the right bits; tried once for each class.
fn passes(gpu: &Gpu, conversion: &Conversion, method: KernelMethod) -> Result<bool> {
    if method == KernelMethod::Integers || !exists(gpu, conversion, method) {
        return Ok(method == KernelMethod::Integers);
    }
    let choices = &gpu.kernels().choices;
    let known = choices.class(conversion, |class| class.passed.get(&method).copied());
    if let Some(known) = known {
        return Ok(known);
    }
    let passed = trial::passes(gpu, conversion, method)?;
    choices.class(conversion, |class| class.passed.insert(method, passed));
    Ok(passed)
}

/// Measures all ways that pass, and remembers the fastest.
fn race(gpu: &Gpu, conversion: &Conversion) -> Result<KernelReport> {
    let mut able = Vec::new();
    for method in KernelMethod::ALL {
        if passes(gpu, conversion, method)? {
            able.push(method);
        }
    }
    let speeds = trial::rates(gpu, conversion, &able)?;
    let speed = |wanted| {
        let found = able.iter().position(|&method| method == wanted)?;
        speeds.get(found).copied()
    };
    let mut chosen = KernelMethod::Integers;
    let mut to_beat = speed(chosen).unwrap_or(0.0) * CLEARLY;
    for (&method, &speed) in able.iter().zip(&speeds) {
        if speed > to_beat {
            (chosen, to_beat) = (method, speed);
        }
    }
    let choices = &gpu.kernels().choices;
    choices.class(conversion, |class| class.fastest = Some(chosen));
    let rate = |method| KernelRate {
        method,
        voxels_per_second: speed(method),
    };
    Ok(KernelReport {
        chosen,
        rates: KernelMethod::ALL.map(rate).to_vec(),
    })
}

#[cfg(test)]
impl Kernels {
    /// How many classes of conversions have passed the self-test of this method, and how many have not.
    pub fn self_tests(&self, method: KernelMethod) -> (usize, usize) {
        let state = self.choices.lock();
        let results = state
            .classes
            .values()
            .filter_map(|class| class.passed.get(&method));
        let (passed, failed): (Vec<&bool>, Vec<&bool>) = results.partition(|passed| **passed);
        (passed.len(), failed.len())
    }
}

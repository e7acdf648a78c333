//! Selection of the kernel for a conversion: only kernels that give the right bits, and the fastest one if speeds were
//! measured.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::context::Context;
use super::kernel::{Kernel, KernelMethod, Variant};
use super::pipelines::Pipelines;
use super::table::{self, Tables};
use super::trial;
use crate::convert::Conversion;
use crate::core::dtype::DType;
use crate::core::error::{ErrorKind, Result};
use crate::core::scaling::Step;

/// Number of voxels after which a class of conversions gets a table and its self-test.
const MIN_VOXELS_FOR_TABLE: u64 = 16 << 20;

/// How many times faster than integers another method must be. Smaller differences may be chance.
const MIN_ADVANTAGE: f64 = 1.15;

/// How the method of the kernels is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum KernelChoice {
    /// The fastest method, if [`crate::Gpu::kernel_rates`] has measured this class of conversions. Otherwise, for 8-
    /// and 16-bit stored types, a table once enough voxels were loaded to make it worth while, if it passes a self-test
    /// on the device; for everything else [`KernelMethod::Integers`]. No load measures speeds.
    #[default]
    Fastest,
    /// Always this method if it exists for the conversion and passes the self-test, otherwise
    /// [`KernelMethod::Integers`].
    Only(KernelMethod),
}

/// The speed of one method on a device.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct KernelRate {
    /// The method.
    pub method: KernelMethod,
    /// Voxels per second of the kernel alone; `None` if the method does not exist here or fails the self-test.
    pub voxels_per_second: Option<f64>,
}

/// The speeds of all methods on a device, and the method that will be used.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct KernelReport {
    /// The method that loads will use, unless [`KernelChoice::Only`] was set.
    pub chosen: KernelMethod,
    /// All methods, in the order of [`KernelMethod::ALL`].
    pub rates: Vec<KernelRate>,
}

/// What is known about a class of conversions on a device.
#[derive(Default, Clone)]
struct Class {
    /// Voxels loaded so far.
    seen: u64,
    /// Whether each method passed its self-test, if it was tested.
    passed: HashMap<KernelMethod, bool>,
    /// The method that was measured to be the fastest.
    fastest: Option<KernelMethod>,
    /// Whether the device lacked the memory for a table or its test.
    is_out_of_memory: bool,
}

/// The kernels of a device, what has been measured about them, and the user's choice.
pub(crate) struct Kernels {
    context: Context,
    pipelines: Arc<Pipelines>,
    tables: Tables,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    choice: KernelChoice,
    classes: HashMap<Variant, Class>,
}

impl Kernels {
    pub(crate) fn new(context: &Context, pipelines: &Arc<Pipelines>) -> Self {
        Self {
            context: context.clone(),
            pipelines: Arc::clone(pipelines),
            tables: Tables::default(),
            state: Mutex::default(),
        }
    }

    pub(crate) fn set_choice(&self, choice: KernelChoice) {
        self.state().choice = choice;
    }

    pub(crate) fn choice(&self) -> KernelChoice {
        self.state().choice
    }

    /// The kernel for a load of `voxels` voxels, of boxes that are dense or not.
    ///
    /// # Errors
    /// [`ErrorKind::DeviceLost`], [`ErrorKind::GpuOutOfMemory`], [`ErrorKind::Gpu`].
    pub(crate) async fn get(
        &self,
        conversion: &Conversion,
        dense: bool,
        voxels: u64,
    ) -> Result<Kernel> {
        let method = match self.choice() {
            KernelChoice::Only(method) if self.passes(conversion, method).await? => method,
            KernelChoice::Only(_) => KernelMethod::Integers,
            KernelChoice::Fastest => self.by_rule(conversion, voxels).await?,
        };
        self.by(conversion, dense, method).await
    }

    /// The kernel that uses this method.
    ///
    /// # Errors
    /// As [`Self::get`].
    async fn by(
        &self,
        conversion: &Conversion,
        dense: bool,
        method: KernelMethod,
    ) -> Result<Kernel> {
        let (context, pipelines) = (&self.context, &self.pipelines);
        let table = match method {
            KernelMethod::Table => Some(self.tables.get(context, conversion).await?),
            _ => None,
        };
        Kernel::new(context, pipelines, conversion, dense, method, table).await
    }

    /// The kernel that also reports texels that lost their value.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub(crate) async fn reporting_losses(
        &self,
        conversion: &Conversion,
        dense: bool,
    ) -> Result<Kernel> {
        Kernel::reporting_losses(&self.context, &self.pipelines, conversion, dense).await
    }

    /// The measured fastest method, else a table if it is worth while, else integers.
    async fn by_rule(&self, conversion: &Conversion, voxels: u64) -> Result<KernelMethod> {
        let (fastest, pays) = self.class(conversion, |class| {
            class.seen = class.seen.saturating_add(voxels);
            let pays = class.seen >= MIN_VOXELS_FOR_TABLE && !class.is_out_of_memory;
            (class.fastest, pays)
        });
        let small = table::patterns(conversion.stored).is_some_and(|n| voxels < n.into());
        match fastest {
            // Making the table would be more work than the load.
            Some(KernelMethod::Table) if small && !self.tables.has(conversion) => {
                Ok(KernelMethod::Integers)
            }
            Some(fastest) => Ok(fastest),
            None if !pays || small => Ok(KernelMethod::Integers),
            None => match self.passes(conversion, KernelMethod::Table).await {
                Ok(true) => Ok(KernelMethod::Table),
                Ok(false) => Ok(KernelMethod::Integers),
                Err(error) if *error.kind() == ErrorKind::DeviceLost => Err(error),
                Err(error) if error.is_cancelled() => Err(error),
                // A device that lacks the memory for a test may still have enough for loads.
                Err(_) => {
                    self.class(conversion, |class| class.is_out_of_memory = true);
                    Ok(KernelMethod::Integers)
                }
            },
        }
    }

    /// Whether a method exists and gives the right bits. Each class is tested once.
    async fn passes(&self, conversion: &Conversion, method: KernelMethod) -> Result<bool> {
        if method == KernelMethod::Integers || !self.exists(conversion, method) {
            return Ok(method == KernelMethod::Integers);
        }
        let known = self.class(conversion, |class| class.passed.get(&method).copied());
        if let Some(known) = known {
            return Ok(known);
        }
        let passed = trial::passes(&self.context, &self.pipelines, conversion, method).await?;
        self.class(conversion, |class| class.passed.insert(method, passed));
        Ok(passed)
    }

    /// Whether a method exists for a conversion on this device.
    fn exists(&self, conversion: &Conversion, method: KernelMethod) -> bool {
        let context = &self.context;
        let float = matches!(conversion.output, DType::F16 | DType::F32 | DType::F64);
        match method {
            KernelMethod::Integers => true,
            // The self-test covers neither texels nor copies.
            _ if !float || conversion.window.is_some() => false,
            KernelMethod::NativeF64 => {
                let needed = wgpu::Features::SHADER_F64 | wgpu::Features::SHADER_INT64;
                let arithmetic = |step: &Step| matches!(step, Step::Multiply(_) | Step::Add(_));
                context.features().contains(needed) && conversion.steps.iter().any(arithmetic)
            }
            KernelMethod::Table => {
                context.limits().max_storage_buffers_per_shader_stage >= 3
                    && table::table_bytes(conversion)
                        .is_some_and(|bytes| bytes <= context.max_binding())
            }
        }
    }

    /// Measures all methods that pass, and stores the fastest.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub(crate) async fn rates(&self, conversion: &Conversion) -> Result<KernelReport> {
        let mut passing = Vec::new();
        for method in KernelMethod::ALL {
            if self.passes(conversion, method).await? {
                passing.push(method);
            }
        }
        let speeds = trial::rates(&self.context, &self.pipelines, conversion, &passing).await?;
        let speed = |wanted| {
            let found = passing.iter().position(|&method| method == wanted)?;
            speeds.get(found).copied()
        };
        let mut chosen = KernelMethod::Integers;
        let mut to_beat = speed(chosen).unwrap_or(0.0) * MIN_ADVANTAGE;
        for (&method, &speed) in passing.iter().zip(&speeds) {
            if speed > to_beat {
                (chosen, to_beat) = (method, speed);
            }
        }
        self.class(conversion, |class| class.fastest = Some(chosen));
        let rate = |method| KernelRate {
            method,
            voxels_per_second: speed(method),
        };
        Ok(KernelReport {
            chosen,
            rates: KernelMethod::ALL.map(rate).to_vec(),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Accesses what is known about a class. Never called while waiting for the device, so the lock is short.
    fn class<R>(&self, conversion: &Conversion, action: impl FnOnce(&mut Class) -> R) -> R {
        let class = Variant::of(conversion, false, KernelMethod::Integers);
        action(self.state().classes.entry(class).or_default())
    }
}

#[cfg(test)]
impl Kernels {
    /// The numbers of classes of conversions that have passed and that have failed the self-test of this method.
    pub(crate) fn self_tests(&self, method: KernelMethod) -> (usize, usize) {
        let state = self.state();
        let results = state
            .classes
            .values()
            .filter_map(|class| class.passed.get(&method));
        let (passed, failed): (Vec<&bool>, Vec<&bool>) = results.partition(|passed| **passed);
        (passed.len(), failed.len())
    }

    /// Whether the table of a conversion is on the device.
    pub(crate) fn has_table(&self, conversion: &Conversion) -> bool {
        self.tables.has(conversion)
    }
}

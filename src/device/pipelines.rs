//! Compute pipelines for conversions and reductions, each made once per device.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::context::Context;
use crate::core::error::Result;

/// A shader, its bindings and its constants.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    /// A label for error messages and for debugging tools.
    pub label: &'static str,
    /// The shader's name, which identifies its source.
    pub shader: &'static str,
    /// Called once per pipeline.
    pub source: fn() -> Cow<'static, str>,
    pub entry_point: &'static str,
    pub constants: Vec<(&'static str, f64)>,
    /// The number and type of each binding of group 0.
    pub bindings: Vec<(u32, wgpu::BufferBindingType)>,
}

pub(crate) const STORAGE: wgpu::BufferBindingType =
    wgpu::BufferBindingType::Storage { read_only: false };
pub(crate) const STORAGE_READ: wgpu::BufferBindingType =
    wgpu::BufferBindingType::Storage { read_only: true };

/// What distinguishes one pipeline from another.
#[derive(PartialEq, Eq, Hash)]
struct Key {
    shader: &'static str,
    entry_point: &'static str,
    /// The constants, as bits.
    constants: Vec<(&'static str, u64)>,
}

impl Program {
    fn key(&self) -> Key {
        let constants = self.constants.iter();
        Key {
            shader: self.shader,
            entry_point: self.entry_point,
            constants: constants
                .map(|(name, value)| (*name, value.to_bits()))
                .collect(),
        }
    }
}

/// A pipeline and the layout of its bind group.
#[derive(Debug, Clone)]
pub(crate) struct Pipeline {
    pub pipeline: wgpu::ComputePipeline,
    pub bindings: wgpu::BindGroupLayout,
}

impl Pipeline {
    /// Binds resources to it.
    pub(crate) fn bind(
        &self,
        context: &Context,
        label: &str,
        entries: &[wgpu::BindGroupEntry<'_>],
    ) -> wgpu::BindGroup {
        let device = context.device();
        device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some(label),
            layout: &self.bindings,
            entries,
        })
    }

    /// Records a dispatch of at least `groups` workgroups.
    pub(crate) fn record(
        &self,
        context: &Context,
        bound: &wgpu::BindGroup,
        groups: u32,
        encoder: &mut wgpu::CommandEncoder,
    ) {
        let mut pass = encoder.begin_compute_pass(&Default::default());
        pass.set_pipeline(&self.pipeline);
        pass.set_bind_group(0, bound, &[]);
        let side = context.limits().max_compute_workgroups_per_dimension;
        let [x, y, z] = grid(groups, side);
        pass.dispatch_workgroups(x, y, z);
    }
}

/// A grid of at least this many workgroups in which no dimension exceeds `side`.
pub(crate) fn grid(groups: u32, side: u32) -> [u32; 3] {
    let x = groups.min(side);
    let y = groups.div_ceil(x).min(side);
    [x, y, groups.div_ceil(x).div_ceil(y)]
}

/// The pipelines that were made on a device.
#[derive(Default)]
pub(crate) struct Pipelines {
    made: Mutex<Made>,
    /// A replacement in the source of the shader with this name, for tests of the self-test.
    #[cfg(test)]
    pub altered: Mutex<Option<(&'static str, &'static str, &'static str)>>,
}

#[derive(Default)]
struct Made {
    modules: HashMap<&'static str, wgpu::ShaderModule>,
    pipelines: HashMap<Key, Pipeline>,
}

impl Pipelines {
    /// The pipeline for a program. No lock is held while it is compiled; if two threads compile the same one, the first
    /// result is kept.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Gpu`], [`crate::ErrorKind::DeviceLost`], [`crate::ErrorKind::GpuOutOfMemory`].
    pub(crate) async fn get(&self, context: &Context, program: &Program) -> Result<Pipeline> {
        let key = program.key();
        let module = {
            let made = self.made();
            if let Some(pipeline) = made.pipelines.get(&key) {
                return Ok(pipeline.clone());
            }
            made.modules.get(program.shader).cloned()
        };
        let module = match module {
            Some(module) => module,
            None => self.module(context, program).await?,
        };
        let pipeline = context.guarded(0, || compiled(context.device(), program, &module));
        let pipeline = pipeline.await?;
        Ok(self.made().pipelines.entry(key).or_insert(pipeline).clone())
    }

    async fn module(&self, context: &Context, program: &Program) -> Result<wgpu::ShaderModule> {
        let source = self.source(program);
        let device = context.device();
        let module = context.guarded(0, || {
            device.create_shader_module(wgpu::ShaderModuleDescriptor {
                label: Some(program.label),
                source: wgpu::ShaderSource::Wgsl(source),
            })
        });
        let module = module.await?;
        let mut made = self.made();
        Ok(made.modules.entry(program.shader).or_insert(module).clone())
    }

    fn source(&self, program: &Program) -> Cow<'static, str> {
        #[cfg(test)]
        if let Some((shader, from, to)) = *self.altered.lock().unwrap()
            && shader == program.shader
        {
            return (program.source)().replace(from, to).into();
        }
        (program.source)()
    }

    fn made(&self) -> MutexGuard<'_, Made> {
        // Only complete pipelines are inserted, so a poisoned lock is harmless.
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn compiled(device: &wgpu::Device, program: &Program, module: &wgpu::ShaderModule) -> Pipeline {
    let entry = |&(binding, ty): &(u32, wgpu::BufferBindingType)| wgpu::BindGroupLayoutEntry {
        binding,
        visibility: wgpu::ShaderStages::COMPUTE,
        ty: wgpu::BindingType::Buffer {
            ty,
            has_dynamic_offset: false,
            min_binding_size: None,
        },
        count: None,
    };
    let entries: Vec<_> = program.bindings.iter().map(entry).collect();
    let bindings = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
        label: Some(program.label),
        entries: &entries,
    });
    let layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
        label: Some(program.label),
        bind_group_layouts: &[Some(&bindings)],
        immediate_size: 0,
    });
    let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: Some(program.label),
        layout: Some(&layout),
        module,
        entry_point: Some(program.entry_point),
        compilation_options: wgpu::PipelineCompilationOptions {
            constants: &program.constants,
            ..Default::default()
        },
        cache: None,
    });
    Pipeline { pipeline, bindings }
}

#[cfg(test)]
impl Pipelines {
    /// Number of pipelines.
    pub(crate) fn count(&self) -> usize {
        self.made().pipelines.len()
    }
}

//! Tables of all answers for 8- and 16-bit stored types, made by the CPU's own kernel.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::array::Element;
use crate::convert::Conversion;
use crate::convert::packet;
use crate::device::Gpu;
use crate::dtype::{ByteOrder, DType};
use crate::error::Result;
use crate::plan::{Axis, Plan};
use crate::read::host as cpu;

/// Tables that a device keeps: a series of volumes has one scaling, or a few.
const MOST_KEPT: usize = 4;

/// Patterns of a stored type that has few enough for a table of them.
pub(super) fn patterns(stored: DType) -> Option<u32> {
    match stored.size_bytes() {
        1 => Some(1 << 8),
        2 => Some(1 << 16),
        _ => None,
    }
}

/// Bytes of a conversion's table, where it can have one: one answer for each pattern, wherever the voxel is.
pub(super) fn table_bytes(conversion: &Conversion) -> Option<u64> {
    let wanted = !conversion.is_copy() && conversion.block == 0;
    let patterns = patterns(conversion.stored).filter(|_| wanted)?;
    Some(u64::from(patterns) * conversion.output.size_bytes() as u64)
}

/// The tables on a device, the one used last at the end.
#[derive(Default)]
pub(super) struct Tables(Mutex<Vec<(Key, wgpu::Buffer)>>);

/// What a table depends on; numbers are compared by their bits, since -0 is not 0 here.
#[derive(PartialEq)]
struct Key {
    stored: DType,
    order: ByteOrder,
    output: DType,
    numbers: Vec<u32>,
}

impl Key {
    fn of(conversion: &Conversion) -> Self {
        Self {
            stored: conversion.stored,
            order: conversion.order,
            output: conversion.output,
            numbers: packet::numbers(conversion),
        }
    }
}

impl Tables {
    pub fn has(&self, conversion: &Conversion) -> bool {
        let key = Key::of(conversion);
        self.kept().iter().any(|(kept, _)| *kept == key)
    }

    /// The table of a conversion, made and uploaded unless it is there.
    pub fn get(&self, gpu: &Gpu, conversion: &Conversion) -> Result<wgpu::Buffer> {
        let key = Key::of(conversion);
        {
            let mut kept = self.kept();
            if let Some(found) = kept.iter().position(|(kept, _)| *kept == key) {
                kept[found..].rotate_left(1);
                return Ok(kept[kept.len() - 1].1.clone());
            }
        }
        let buffer = upload(gpu, conversion)?;
        let mut kept = self.kept();
        if kept.len() >= MOST_KEPT {
            kept.remove(0);
        }
        kept.push((key, buffer.clone()));
        Ok(buffer)
    }

    fn kept(&self) -> MutexGuard<'_, Vec<(Key, wgpu::Buffer)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn upload(gpu: &Gpu, conversion: &Conversion) -> Result<wgpu::Buffer> {
    let patterns = patterns(conversion.stored).unwrap_or_default();
    let stored: Vec<u8> = match conversion.stored.size_bytes() {
        1 => (0..=u8::MAX).collect(),
        _ => (0..=u16::MAX).flat_map(u16::to_ne_bytes).collect(),
    };
    let answers = converted(conversion, &stored, patterns.into())?;
    let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST;
    let buffer = gpu.buffer("voxload table", answers.len() as u64, usage, false)?;
    // Small, and once: not worth a staging ring.
    gpu.guarded(0, || gpu.queue().write_buffer(&buffer, 0, &answers))?;
    Ok(buffer)
}

/// What the CPU's kernel makes of so many stored voxels that stand together.
pub(super) fn converted(conversion: &Conversion, stored: &[u8], count: u64) -> Result<Vec<u8>> {
    fn typed<T: Element>(conversion: &Conversion, stored: &[u8], count: u64) -> Result<Vec<u8>> {
        let mut out = vec![T::zeroed(); count as usize];
        cpu::convert_bytes(conversion, stored, &line(count), &mut out)?;
        Ok(bytemuck::cast_slice(&out).to_vec())
    }
    crate::array::with_dtype!(conversion.output, T => typed::<T>(conversion, stored, count))
}

/// So many voxels that stand together, to as many places that stand together.
pub(super) fn line(count: u64) -> Plan {
    let axis = Axis {
        count,
        stored: 1,
        out: 1,
    };
    Plan::new(vec![axis], 0, 0)
}

//! Tables of all results for 8- and 16-bit stored types, computed by the CPU's kernel.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::context::Context;
use crate::convert::Conversion;
use crate::convert::packet;
use crate::core::array::Element;
use crate::core::dtype::{ByteOrder, DType};
use crate::core::error::{Error, Result};
use crate::plan::{Axis, Plan};
use crate::read::host as cpu;

/// Number of tables kept on a device. A series of volumes usually has one scaling, or a few.
const MAX_TABLES: usize = 4;

/// The number of bit patterns of a stored type, if a table of them is small enough.
pub(super) fn patterns(stored: DType) -> Option<u32> {
    match stored.size_bytes() {
        1 => Some(1 << 8),
        2 => Some(1 << 16),
        _ => None,
    }
}

/// Size of a conversion's table in bytes; `None` if results depend on more than the bit pattern.
pub(super) fn table_bytes(conversion: &Conversion) -> Option<u64> {
    let wanted = !conversion.is_copy() && conversion.block == 0;
    let patterns = patterns(conversion.stored).filter(|_| wanted)?;
    Some(u64::from(patterns) * conversion.output.size_bytes() as u64)
}

/// The tables on a device, the most recently used one last.
#[derive(Default)]
pub(crate) struct Tables(Mutex<Vec<(Key, wgpu::Buffer)>>);

/// What a table depends on. Numbers are compared by their bits, because -0 and 0 give different results.
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
    pub(super) fn has(&self, conversion: &Conversion) -> bool {
        let key = Key::of(conversion);
        self.kept().iter().any(|(kept, _)| *kept == key)
    }

    /// The table of a conversion; it is computed and uploaded if it does not exist yet.
    ///
    /// # Errors
    /// As [`Context::buffer`].
    pub(super) async fn get(
        &self,
        context: &Context,
        conversion: &Conversion,
    ) -> Result<wgpu::Buffer> {
        let key = Key::of(conversion);
        {
            let mut kept = self.kept();
            if let Some(found) = kept.iter().position(|(kept, _)| *kept == key) {
                kept[found..].rotate_left(1);
                return Ok(kept[kept.len() - 1].1.clone());
            }
        }
        let buffer = upload(context, conversion).await?;
        let mut kept = self.kept();
        // Another load may have made it in the meantime.
        if let Some((_, first)) = kept.iter().find(|(kept, _)| *kept == key) {
            return Ok(first.clone());
        }
        if kept.len() >= MAX_TABLES {
            kept.remove(0);
        }
        kept.push((key, buffer.clone()));
        Ok(buffer)
    }

    fn kept(&self) -> MutexGuard<'_, Vec<(Key, wgpu::Buffer)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Computes a table and uploads it.
///
/// # Errors
/// As [`Context::buffer`].
pub(super) async fn upload(context: &Context, conversion: &Conversion) -> Result<wgpu::Buffer> {
    let patterns = patterns(conversion.stored).unwrap_or_default();
    let stored: Vec<u8> = match conversion.stored.size_bytes() {
        1 => (0..=u8::MAX).collect(),
        _ => (0..=u16::MAX).flat_map(u16::to_ne_bytes).collect(),
    };
    let answers = converted(conversion, &stored, patterns.into())?;
    let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST;
    let buffer = context.buffer("voxload table", answers.len() as u64, usage, false);
    let buffer = buffer.await?;
    // It is small and done once, so a staging ring is not worth while.
    let write = context.guarded(0, || context.queue().write_buffer(&buffer, 0, &answers));
    write.await?;
    Ok(buffer)
}

/// The results of the CPU's kernel for `count` contiguous stored voxels.
pub(super) fn converted(conversion: &Conversion, stored: &[u8], count: u64) -> Result<Vec<u8>> {
    fn typed<T: Element>(conversion: &Conversion, stored: &[u8], count: u64) -> Result<Vec<u8>> {
        let mut out = vec![T::zeroed(); count as usize];
        cpu::convert_bytes(conversion, stored, &line(count), &mut out)?;
        Ok(bytemuck::cast_slice(&out).to_vec())
    }
    match conversion.output {
        DType::F16 => typed::<half::f16>(conversion, stored, count),
        DType::F32 => typed::<f32>(conversion, stored, count),
        DType::F64 => typed::<f64>(conversion, stored, count),
        DType::U8 => typed::<u8>(conversion, stored, count),
        DType::U16 => typed::<u16>(conversion, stored, count),
        DType::U32 => typed::<u32>(conversion, stored, count),
        DType::U64 => typed::<u64>(conversion, stored, count),
        // Kernels write no others.
        other => Err(Error::unsupported(format!(
            "values of type {other} from the CPU"
        ))),
    }
}

/// A plan for `count` contiguous voxels and a contiguous output.
pub(super) fn line(count: u64) -> Plan {
    let axis = Axis {
        count,
        stored: 1,
        out: 1,
    };
    Plan::new(vec![axis], 0, 0)
}

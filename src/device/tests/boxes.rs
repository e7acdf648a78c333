//! Boxes with any strides, tables, devices with small limits, parts of a caller's buffer.

use std::sync::Arc;

use half::f16;

use super::model::*;
use super::*;

/// A box taken out of a random volume: cropped, stepped, flipped, its axes in any order; dense in the output.
fn random_plan(random: &mut Rng) -> (Plan, u64) {
    let ndim = 1 + random.below(4);
    let mut stored = 1;
    let mut axes = Vec::new();
    let mut first = 0;
    for _ in 0..ndim {
        let size = 1 + random.below_u64(if ndim == 1 { 5000 } else { 19 });
        let step = 1 + random.below_u64(3).min(size - 1);
        let start = random.below_u64(size);
        let count = (size - start).div_ceil(step);
        first += start * stored;
        axes.push(Axis {
            count,
            stored: step * stored,
            out: 0,
        });
        stored *= size;
    }
    let mut order: Vec<usize> = (0..ndim).collect();
    for i in (1..ndim).rev() {
        order.swap(i, random.below(i + 1));
    }
    let (mut stride, mut out_first) = (1i64, 0);
    for k in order {
        let flipped = random.below_u64(3) == 0;
        axes[k].out = if flipped { -stride } else { stride };
        if flipped {
            out_first += (axes[k].count as i64 - 1) * stride;
        }
        stride *= axes[k].count as i64;
    }
    (Plan::new(axes, first, out_first as u64), stored)
}

fn random_tables(voxels: u64, random: &mut Rng) -> Scaling {
    let blocks: Vec<u64> = (1..=voxels.min(64))
        .filter(|n| voxels.is_multiple_of(*n))
        .collect();
    let entries = blocks[random.below(blocks.len())];
    let table = |r: &mut Rng| -> Arc<[f64]> {
        (0..entries)
            .map(|_| r.bits() as i64 as f64 * 1e-17)
            .collect()
    };
    let steps = vec![
        Step::Clip {
            lo: -100.0,
            hi: 1000.25,
        },
        Step::Multiply(Factor::Table(table(random))),
        Step::Add(if random.below_u64(2) == 0 {
            Factor::Table(table(random))
        } else {
            Factor::One(0.1)
        }),
        Step::RoundToF32,
    ];
    Scaling::new(steps, voxels / entries, Arithmetic::F64)
}

/// Random boxes of random types, with and without tables, on this device.
pub(super) fn random_boxes(gpu: &Gpu, seed: u64, count: usize) {
    let mut random = Rng::new(seed);
    for _ in 0..count {
        let (plan, voxels) = random_plan(&mut random);
        let stored = REAL[random.below(11)];
        let output = OUTPUTS[random.below(3)];
        let order = ORDERS[random.below(2)];
        let memory = random_volume(stored, voxels, &mut random);
        let scaling = match random.below_u64(3) {
            0 => Scaling::none(),
            1 => Scaling::linear(0.3, -7.0),
            _ => random_tables(voxels, &mut random),
        };
        let conversion = Conversion::new(stored, order, &scaling, output).unwrap();
        check(gpu, &conversion, &plan, &memory);
    }
}

#[test]
fn boxes_of_any_stride() {
    let methods = &KernelMethod::ALL;
    with_each_method("boxes_of_any_stride", methods, |gpu| {
        for is_browser_like in IS_BROWSER_LIKE {
            gpu.set_browser_like(is_browser_like);
            random_boxes(gpu, 3, volume(100, 1000));
        }
    });
}

#[test]
fn a_callers_device_with_default_limits() {
    let test = "a_callers_device_with_default_limits";
    if let Some((device, queue)) = plain_device(test, |_| {}) {
        let gpu = Gpu::from_device(&device, &queue);
        let maps_primary = gpu.context().maps_primary();
        assert!(!maps_primary, "no feature was asked for");
        for is_browser_like in IS_BROWSER_LIKE {
            gpu.set_browser_like(is_browser_like);
            random_boxes(&gpu, 4, volume(50, 500));
        }
    }
}

#[test]
fn devices_with_tiny_limits() {
    for (binding, side) in [(1 << 20, 64), (64 << 10, 64), (4096, 2)] {
        let Some((device, queue)) = plain_device("devices_with_tiny_limits", |limits| {
            limits.max_storage_buffer_binding_size = binding;
            limits.max_compute_workgroups_per_dimension = side;
        }) else {
            return;
        };
        let gpu = Gpu::from_device(&device, &queue);
        for is_browser_like in IS_BROWSER_LIKE {
            gpu.set_browser_like(is_browser_like);
            random_boxes(&gpu, 5, volume(25, 300));
        }
        gpu.set_browser_like(side == 2);
        // Many tiles, some with many table entries.
        let mut random = Rng::new(6);
        let counts = [31, 23, 29];
        let (mut stored, mut out) = (1, 1);
        let mut axes: Vec<Axis> = Vec::new();
        for count in counts {
            axes.push(Axis { count, stored, out });
            stored *= count;
            out *= count as i64;
        }
        // Transposed and reversed.
        (axes[0].out, axes[2].out) = (23 * 29, -1);
        axes[1].out = 29;
        let plan = Plan::new(axes, 0, 28);
        for output in OUTPUTS {
            let memory = random_volume(DType::I16, plan.len(), &mut random);
            let table = |n: u64| Factor::Table((0..n).map(|i| i as f64 * 0.37 - 9.0).collect());
            for entries in [29, 23 * 29, 31 * 23 * 29] {
                let steps = vec![Step::Multiply(table(entries)), Step::Add(table(entries))];
                let scaling = Scaling::new(steps, plan.len() / entries, Arithmetic::F64);
                let conversion =
                    Conversion::new(DType::I16, ByteOrder::Big, &scaling, output).unwrap();
                check(&gpu, &conversion, &plan, &memory);
                check(&gpu, &conversion, &line(plan.len()), &memory);
            }
        }
    }
}

#[test]
fn a_callers_buffer_keeps_its_other_elements() {
    for gpu in both_ways("a_callers_buffer_keeps_its_other_elements") {
        a_callers_buffer_keeps_its_other_elements_on(&gpu);
    }
}

fn a_callers_buffer_keeps_its_other_elements_on(gpu: &Gpu) {
    let mut random = Rng::new(7);
    for _ in 0..60 {
        let (mut plan, voxels) = random_plan(&mut random);
        // Anywhere, and not always dense.
        let spread = 1 + random.below_u64(3);
        plan.out_first = plan.out_first * spread + random.below_u64(3000);
        plan.axes
            .iter_mut()
            .for_each(|axis| axis.out *= spread as i64);
        let memory = random_volume(DType::U8, voxels, &mut random);
        for output in OUTPUTS {
            let scaling = Scaling::linear(0.5, 0.25);
            let conversion =
                Conversion::new(DType::U8, ByteOrder::Little, &scaling, output).unwrap();
            check_in_place(gpu, &conversion, &plan, &memory, &StagingOptions::default());
        }
    }
}

#[test]
fn what_is_stored_as_it_is_wanted_is_copied_anywhere() {
    for gpu in both_ways("what_is_stored_as_it_is_wanted_is_copied_anywhere") {
        what_is_stored_as_it_is_wanted_is_copied_anywhere_on(&gpu);
    }
}

fn what_is_stored_as_it_is_wanted_is_copied_anywhere_on(gpu: &Gpu) {
    let mut random = Rng::new(8);
    for _ in 0..60 {
        // Runs that begin and end in the middle of a word too, in one slot and in several.
        let (count, first) = (2 + random.below_u64(5000), random.below_u64(100));
        let run = Axis {
            count,
            stored: 1,
            out: 1,
        };
        let plan = Plan::new(vec![run], first, random.below_u64(3000));
        let options = StagingOptions {
            slot_bytes: 4096,
            ..StagingOptions::default()
        };
        for output in OUTPUTS {
            let memory = random_volume(output, first + count, &mut random);
            for order in ORDERS {
                let conversion = Conversion::new(output, order, &Scaling::none(), output).unwrap();
                check_in_place(gpu, &conversion, &plan, &memory, &options);
            }
        }
    }
}

/// Loads a box into a poisoned buffer: the model's bits must be in their places, and the poison everywhere else.
fn check_in_place(
    gpu: &Gpu,
    conversion: &Conversion,
    plan: &Plan,
    memory: &Memory,
    options: &StagingOptions,
) {
    let output = conversion.output;
    let len = (plan.out_range().end + 5) as usize * output.size_bytes() / 2;
    // Any bytes will do, as long as no result equals them.
    let poison = upload(gpu, &[len], &vec![f16::from_bits(0xabcd); len]);
    let target = poison.unwrap();
    load_into(gpu, conversion, plan, memory, target.buffer(), options).unwrap();
    let mut got = vec![f16::ZERO; len];
    download_into(&target, &mut got).unwrap();
    let mut got: Vec<u8> = bytemuck::cast_slice(&got).to_vec();
    check_bytes(conversion, plan, memory, &got);
    let size = output.size_bytes();
    for_each_voxel(plan, |_, out| {
        let at = out as usize * size;
        for pair in got[at..at + size].chunks_mut(2) {
            pair.copy_from_slice(&0xabcd_u16.to_le_bytes());
        }
    });
    assert!(
        got.chunks(2).all(|pair| pair == 0xabcd_u16.to_le_bytes()),
        "{plan:?} as {output} changed what it should not"
    );
}

//! Every value of small types, and millions of others, with many scalings.

use super::model::*;
use super::*;

/// The methods for wide types.
const COMPUTED: [KernelMethod; 2] = [KernelMethod::Integers, KernelMethod::NativeF64];

/// All values of an 8- or 16-bit type, or this many random ones with every special exponent well represented.
fn values(dtype: DType, order: ByteOrder, count: usize, random: &mut Rng) -> Memory {
    let item = dtype.size_bytes();
    let mut bytes = Vec::new();
    let count = if item <= 2 { 1 << (8 * item) } else { count };
    for i in 0..count as u64 {
        let bits = if item <= 2 {
            i
        } else {
            special(dtype, i, random)
        };
        let le = &bits.to_le_bytes()[..item];
        match order {
            ByteOrder::Little => bytes.extend(le),
            ByteOrder::Big => bytes.extend(le.iter().rev()),
        }
    }
    Memory {
        bytes,
        item,
        piece: 1 << 20,
    }
}

/// Random bits; of floats, some with exponents near those at which something happens in a narrower type.
fn special(dtype: DType, i: u64, random: &mut Rng) -> u64 {
    let bits = random.bits();
    match (dtype, i % 4) {
        (_, 0) => bits,
        (DType::F64, kind) => {
            const EDGES: [i64; 10] = [-1074, -1022, -150, -149, -126, -25, -14, 15, 127, 1023];
            let edge = EDGES[random.below(10)] + random.below_u64(5) as i64 - 2;
            let field = (edge + 1023).clamp(0, 2047) as u64;
            let fraction = match kind {
                1 => bits & 0xf_ffff_ffff_ffff,
                // Ties of f32 and f16.
                2 => bits & 0xf_ffff_f000_0000,
                _ => bits & 0xf_fe00_0000_0000,
            };
            (bits & 1 << 63) | field << 52 | fraction
        }
        (DType::F32, kind) => {
            const EDGES: [i64; 8] = [-127, -126, -25, -24, -15, -14, 15, 127];
            let edge = EDGES[random.below(8)] + random.below_u64(3) as i64 - 1;
            let field = (edge + 127).clamp(0, 255) as u64;
            let fraction = if kind == 1 {
                bits & 0x7f_ffff
            } else {
                bits & 0x7f_f000
            };
            (bits & 1 << 31) | field << 23 | fraction
        }
        // Integers of every length.
        (_, 1 | 2) => bits >> random.below_u64(64),
        _ => !(bits >> random.below_u64(64)),
    }
}

/// Pairs of slope and inter: absent, simple, subnormal, huge, random.
fn scalings(random: &mut Rng, some: usize) -> Vec<Scaling> {
    let mut pairs = vec![
        (1.0, 0.0),
        (0.1f32.into(), 0.0),
        (1.0, -1024.0),
        (2.0, 0.5),
        (-0.1, 1.0 / 3.0),
        (f64::from(f32::from_bits(1)), 0.0),
        (5e-324, 1e-310),
        (1e-300, -5e-324),
        (3.4e38, -1e38),
        (1e300, -1e305),
        (-1.7e308, 1.7e308),
        (0.0, -0.0),
        (2f64.powi(-24), 2f64.powi(-14)),
        (0.007_812_499, 1e9),
    ];
    for _ in 0..some {
        let float = |r: &mut Rng| f64::from(f32::from_bits(r.bits() as u32));
        let (s, b) = (float(random), float(random));
        if s.is_finite() && b.is_finite() {
            pairs.push((s, b));
        }
        let moderate = |r: &mut Rng| (r.bits() as i64 as f64) * 2f64.powi(-50);
        pairs.push((moderate(random), moderate(random)));
    }
    pairs.iter().map(|&(s, b)| Scaling::linear(s, b)).collect()
}

#[test]
fn a_pipeline_for_every_combination() {
    let Some(gpu) = gpu_or_skip("a_pipeline_for_every_combination") else {
        return;
    };
    gpu.set_kernel_choice(KernelChoice::Only(KernelMethod::Integers));
    let mut made = 0;
    for stored in REAL {
        for order in ORDERS {
            for output in OUTPUTS {
                for scaling in [Scaling::none(), Scaling::linear(2.0, 1.0)] {
                    let conversion = Conversion::new(stored, order, &scaling, output).unwrap();
                    check_convertible(gpu.context(), &conversion).unwrap();
                    for dense in [false, true] {
                        kernel(&gpu, &conversion, dense, 1);
                        made += 1;
                    }
                }
            }
        }
    }
    assert_eq!(made, REAL.len() * 2 * 3 * 2 * 2);
    // Single bytes have no byte order, so both orders share their variants.
    let made = gpu.pipelines().count();
    assert_eq!(made, (REAL.len() * 2 - 2) * 3 * 2 * 2);
}

#[test]
fn every_small_value() {
    with_each_method(
        "every_small_value",
        &KernelMethod::ALL,
        every_small_value_on,
    );
}

fn every_small_value_on(gpu: &Gpu) {
    let mut random = Rng::new(1);
    let mut compared = 0;
    for stored in REAL.into_iter().filter(|stored| stored.size_bytes() <= 2) {
        for scaling in scalings(&mut random, 20) {
            let order = ORDERS[random.below(2)];
            let memory = values(stored, order, 0, &mut random);
            let plan = line((memory.bytes.len() / memory.item) as u64);
            for output in OUTPUTS {
                let conversion = Conversion::new(stored, order, &scaling, output).unwrap();
                check(gpu, &conversion, &plan, &memory);
                compared += plan.len();
            }
        }
    }
    assert!(compared > 15_000_000, "{compared}");
}

#[test]
fn a_million_patterns_of_each_wide_type() {
    let test = "a_million_patterns_of_each_wide_type";
    with_each_method(test, &COMPUTED, a_million_patterns_of_each_wide_type_on);
}

fn a_million_patterns_of_each_wide_type_on(gpu: &Gpu) {
    let mut random = Rng::new(2);
    let mut rotation = 0;
    for stored in &REAL[4..] {
        if *stored == DType::F16 {
            continue;
        }
        for order in ORDERS {
            let memory = values(*stored, order, 1_000_000, &mut random);
            let plan = line(1_000_000);
            for output in OUTPUTS {
                let some = scalings(&mut random, 1);
                // No scaling, one of the usual kind, any, and random numbers.
                let kinds = [0, 1, 4, 14];
                for n in 0..volume(2, 4) {
                    let k = kinds[(rotation + n) % 4];
                    let scaling = &some[(k + random.below(3) * usize::from(k > 0)) % some.len()];
                    let conversion = Conversion::new(*stored, order, scaling, output).unwrap();
                    check(gpu, &conversion, &plan, &memory);
                }
                rotation += 3;
            }
        }
    }
}

#[test]
fn ties_and_what_lies_just_beside_them() {
    let test = "ties_and_what_lies_just_beside_them";
    with_each_method(test, &COMPUTED, ties_and_what_lies_just_beside_them_on);
}

fn ties_and_what_lies_just_beside_them_on(gpu: &Gpu) {
    let ulp = f64::EPSILON;
    let near = |middle: f64| (-4096..4096).map(move |k| middle + f64::from(k) * ulp);
    let bytes = near(1.5).chain(near(1.0)).flat_map(f64::to_le_bytes);
    let memory = Memory {
        bytes: bytes.collect(),
        item: 8,
        piece: 4096,
    };
    for (slope, inter) in [
        // The product is k / 2^52 of a unit beside the middle of two doubles.
        (1.0 + ulp, 0.0),
        (1.0 - ulp / 2.0, 0.0),
        (1.0, ulp / 2.0 * (1.0 + ulp)),
        (1.0, ulp / 2.0 * (1.0 - ulp / 2.0)),
        (1.0, -ulp / 4.0 * (1.0 + ulp)),
        (1.0, -5e-324),
        (2f64.powi(-1023), 0.0),
        (2f64.powi(-1023), 5e-324),
    ] {
        let scaling = Scaling::linear(slope, inter);
        for output in OUTPUTS {
            let conversion =
                Conversion::new(DType::F64, ByteOrder::Little, &scaling, output).unwrap();
            check(gpu, &conversion, &line(16384), &memory);
        }
    }
}

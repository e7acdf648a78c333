//! The methods of the kernel: which exist, what the self-test finds, which one is chosen.

use super::model::*;
use super::*;

fn scaled(stored: DType, output: DType) -> Conversion {
    let scaling = Scaling::linear(0.1, -7.3);
    Conversion::new(stored, ByteOrder::Little, &scaling, output).unwrap()
}

#[test]
fn small_types_have_a_table_and_others_do_not() {
    let Some(gpu) = gpu_or_skip("small_types_have_a_table_and_others_do_not") else {
        return;
    };
    let mut with_table = Vec::new();
    for stored in REAL {
        let rates = gpu
            .kernel_rates(stored, &Scaling::linear(0.1, -7.3), DType::F32)
            .unwrap();
        let chosen = rates.chosen;
        let rates = rates.rates;
        assert_eq!(rates.len(), KernelMethod::ALL.len());
        let rate = |wanted| rates.iter().find(|rate| rate.method == wanted).unwrap();
        assert!(rate(KernelMethod::Integers).voxels_per_second.unwrap() > 0.0);
        if rate(KernelMethod::Table).voxels_per_second.is_some() {
            with_table.push(stored);
        }
        let native = rate(KernelMethod::NativeF64).voxels_per_second;
        let features = wgpu::Features::SHADER_F64 | wgpu::Features::SHADER_INT64;
        assert!(native.is_none() || gpu.device().features().contains(features));
        assert!(
            rate(chosen).voxels_per_second.is_some(),
            "{stored}: {rates:?}"
        );
    }
    use DType::*;
    assert_eq!(with_table, [U8, I8, U16, I16, F16]);
}

#[test]
fn a_self_test_is_run_once_for_a_class() {
    let Some(gpu) = gpu_or_skip("a_self_test_is_run_once_for_a_class") else {
        return;
    };
    let conversion = scaled(DType::U16, DType::F32);
    let tests = || gpu.kernels().self_tests(KernelMethod::Table).0;
    kernel(&gpu, &conversion, true, 1000);
    assert_eq!(tests(), 0, "a small load is no reason for a table");
    let large = kernel(&gpu, &conversion, true, 1 << 30);
    assert!(large.table.is_some(), "a large one is");
    assert_eq!(tests(), 1);
    let made = gpu.pipelines().count();
    let other = Conversion::new(
        DType::U16,
        ByteOrder::Little,
        &Scaling::linear(3.0, 1.0),
        DType::F32,
    );
    kernel(&gpu, &other.unwrap(), true, 1 << 30);
    assert_eq!(
        (tests(), gpu.pipelines().count()),
        (1, made),
        "other numbers are no other class"
    );
    // Nothing was measured, so native f64 is tested only where it was requested.
    let native = gpu.kernels().self_tests(KernelMethod::NativeF64);
    assert_eq!(native, (0, 0));
    let wide = kernel(&gpu, &scaled(DType::F64, DType::F32), true, 1 << 30);
    assert!(wide.table.is_none());
    assert_eq!(gpu.kernels().self_tests(KernelMethod::NativeF64), (0, 0));
}

/// Measurements are kept for the class and have priority over the rule.
#[test]
fn loads_take_what_was_measured() {
    let Some(gpu) = gpu_or_skip("loads_take_what_was_measured") else {
        return;
    };
    let scaling = Scaling::linear(0.1, -7.3);
    let report = gpu.kernel_rates(DType::I16, &scaling, DType::F32).unwrap();
    let conversion = scaled(DType::I16, DType::F32);
    let tests = gpu.kernels().self_tests(KernelMethod::Table);
    let taken = kernel(&gpu, &conversion, true, 1 << 20);
    let is_table = report.chosen == KernelMethod::Table;
    assert_eq!(taken.table.is_some(), is_table, "{report:?}");
    assert_eq!(gpu.kernels().self_tests(KernelMethod::Table), tests);
}

#[test]
fn tables_are_told_apart_by_their_numbers() {
    let Some(gpu) = gpu_or_skip("tables_are_told_apart_by_their_numbers") else {
        return;
    };
    gpu.set_kernel_choice(KernelChoice::Only(KernelMethod::Table));
    let memory = random_volume(DType::I16, 70_000, &mut Rng::new(31));
    // More scalings than tables are kept, each asked for twice; zeros differ by their signs.
    for round in 0..2 {
        for inter in [-0.0, 1.5, -3.0, 2.0, 0.25, 1e9] {
            let steps = vec![
                Step::Multiply(Factor::One(-0.0)),
                Step::Add(Factor::One(inter)),
            ];
            let scaling = Scaling::new(steps, 0, Arithmetic::F64);
            for order in ORDERS {
                let conversion = Conversion::new(DType::I16, order, &scaling, DType::F32).unwrap();
                check(&gpu, &conversion, &line(70_000), &memory);
                assert!(gpu.kernels().has_table(&conversion), "round {round}");
            }
        }
    }
}

#[test]
fn a_table_with_a_wrong_entry_fails_the_comparison() {
    let Some(gpu) = gpu_or_skip("a_table_with_a_wrong_entry_fails_the_comparison") else {
        return;
    };
    gpu.set_kernel_choice(KernelChoice::Only(KernelMethod::Table));
    let conversion = scaled(DType::U8, DType::F32);
    let memory = random_volume(DType::U8, 4096, &mut Rng::new(32));
    check(&gpu, &conversion, &line(4096), &memory);
    let table = kernel(&gpu, &conversion, true, 4096).table.unwrap();
    gpu.queue()
        .write_buffer(&table, 4 * 77, &1.0f32.to_bits().to_le_bytes());
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        check(&gpu, &conversion, &line(4096), &memory);
    }));
    assert!(
        outcome.is_err(),
        "a wrong entry was not noticed: was the table used at all?"
    );
}

#[test]
fn the_self_test_catches_what_devices_get_wrong() {
    let test = "the_self_test_catches_what_devices_get_wrong";
    const SUM: &str = "to_native(a) + to_native(b)";
    for (what, from, to) in [
        ("nothing", SUM, SUM),
        (
            "the packet's head read as another layout",
            "const DATA = 2u;",
            "const DATA = 3u;",
        ),
        (
            "a product off by the last bit",
            "u32(bits) ^ zero",
            "u32(bits) ^ (zero + 1u)",
        ),
        (
            "sums rounded twice",
            SUM,
            "f64(f32(to_native(a) + to_native(b)))",
        ),
        (
            "subnormals flushed",
            "return multiply(a, b, digits);",
            "return select(multiply(a, b, digits), \
            vec2<u32>(0u), ((a.y | b.y) & EXPONENT) != EXPONENT);",
        ),
        (
            "infinities taken for numbers",
            "return add(a, b);",
            "return vec2<u32>(0u, 0x7fefffffu);",
        ),
        (
            "the sign of zero lost",
            "return multiply(a, b, digits);",
            "let c = multiply(a, b, digits); \
            return select(c, vec2<u32>(0u), ((c.y & ~SIGN) | c.x) == 0u);",
        ),
    ] {
        let Some(gpu) = gpu_or_skip(test) else {
            return;
        };
        let features = wgpu::Features::SHADER_F64 | wgpu::Features::SHADER_INT64;
        if !gpu.device().features().contains(features) {
            println!("skipped without f64 in shaders: {test}");
            return;
        }
        gpu.set_kernel_choice(KernelChoice::Only(KernelMethod::NativeF64));
        *gpu.pipelines().altered.lock().unwrap() = Some((kernel::NATIVE, from, to));
        let conversion = scaled(DType::F64, DType::F64);
        kernel(&gpu, &conversion, true, 4096);
        let passed = gpu.kernels().self_tests(KernelMethod::NativeF64).0 == 1;
        assert_eq!(passed, what == "nothing", "altered: {what}");
        // A method that fails is not used.
        *gpu.pipelines().altered.lock().unwrap() = None;
        let memory = random_volume(DType::F64, 4096, &mut Rng::new(33));
        if !passed {
            check(&gpu, &conversion, &line(4096), &memory);
        }
    }
}

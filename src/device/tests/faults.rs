//! Rejected requests, readers that fail, lack of memory, and the caller's callbacks.

use super::model::*;
use super::*;

#[test]
fn refusals_are_typed() {
    let Some((device, queue)) = plain_device("refusals_are_typed", |limits| {
        limits.max_buffer_size = 1 << 20;
        limits.max_storage_buffer_binding_size = 1 << 20;
    }) else {
        return;
    };
    for is_browser_like in IS_BROWSER_LIKE {
        let gpu = Gpu::from_device(&device, &queue);
        gpu.set_browser_like(is_browser_like);
        refusals_are_typed_on(&gpu);
    }
}

fn refusals_are_typed_on(gpu: &Gpu) {
    let complex =
        Conversion::new(DType::C64, ByteOrder::Little, &Scaling::none(), DType::F32).unwrap();
    assert!(matches!(
        check_convertible(gpu.context(), &complex)
            .unwrap_err()
            .kind(),
        ErrorKind::DType { .. }
    ));
    let conversion =
        Conversion::new(DType::U8, ByteOrder::Little, &Scaling::none(), DType::F32).unwrap();
    let memory = random_volume(DType::U8, 300_000, &mut Rng::new(8));
    let too_large = load::<f32>(
        gpu,
        &conversion,
        &line(300_000),
        &memory,
        &[300_000],
        &StagingOptions::default(),
    );
    assert_eq!(
        too_large.unwrap_err().kind(),
        &ErrorKind::GpuLimit {
            limit: "max_buffer_size",
            needed: 1_200_000,
            allowed: 1 << 20
        }
    );
    // The device still works.
    check(gpu, &conversion, &line(200_000), &memory);
    let short = Memory {
        bytes: memory.bytes[..10].to_vec(),
        ..memory
    };
    struct Short(Memory);
    impl TileReader for Short {
        fn read_tile(&self, _: &Plan, sink: &mut dyn FnMut(&[u8])) -> Result<()> {
            sink(&self.0.bytes);
            Ok(())
        }
    }
    let options = StagingOptions::default();
    let truncated = load::<f32>(gpu, &conversion, &line(20), &Short(short), &[20], &options);
    assert!(matches!(
        truncated.unwrap_err().kind(),
        ErrorKind::Truncated {
            have: 10,
            need: 20,
            ..
        }
    ));
}

#[test]
fn a_failing_reader_leaves_the_device_as_it_was() {
    struct Failing(Memory, std::sync::atomic::AtomicI64);
    impl TileReader for Failing {
        fn read_tile(&self, tile: &Plan, sink: &mut dyn FnMut(&[u8])) -> Result<()> {
            if self.1.fetch_sub(1, std::sync::atomic::Ordering::Relaxed) <= 0 {
                return Err(ErrorKind::Empty.into());
            }
            self.0.read_tile(tile, sink)
        }
    }
    let conversion =
        Conversion::new(DType::U8, ByteOrder::Little, &Scaling::none(), DType::F32).unwrap();
    let options = StagingOptions::new().slot_bytes(4096);
    for gpu in both_ways("a_failing_reader_leaves_the_device_as_it_was") {
        for after in [0, 1, 3, 10] {
            let memory = random_volume(DType::U8, 50_000, &mut Rng::new(14));
            let reader = Failing(memory, i64::into(after));
            let result = load::<f32>(
                &gpu,
                &conversion,
                &line(50_000),
                &reader,
                &[50_000],
                &options,
            );
            assert_eq!(result.unwrap_err().kind(), &ErrorKind::Empty);
            check(&gpu, &conversion, &line(50_000), &reader.0);
        }
    }
}

#[test]
fn a_target_that_cannot_serve() {
    for gpu in both_ways("a_target_that_cannot_serve") {
        a_target_that_cannot_serve_on(&gpu);
    }
}

fn a_target_that_cannot_serve_on(gpu: &Gpu) {
    let conversion =
        Conversion::new(DType::U8, ByteOrder::Little, &Scaling::none(), DType::F32).unwrap();
    let memory = random_volume(DType::U8, 100, &mut Rng::new(15));
    let options = StagingOptions::default();
    let try_with = |size, usage, destroyed: bool| {
        let target = wait(gpu, gpu.context().buffer("target", size, usage, false)).unwrap();
        if destroyed {
            target.destroy();
        }
        let result = load_into(gpu, &conversion, &line(100), &memory, &target, &options);
        result.unwrap_err().kind().clone()
    };
    let storage = wgpu::BufferUsages::STORAGE;
    let usage = try_with(400, wgpu::BufferUsages::COPY_DST, false);
    assert!(matches!(usage, ErrorKind::Usage(_)), "{usage:?}");
    let small = try_with(396, storage, false);
    assert!(matches!(small, ErrorKind::Shape { .. }), "{small:?}");
    let destroyed = try_with(400, storage, true);
    assert!(matches!(destroyed, ErrorKind::Gpu(_)), "{destroyed:?}");
    check(gpu, &conversion, &line(100), &memory);
}

#[test]
fn many_threads_one_device() {
    for gpu in both_ways("many_threads_one_device") {
        std::thread::scope(|scope| {
            for seed in 0..4 {
                let gpu = gpu.clone();
                scope.spawn(move || super::boxes::random_boxes(&gpu, 20 + seed, volume(15, 100)));
            }
        });
    }
}

#[test]
fn a_callers_callbacks_stay() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    let Some((device, queue)) = plain_device("a_callers_callbacks_stay", |_| {}) else {
        return;
    };
    let (errors, losses) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let (error, loss) = (errors.clone(), losses.clone());
    device.on_uncaptured_error(Arc::new(move |_| {
        error.fetch_add(1, Ordering::Relaxed);
    }));
    device.set_device_lost_callback(move |_, _| {
        loss.fetch_add(1, Ordering::Relaxed);
    });
    let gpu = Gpu::from_device(&device, &queue);
    random_boxes_and_refusals(&gpu);
    assert_eq!(errors.load(Ordering::Relaxed), 0, "our errors are ours");
    let impossible = wgpu::BufferDescriptor {
        label: None,
        size: 4,
        usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::MAP_WRITE,
        mapped_at_creation: false,
    };
    let _ = device.create_buffer(&impossible);
    assert_eq!(errors.load(Ordering::Relaxed), 1, "the caller's are theirs");
    device.destroy();
    device.poll(wgpu::PollType::wait_indefinitely()).unwrap();
    assert_eq!(losses.load(Ordering::Relaxed), 1);
}

/// Polling runs the callbacks of other users. A panic in them is passed on and does not mean a lost device.
#[test]
fn a_callback_that_panics_is_no_lost_device() {
    for gpu in both_ways("a_callback_that_panics_is_no_lost_device") {
        let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
        let buffer = wait(&gpu, gpu.context().buffer("theirs", 4, usage, false)).unwrap();
        buffer.map_async(wgpu::MapMode::Read, .., |_| panic!("theirs"));
        let polled = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            for _ in 0..1000 {
                gpu.context().poll().unwrap();
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
        }));
        let panic = polled.expect_err("it was passed on");
        assert_eq!(panic.downcast_ref::<&str>(), Some(&"theirs"));
        gpu.context().check_lost().unwrap();
        super::boxes::random_boxes(&gpu, 32, 5);
    }
}

fn random_boxes_and_refusals(gpu: &Gpu) {
    super::boxes::random_boxes(gpu, 30, 10);
    let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::MAP_WRITE;
    let wrong = wait(gpu, gpu.context().buffer("wrong", 4, usage, false));
    assert!(matches!(wrong.unwrap_err().kind(), ErrorKind::Gpu(_)));
    let large = DeviceArray::<f64>::zeroed(gpu, &[usize::MAX, 3]);
    assert!(matches!(
        large.unwrap_err().kind(),
        ErrorKind::GpuLimit { .. }
    ));
    super::boxes::random_boxes(gpu, 31, 10);
}

#[test]
fn staging_is_kept_once_and_given_back() {
    for gpu in both_ways("staging_is_kept_once_and_given_back") {
        staging_is_kept_once_and_given_back_on(&gpu);
    }
}

fn staging_is_kept_once_and_given_back_on(gpu: &Gpu) {
    let allocated = || {
        gpu.device()
            .generate_allocator_report()
            .map_or(0, |r| r.total_allocated_bytes)
    };
    let conversion =
        Conversion::new(DType::U8, ByteOrder::Little, &Scaling::none(), DType::F16).unwrap();
    let count = 4 << 20;
    let memory = random_volume(DType::U8, count, &mut Rng::new(17));
    let options = StagingOptions {
        slot_bytes: 1 << 20,
        ..StagingOptions::default()
    };
    let target = DeviceArray::<half::f16>::zeroed(gpu, &[count as usize]).unwrap();
    let before = allocated();
    let mut during = Vec::new();
    for _ in 0..5 {
        let plan = line(count);
        load_into(gpu, &conversion, &plan, &memory, target.buffer(), &options).unwrap();
        during.push(allocated() as i64 - before as i64);
    }
    // wgpu's own use varies by some hundred bytes.
    let near = |bytes: i64, wanted: i64| (bytes - wanted).abs() < 1 << 16;
    assert!(
        during.iter().all(|&bytes| near(bytes, 4 << 20)),
        "{during:?}"
    );
    gpu.release_staging();
    gpu.device()
        .poll(wgpu::PollType::wait_indefinitely())
        .unwrap();
    assert!(near(allocated() as i64, before as i64));
}

/// The environment variable that is set for a process with a small address space.
const LOW_MEMORY: &str = "VOXLOAD_TEST_LITTLE_MEMORY";

/// The child process of the next test: allocates until there is no memory, then loads something small.
#[test]
fn out_of_device_memory_child() {
    if std::env::var_os(LOW_MEMORY).is_none() {
        return;
    }
    let Some(gpu) = gpu_or_skip("out_of_device_memory_child") else {
        return;
    };
    let conversion =
        Conversion::new(DType::U8, ByteOrder::Little, &Scaling::none(), DType::F32).unwrap();
    let memory = random_volume(DType::U8, 1000, &mut Rng::new(16));
    check(&gpu, &conversion, &line(1000), &memory);
    let large = 64 << 20;
    let mut held = Vec::new();
    let error = loop {
        assert!(held.len() < 100, "25 GB of {} were given", held.len());
        match DeviceArray::<f32>::zeroed(&gpu, &[large]) {
            Ok(array) => held.push(array),
            Err(error) => break error,
        }
    };
    let needed = 4 * large as u64;
    assert_eq!(error.kind(), &ErrorKind::GpuOutOfMemory { needed });
    held.pop();
    check(&gpu, &conversion, &line(1000), &memory);
    println!("out of memory after {} arrays", held.len() + 1);
}

#[test]
#[cfg(target_os = "linux")]
fn out_of_device_memory() {
    if gpu_or_skip("out_of_device_memory").is_none_or(|gpu| !gpu.is_software()) {
        return;
    }
    let child = "device::tests::faults::out_of_device_memory_child";
    let test = std::env::current_exe().unwrap();
    let output = std::process::Command::new("sh")
        .args([
            "-c",
            "ulimit -v 4000000; exec \"$0\" --exact \"$1\" --nocapture",
        ])
        .args([test.as_os_str(), child.as_ref()])
        .env(LOW_MEMORY, "1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    println!("{text}");
    assert!(
        output.status.success() && text.contains("out of memory after"),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

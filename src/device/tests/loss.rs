//! Devices that are lost before, during and after a load.

use super::model::*;
use super::*;

/// A reader that destroys the device after reading a number of tiles.
struct Destroyer {
    memory: Memory,
    device: wgpu::Device,
    left: std::sync::atomic::AtomicI64,
}

impl TileReader for Destroyer {
    fn read_tile(&self, tile: &Plan, sink: &mut dyn FnMut(&[u8])) -> Result<()> {
        if self.left.fetch_sub(1, std::sync::atomic::Ordering::Relaxed) == 0 {
            self.device.destroy();
        }
        self.memory.read_tile(tile, sink)
    }
}

#[test]
fn a_destroyed_device_is_never_ok() {
    let scaling = Scaling::linear(0.5, 1.0);
    let conversion = Conversion::new(DType::I16, ByteOrder::Little, &scaling, DType::F32).unwrap();
    let options = StagingOptions::new().slot_bytes(8192);
    let count = 100_000;
    let plan = line(count);
    // The load is 25 tiles.
    for (after, is_browser_like) in [-1, 0, 1, 2, 5, 11, 17, 23, 24]
        .into_iter()
        .flat_map(|after| IS_BROWSER_LIKE.map(|is_browser_like| (after, is_browser_like)))
    {
        let Some((device, queue)) = plain_device("a_destroyed_device_is_never_ok", |_| {}) else {
            return;
        };
        let gpu = Gpu::from_device(&device, &queue);
        gpu.set_browser_like(is_browser_like);
        let reader = Destroyer {
            memory: random_volume(DType::I16, count, &mut Rng::new(9)),
            device: device.clone(),
            left: after.into(),
        };
        if after == -1 {
            device.destroy();
        }
        let result = load::<f32>(
            &gpu,
            &conversion,
            &plan,
            &reader,
            &[count as usize],
            &options,
        );
        let error = result.expect_err("the device was destroyed");
        let way = if is_browser_like {
            "as in browsers"
        } else {
            "mapped"
        };
        assert_eq!(error.kind(), &ErrorKind::DeviceLost, "after {after}, {way}");
    }
}

#[test]
fn a_device_destroyed_later_gives_no_download() {
    let test = "a_device_destroyed_later_gives_no_download";
    for is_browser_like in IS_BROWSER_LIKE {
        let Some((device, queue)) = plain_device(test, |_| {}) else {
            return;
        };
        let gpu = Gpu::from_device(&device, &queue);
        gpu.set_browser_like(is_browser_like);
        let array = upload(&gpu, &[3], &[1.0f32, 2.0, 3.0]).unwrap();
        let mut out = [0.0; 3];
        download_into(&array, &mut out).unwrap();
        assert_eq!(out, [1.0, 2.0, 3.0]);
        device.destroy();
        let error = download_into(&array, &mut out).unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::DeviceLost);
        let error = upload(&gpu, &[3], &out).unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::DeviceLost);
    }
}

#[test]
fn a_device_destroyed_at_any_time_is_never_ok_and_wrong() {
    let scaling = Scaling::linear(0.5, 1.0);
    let conversion = Conversion::new(DType::I16, ByteOrder::Little, &scaling, DType::F32).unwrap();
    let options = StagingOptions::new().slot_bytes(16 << 10);
    let count = 200_000;
    let memory = random_volume(DType::I16, count, &mut Rng::new(11));
    let mut random = Rng::new(12);
    let mut lost = [0; 2];
    let rounds = volume(120, 1000);
    for round in 0..rounds {
        let test = "a_device_destroyed_at_any_time_is_never_ok_and_wrong";
        let Some((device, queue)) = plain_device(test, |_| {}) else {
            return;
        };
        let gpu = Gpu::from_device(&device, &queue);
        gpu.set_browser_like(round % 2 == 1);
        let delay = std::time::Duration::from_micros(random.below_u64(40_000));
        let outcome = std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(delay);
                device.destroy();
            });
            let array = load::<f32>(
                &gpu,
                &conversion,
                &line(count),
                &memory,
                &[count as usize],
                &options,
            )?;
            let mut out = vec![0.0; count as usize];
            download_into(&array, &mut out)?;
            Ok::<_, Error>(out)
        });
        match outcome {
            Ok(out) => check_bytes(
                &conversion,
                &line(count),
                &memory,
                bytemuck::cast_slice(&out),
            ),
            Err(error) => {
                assert_eq!(error.kind(), &ErrorKind::DeviceLost);
                lost[round % 2] += 1;
            }
        }
    }
    println!("{lost:?} of {} loads each met the loss", rounds / 2);
    let enough = lost.iter().all(|&lost| lost > rounds / 20);
    assert!(enough, "{lost:?}: the device was destroyed too late");
}

#[test]
fn a_notice_of_loss_ends_a_load() {
    struct Notice(Memory, Gpu);
    impl TileReader for Notice {
        fn read_tile(&self, tile: &Plan, sink: &mut dyn FnMut(&[u8])) -> Result<()> {
            self.1.mark_lost();
            self.0.read_tile(tile, sink)
        }
    }
    for gpu in both_ways("a_notice_of_loss_ends_a_load") {
        let memory = random_volume(DType::U8, 1000, &mut Rng::new(13));
        let reader = Notice(memory, gpu.clone());
        let conversion =
            Conversion::new(DType::U8, ByteOrder::Little, &Scaling::none(), DType::F32).unwrap();
        let options = StagingOptions::default();
        let result = load::<f32>(&gpu, &conversion, &line(1000), &reader, &[1000], &options);
        assert_eq!(result.unwrap_err().kind(), &ErrorKind::DeviceLost);
    }
}

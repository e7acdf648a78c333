//! Asynchronous calls: they do not hold up or spin an executor, several run at a time, and any of them can be dropped.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use voxload::{Caching, DataobjImage, FrameOptions, Gpu, StreamOptions};

use crate::support::backend::{Backend, Device, open};
use crate::support::nifti::{Nifti, gz};
use crate::support::rng::Rng;

/// Devices whose calls are awaited.
fn awaited(test: &str) -> Vec<&'static Gpu> {
    match Backend::available(test).len() {
        0 | 1 => Vec::new(),
        _ => vec![open(Device::Awaited), open(Device::AsInBrowsers)],
    }
}

fn series() -> DataobjImage {
    let bytes = Nifti::counting(&[128, 128, 64, 6]).scl(0.5, -3.0).single();
    DataobjImage::from_bytes(gz(&bytes, 1)).expect("it loads")
}

/// Counts wakes.
struct Counter(AtomicUsize);

impl Wake for Counter {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }
    fn wake_by_ref(self: &Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A future is polled when it is woken, and then only as often as the device has to be.
#[test]
fn an_executor_does_not_spin() {
    for gpu in awaited("an executor does not spin") {
        let image = series();
        let counter = Arc::new(Counter(AtomicUsize::new(1)));
        let waker = Waker::from(Arc::clone(&counter));
        let mut load = pin!(image.get_fdata_gpu_async::<f32>(gpu, Caching::Unchanged));
        let (start, mut polls, mut longest) = (Instant::now(), 0u32, Duration::ZERO);
        let array = loop {
            assert!(start.elapsed() < Duration::from_secs(60), "it hangs");
            if counter.0.swap(0, Ordering::Relaxed) == 0 {
                std::thread::yield_now();
                continue;
            }
            let before = Instant::now();
            let polled = load.as_mut().poll(&mut Context::from_waker(&waker));
            longest = longest.max(before.elapsed());
            polls += 1;
            if let Poll::Ready(array) = polled {
                break array.expect("a load");
            }
        };
        let took = start.elapsed();
        println!("{gpu:?}: {took:?}, {polls} polls, the longest {longest:?}");
        // 24 MiB are some dozens of slots; the rest are ticks.
        let ticks = took.as_micros() / 100;
        assert!(u128::from(polls) < 500 + ticks, "{polls} polls in {took:?}");
        let values = image.get_fdata::<f32>(Caching::Unchanged).expect("values");
        let found = pollster::block_on(array.download_async()).expect("values");
        assert!(found.as_slice() == values.as_slice());
    }
}

/// Polls two futures in turn until both are done.
async fn both<A: Future, B: Future>(a: A, b: B) -> (A::Output, B::Output) {
    let (mut a, mut b) = (pin!(a), pin!(b));
    let (mut first, mut second) = (None, None);
    std::future::poll_fn(|cx| {
        fn poll<F: Future>(
            future: Pin<&mut F>,
            output: &mut Option<F::Output>,
            cx: &mut Context<'_>,
        ) {
            if output.is_none()
                && let Poll::Ready(ready) = future.poll(cx)
            {
                *output = Some(ready);
            }
        }
        poll(a.as_mut(), &mut first, cx);
        poll(b.as_mut(), &mut second, cx);
        match (first.take(), second.take()) {
            (Some(a), Some(b)) => Poll::Ready((a, b)),
            (a, b) => {
                (first, second) = (a, b);
                Poll::Pending
            }
        }
    })
    .await
}

#[test]
fn several_at_a_time_on_one_thread() {
    for gpu in awaited("several at a time") {
        let (one, other) = (series(), series());
        let whole = one.get_fdata::<f32>(Caching::Unchanged).expect("values");
        let options = StreamOptions::new().frames(FrameOptions::new());
        let frames = async {
            let mut stream = one.stream_async::<f32>(gpu, options).await?;
            let mut frames = Vec::new();
            while let Some(frame) = stream.next_async().await {
                frames.extend(frame?.download_async().await?.into_vec());
            }
            Ok::<_, voxload::Error>(frames)
        };
        let load = async {
            let array = other.get_fdata_gpu_async::<f32>(gpu, Caching::Unchanged);
            array.await?.download_async().await
        };
        let (frames, values) = pollster::block_on(both(frames, load));
        assert!(frames.expect("a stream") == whole.as_slice());
        assert!(values.expect("a load").as_slice() == whole.as_slice());
    }
}

#[test]
fn futures_dropped_at_any_time_leave_the_device_as_it_was() {
    let mut rng = Rng::new(71);
    for gpu in awaited("futures dropped at any time") {
        let image = series();
        let whole = image.get_fdata::<f32>(Caching::Unchanged).expect("values");
        for _ in 0..60 {
            let mut cx = Context::from_waker(Waker::noop());
            let mut load = Box::pin(image.get_fdata_gpu_async::<f32>(gpu, Caching::Unchanged));
            for _ in 0..rng.below(40) {
                if load.as_mut().poll(&mut cx).is_ready() {
                    break;
                }
                std::thread::sleep(Duration::from_micros(rng.below(500) as u64));
            }
        }
        let load = image.get_fdata_gpu_async::<f32>(gpu, Caching::Unchanged);
        let array = pollster::block_on(load).expect("a load");
        let values = pollster::block_on(array.download_async()).expect("values");
        assert!(values.as_slice() == whole.as_slice());
        // The item that a dropped future waited for is the next one's.
        let options = StreamOptions::new().frames(FrameOptions::new().looping());
        let mut stream = pollster::block_on(image.stream_async::<f32>(gpu, options)).expect("one");
        for expected in 0..12 {
            for _ in 0..rng.below(3) {
                let mut cx = Context::from_waker(Waker::noop());
                let mut next = Box::pin(stream.next_async());
                if let Poll::Ready(frame) = next.as_mut().poll(&mut cx) {
                    drop(frame.expect("it loops").expect("a frame"));
                    drop(next);
                    stream.seek(expected % 6).expect("it is selected");
                }
            }
            let next = pollster::block_on(stream.next_async());
            let frame = next.expect("it loops").expect("a frame");
            assert_eq!(frame.index(), expected % 6);
        }
    }
}

#[test]
fn what_was_measured_is_kept_when_it_is_awaited_too() {
    for gpu in awaited("rates") {
        let scaling = voxload::Scaling::linear(0.1, -7.3);
        let (stored, output) = (voxload::DType::U8, voxload::DType::F32);
        let rates = gpu.kernel_rates_async(stored, &scaling, output);
        let report = pollster::block_on(rates).expect("rates");
        assert_eq!(report.rates.len(), voxload::KernelMethod::ALL.len());
        let chosen = |rate: &&voxload::KernelRate| rate.method == report.chosen;
        let chosen = report.rates.iter().find(chosen).expect("one of them");
        assert!(chosen.voxels_per_second.is_some_and(|rate| rate > 0.0));
    }
}

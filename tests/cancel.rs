//! Promise: a token ends a read early, wherever it is; what the read had taken is given back, nothing of it is kept, and the
//! next read is right.

#[cfg(target_os = "linux")]
mod random;
mod tripped;
mod waiting;

use std::sync::mpsc;
use std::time::Duration;

use voxload::{ArrayProxy, Caching, Cancel, DataobjImage, ErrorKind, HostArray, Result};

use crate::support::nifti::Nifti;

/// What waits longer than that waits for ever.
const PATIENCE: Duration = Duration::from_secs(120);

/// Runs work on a thread; what it gives, or a panic when it does not end.
fn in_time<R: Send + 'static>(work: impl FnOnce() -> R + Send + 'static) -> R {
    let (sender, receiver) = mpsc::channel();
    let thread = std::thread::spawn(move || sender.send(work()));
    match receiver.recv_timeout(PATIENCE) {
        Ok(result) => result,
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("no end in {PATIENCE:?}"),
        Err(mpsc::RecvTimeoutError::Disconnected) => {
            std::panic::resume_unwind(thread.join().expect_err("it panicked"))
        }
    }
}

fn is_cancelled<R>(outcome: &Result<R>) -> bool {
    let error = outcome.as_ref().err();
    error.is_some_and(|error| *error.kind() == ErrorKind::Cancelled)
}

#[test]
fn a_cancelled_token_stops_every_read_that_begins() {
    let image =
        DataobjImage::from_bytes(Nifti::counting(&[8, 8, 8, 3]).single()).expect("it loads");
    let (cancel, clone) = (Cancel::new(), Cancel::new());
    assert!(!cancel.is_cancelled());
    let other = cancel.clone();
    std::thread::spawn(move || other.cancel())
        .join()
        .expect("no panic");
    assert!(cancel.is_cancelled() && !clone.is_cancelled());
    let read = || image.get_fdata::<f32>(Caching::Fill);
    assert!(is_cancelled(&cancel.run(read)));
    assert!(!image.in_memory(), "nothing is kept");
    // Inside one another, any of them cancels.
    assert!(is_cancelled(&cancel.run(|| clone.run(read))));
    assert!(is_cancelled(&clone.run(|| cancel.run(read))));
    assert!(clone.run(read).is_ok(), "the scope of the other has ended");
    assert!(cancel.run(read).is_ok(), "no read: the array is kept");
    image.uncache();
    let future = cancel.run_async(async { image.get_fdata::<f32>(Caching::Fill) });
    assert!(is_cancelled(&pollster::block_on(future)));
    assert!(read().is_ok());
}

/// Values of arrays are computed as well, in calls that do not read.
#[test]
fn values_of_an_array() {
    let integers = HostArray::from_vec(&[100, 100, 20], (0..200_000i64).collect());
    let array = ArrayProxy::from(integers.expect("it fits"));
    let cancel = Cancel::new();
    cancel.cancel();
    let mut values = vec![0.0; 200_000];
    assert!(is_cancelled(&cancel.run(|| array.read::<f32>())));
    assert!(is_cancelled(&cancel.run(|| array.read_into(&mut values))));
    assert!(is_cancelled(&cancel.run(|| array.read::<f64>())));
    assert!(is_cancelled(&cancel.run(|| array.slice::<f32>((1, ..)))));
    assert!(is_cancelled(&cancel.run(|| array.sliced((1, ..)))));
    let right: Vec<f32> = (0..200_000).map(|n| n as f32).collect();
    array.read_into(&mut values).expect("the next read");
    assert_eq!(values, right);
}

#[test]
fn a_panic_takes_the_token_off_the_thread() {
    let image = DataobjImage::from_bytes(Nifti::counting(&[4, 4]).single()).expect("it loads");
    let cancel = Cancel::new();
    cancel.cancel();
    let panicking = || cancel.run(|| panic!("on purpose"));
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(panicking));
    assert!(caught.is_err());
    assert!(image.get_fdata::<f32>(Caching::Unchanged).is_ok());
}

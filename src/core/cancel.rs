//! [`Cancel`]: the token that ends reads early.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;

use crate::core::scope::{Scope, Token, Waking};

/// A token that ends reads early. Clones are one token; any thread may cancel it, at any time.
///
/// Every read inside [`Self::run`] or [`Self::run_async`] ends with [`crate::ErrorKind::Cancelled`], within 50
/// milliseconds of [`Self::cancel`], unless it had finished: reads to the host and to devices, streams and frames that are
/// made or advanced there, statistics, saving, loading. What the read had taken is given back (the memory of a large array
/// by a short-lived thread, where the system is slow at it; on a device when that has finished what it was given), no cache
/// is filled, and the next read is as right as any. A file that was to be saved does not appear.
///
/// ```
/// # fn main() -> voxload::Result<()> {
/// # let image = voxload::DataobjImage::from_array(voxload::HostArray::from_vec(&[2], vec![1.0f32, 2.0])?, None)?;
/// use voxload::{Cancel, Caching, ErrorKind};
/// let cancel = Cancel::new();
/// let button = cancel.clone(); // For another thread: `button.cancel()`.
/// # let _ = button;
/// match cancel.run(|| image.get_fdata::<f32>(Caching::Fill)) {
///     Ok(values) => println!("{:?}", values.shape()),
///     Err(error) if *error.kind() == ErrorKind::Cancelled => println!("stopped"),
///     Err(error) => return Err(error),
/// }
/// # Ok(()) }
/// ```
///
/// The token belongs to the thread that runs the closure, and voxload hands it on to the threads that help. Threads and
/// tasks that the closure itself starts do not have it: give them a clone to run their reads in. Inside one another, any of
/// the tokens cancels. A stream that is made inside a token is cancelled with it for good; one that is only advanced there
/// can be advanced again outside.
///
/// # What cannot be interrupted
/// One call of a [`crate::ByteSource`] or of the operating system: the read then ends after it. A kernel that the driver
/// compiles, once for each kind of conversion on a device. Work of others in the same thread pool, when a read waits for
/// the pool to come to its parts ([`crate::Threads`]).
#[derive(Debug, Clone, Default)]
pub struct Cancel(Arc<Token>);

impl Cancel {
    /// A token that is not cancelled.
    pub fn new() -> Self {
        Self::default()
    }

    /// Ends the reads that run in this token, and all later ones. A cancelled token stays so.
    pub fn cancel(&self) {
        self.0.cancel();
    }

    /// Whether it was cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.0.is_cancelled()
    }

    /// Runs a closure, in this thread, whose reads this token cancels.
    pub fn run<R>(&self, work: impl FnOnce() -> R) -> R {
        Scope::current().with_token(&self.0).enter(work)
    }

    /// The same for a future: its reads are cancelled, and a task that waits for it is woken then.
    pub fn run_async<F: Future>(&self, future: F) -> impl Future<Output = F::Output> + use<F> {
        let cancel = self.clone();
        async move {
            let mut future = pin!(future);
            let mut waking = Waking::new(&cancel.0);
            poll_fn(|cx| {
                waking.set(cx.waker());
                cancel.run(|| future.as_mut().poll(cx))
            })
            .await
        }
    }
}

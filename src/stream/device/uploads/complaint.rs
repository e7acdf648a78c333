//! What the caller is told of a device that has failed.

use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::Instant;

use crate::device::{Gpu, PATIENCE};
use crate::error::{Error, ErrorKind, Result};

/// An error of the device's. A lost device may complain of anything, so it is asked whether it still answers before
/// anybody is told; without waiting.
pub(in super::super) struct Complaint {
    error: Error,
    answer: Option<Result<Receiver<bool>>>,
    since: Instant,
}

impl Complaint {
    pub fn new(gpu: &Gpu, error: Error) -> Self {
        let doubted = matches!(error.kind(), ErrorKind::Gpu(_));
        Self {
            answer: doubted.then(|| gpu.ask()),
            error,
            since: Instant::now(),
        }
    }

    /// The error, once it is clear which one it is.
    pub fn settle(&self) -> Option<Error> {
        let lost = || Some(ErrorKind::DeviceLost.into());
        match &self.answer {
            None => Some(self.error.clone()),
            Some(Err(_)) => lost(),
            Some(Ok(answer)) => match answer.try_recv() {
                Ok(true) => Some(self.error.clone()),
                Err(TryRecvError::Empty) if self.since.elapsed() < PATIENCE => None,
                _ => lost(),
            },
        }
    }
}

//! Inflating on one thread while another one converts.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use bytemuck::Pod;

use super::{Unconverted, WholeRead};
use crate::core::error::{Error, ErrorKind, Result};
use crate::core::scope::Scope;

/// The most pieces that wait between the inflating and the converting thread.
const PIECES: usize = 4;

impl<O: Pod + Send + Sync> WholeRead<'_, O> {
    /// Inflates on one thread and converts on another, or does both on one if there is no other.
    pub(super) fn piece_by_piece(&self, out: &mut [O]) -> Result<()> {
        let (full, arriving) = sync_channel::<Vec<u8>>(PIECES);
        let (empty, returned) = sync_channel::<Vec<u8>>(PIECES);
        let end = self.end(out);
        let on_way = Scope::current();
        thread::scope(|scope| {
            let inflate = move || on_way.enter(|| self.inflate_pieces(end, &full, &returned));
            // A system may be at its limit.
            let Ok(inflating) = thread::Builder::new().spawn_scoped(scope, inflate) else {
                return self.on_one_thread(out);
            };
            let mut rest = Unconverted::new(out);
            for bytes in arriving {
                rest.convert(self, &bytes);
                // The inflating thread may have ended meanwhile.
                let _ = empty.try_send(bytes);
            }
            match inflating.join() {
                Ok(done) => done,
                Err(panic) => std::panic::resume_unwind(panic),
            }
        })
    }

    fn inflate_pieces(
        &self,
        end: u64,
        full: &SyncSender<Vec<u8>>,
        returned: &Receiver<Vec<u8>>,
    ) -> Result<()> {
        self.gzip
            .pieces(self.offset, end, self.piece_bytes(), |bytes| {
                // Fails only if the converting thread has panicked.
                full.send(bytes).map_err(|_| stopped())?;
                Ok(returned.try_recv().unwrap_or_default())
            })
    }
}

fn stopped() -> Error {
    ErrorKind::Usage("the converting thread stopped".to_owned()).into()
}

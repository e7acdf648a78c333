//! What a submission has in it, and how its slots come back.

use super::{Back, Parcel, Staged, Uploads};
use crate::device::{Dispatch, binding_align};
use crate::error::Result;
use crate::stream::device::stager::Task;

impl Uploads {
    /// Submits parcels, and has each slot come back when the device has done with it.
    pub(super) fn send(&self, parcels: Vec<Parcel>, bytes: u64) -> Result<()> {
        let device = self.gpu.device();
        self.gpu.scoped(bytes, || {
            let mut encoder = device.create_command_encoder(&Default::default());
            let mut timed = Vec::new();
            for parcel in &parcels {
                let slot = parcel.staged.room.slot;
                match &self.timer {
                    Some(timer) => {
                        if timer.around(slot, &mut encoder, |e| self.record(parcel, e)) {
                            timed.push((timer, slot));
                        }
                    }
                    None => self.record(parcel, &mut encoder),
                }
            }
            self.gpu.queue().submit([encoder.finish()]);
            for (timer, slot) in timed {
                timer.read(slot);
            }
            for parcel in parcels {
                self.ask_back(parcel);
            }
        })
    }

    fn record(&self, parcel: &Parcel, encoder: &mut wgpu::CommandEncoder) {
        let Parcel { staged, at, .. } = parcel;
        if let Some(outlet) = self.outlet.as_ref().filter(|_| parcel.first) {
            outlet.record_begin(encoder);
        }
        match &staged.task {
            Task::Convert { packet, kernel } => {
                let Some(slot) = self.ring.slots().get(staged.room.slot) else {
                    return;
                };
                slot.staging().unmap();
                let dispatch = Dispatch {
                    gpu: &self.gpu,
                    kernel,
                    packet,
                    target: &at.target,
                    shift: at.offset - at.offset % binding_align(&self.gpu),
                };
                dispatch.record(slot, staged.room.used, encoder);
            }
            Task::Upload { bytes, .. } => {
                let Some(slot) = self.ring.slots().get(staged.room.slot) else {
                    return;
                };
                slot.staging().unmap();
                let (into, to) = (&at.target.buffer, at.offset + bytes.start);
                encoder.copy_buffer_to_buffer(slot.staging(), 0, into, to, staged.room.used);
            }
            Task::Copy(pieces) if pieces.is_empty() => {}
            Task::Copy(pieces) => {
                let (Some(kept), Some(probe)) = (&self.kept, self.probes.get(staged.room.slot))
                else {
                    return;
                };
                probe.unmap();
                let mut to = at.offset;
                for piece in pieces {
                    let (from, size) = (piece.start, piece.end - piece.start);
                    let into = &at.target.buffer;
                    encoder.copy_buffer_to_buffer(&kept.buffer, from, into, to, size);
                    to += size;
                }
                encoder.copy_buffer_to_buffer(&kept.buffer, 0, probe, 0, 4);
            }
        }
        if let Some(outlet) = self.outlet.as_ref().filter(|_| staged.last) {
            outlet.record_end(encoder);
        }
    }

    /// Has the slot come back: by its own map, or by that of its probe, made after the submission.
    fn ask_back(&self, parcel: Parcel) {
        let Parcel { staged, flight, .. } = parcel;
        let Staged {
            task, room, last, ..
        } = staged;
        let slot = room.slot;
        let back = self.back.clone();
        if let Some(outlet) = self.outlet.as_ref().filter(|_| last) {
            let back = back.clone();
            outlet.ask(move |exact| {
                let _ = back.send(Back {
                    room: None,
                    flight,
                    mapped: exact.is_some(),
                    exact,
                });
            });
        }
        let come = move |mapped| {
            // Nobody listens any more when the stream was dropped.
            let _ = back.send(Back {
                room: Some(room),
                flight,
                mapped,
                exact: None,
            });
        };
        match (task, self.ring.slots().get(slot), self.probes.get(slot)) {
            (Task::Convert { .. } | Task::Upload { .. }, Some(slot), _) => {
                let come = move |result: Result<_, _>| come(result.is_ok());
                slot.staging().map_async(wgpu::MapMode::Write, .., come);
            }
            (Task::Copy(pieces), _, Some(probe)) if !pieces.is_empty() => {
                // It is unmapped when it is used next: on a lost device a callback must not.
                let come = move |result: Result<_, _>| come(result.is_ok());
                probe.map_async(wgpu::MapMode::Read, .., come);
            }
            // A block without voxels: there is nothing to prove.
            _ => come(true),
        }
    }
}

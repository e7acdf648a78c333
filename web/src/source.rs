//! Sources of bytes: functions of JavaScript that read at once, and bytes that were handed over.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use js_sys::{Function, Uint8Array};
use voxload::{ByteSource, ErrorKind, ReadHint, Result};
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};

use crate::blocks::{BLOCK, Blocks};
use crate::error;

thread_local! {
    /// The readers by number. Values of JavaScript belong to this thread, which a source, by its type, need not.
    static READERS: RefCell<HashMap<u32, Script>> = RefCell::default();
    static NEXT: Cell<u32> = const { Cell::new(0) };
}

/// The part of a reader that JavaScript has.
struct Script {
    read: Function,
    /// Parts of the source that are in JavaScript's memory, by their first byte.
    offered: Vec<(u64, Uint8Array)>,
}

/// Has a reader take a part of its source, from byte `offset` on, from these bytes, until they are withdrawn: they were read
/// ahead, or the source is in memory.
#[wasm_bindgen]
pub fn offer(reader: u32, offset: f64, bytes: Uint8Array) {
    READERS.with_borrow_mut(|readers| {
        if let Some(script) = readers.get_mut(&reader) {
            script.offered.push((offset as u64, bytes));
        }
    });
}

/// Takes back all that was offered to a reader.
#[wasm_bindgen]
pub fn withdraw(reader: u32) {
    READERS.with_borrow_mut(|readers| {
        if let Some(script) = readers.get_mut(&reader) {
            script.offered.clear();
        }
    });
}

/// Bytes that a function `(offset, length) => Uint8Array` of JavaScript's reads.
#[derive(Debug)]
pub(crate) struct Reader {
    number: u32,
    length: u64,
    blocks: Mutex<Blocks>,
}

impl Reader {
    /// Keeps up to `budget` bytes of what was read.
    pub fn new(read: Function, length: u64, budget: u64) -> Self {
        let number = NEXT.get();
        NEXT.set(number.wrapping_add(1));
        let script = Script {
            read,
            offered: Vec::new(),
        };
        READERS.with_borrow_mut(|readers| readers.insert(number, script));
        Self {
            number,
            length,
            blocks: Mutex::new(Blocks::new(length, budget)),
        }
    }

    /// For [`offer`] and [`withdraw`].
    pub fn number(&self) -> u32 {
        self.number
    }

    /// Copies bytes of what was offered; `false` if they are not all in it.
    fn take_offered(&self, offset: u64, buffer: &mut [u8]) -> bool {
        READERS.with_borrow(|readers| {
            let Some(script) = readers.get(&self.number) else {
                return false;
            };
            let (mut offset, mut left) = (offset, buffer);
            while !left.is_empty() {
                let found = script.offered.iter().find_map(|(start, bytes)| {
                    let from = offset.checked_sub(*start)?;
                    let length = u64::from(bytes.length());
                    (from < length).then_some((bytes, from, length))
                });
                let Some((bytes, from, length)) = found else {
                    return false;
                };
                let count = (length - from).min(left.len() as u64) as usize;
                let (now, later) = std::mem::take(&mut left).split_at_mut(count);
                // Both are at most `length`, which is a u32.
                bytes
                    .subarray(from as u32, (from + count as u64) as u32)
                    .copy_to(now);
                offset += count as u64;
                left = later;
            }
            true
        })
    }

    fn fetch(&self, range: Range<u64>, buffer: &mut [u8]) -> Result<()> {
        // Not called while the list is borrowed.
        let read = READERS.with_borrow(|readers| {
            let script = readers.get(&self.number);
            script.map(|script| script.read.clone())
        });
        let read = read.ok_or_else(|| ErrorKind::Usage("a source of another thread".to_owned()))?;
        let length = range.end - range.start;
        let (offset, wanted) = (range.start as f64, length as f64);
        let got = read
            .call2(&JsValue::NULL, &offset.into(), &wanted.into())
            .map_err(|thrown| error::from_js(&thrown, range.start))?;
        let got: Uint8Array = got
            .dyn_into()
            .map_err(|_| ErrorKind::Usage("a reader must return a Uint8Array".to_owned()))?;
        if got.length() as usize != buffer.len() {
            return Err(ErrorKind::Io {
                offset: range.start,
                kind: std::io::ErrorKind::UnexpectedEof,
                message: format!("{} bytes came where {length} were asked for", got.length()),
            }
            .into());
        }
        got.copy_to(buffer);
        Ok(())
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        READERS.with_borrow_mut(|readers| readers.remove(&self.number));
    }
}

impl ByteSource for Reader {
    fn len(&self) -> Result<Option<u64>> {
        Ok(Some(self.length))
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        if self.take_offered(offset, buffer) {
            return Ok(());
        }
        let mut blocks = self.blocks.lock().unwrap_or_else(PoisonError::into_inner);
        blocks.read(offset, buffer, |range, buffer| self.fetch(range, buffer))
    }

    fn hint(&self) -> ReadHint {
        // What lies in one block comes with it.
        ReadHint::new().merge_gap(BLOCK)
    }
}

/// Bytes in this memory.
#[derive(Debug)]
pub(crate) struct Bytes(pub Vec<u8>);

impl ByteSource for Bytes {
    fn len(&self) -> Result<Option<u64>> {
        Ok(Some(self.0.len() as u64))
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let need = offset.saturating_add(buffer.len() as u64);
        let from = usize::try_from(offset).ok();
        let found = from.and_then(|from| self.0.get(from..)?.get(..buffer.len()));
        let found = found.ok_or(ErrorKind::Truncated {
            what: "file",
            have: self.0.len() as u64,
            need,
        })?;
        buffer.copy_from_slice(found);
        Ok(())
    }
}

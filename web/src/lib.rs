//! voxload for JavaScript. `js/` wraps these classes in the module that pages import:
//!
//! - [`files`], [`image`], [`frames`]: reading, in a dedicated worker, where a file or a URL can be read at once;
//! - [`converter`]: converting, in a second worker, while the first one inflates;
//! - [`engine`]: the kernels, on the page, where its GPUDevice is: devices cannot be handed to workers.
//!
//! Nothing here panics on a file's content: a panic ends the instance. What does go wrong inside is reported once
//! by [`last_panic`], and the worker is then replaced.

mod blocks;
mod converter;
mod engine;
mod error;
mod files;
mod frames;
mod image;
mod scaling;
mod slab;
mod source;
mod value;

use std::cell::RefCell;

use wasm_bindgen::prelude::wasm_bindgen;

thread_local! {
    static LAST_PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Run when the module is instantiated.
#[wasm_bindgen(start)]
fn start() {
    std::panic::set_hook(Box::new(|info| {
        LAST_PANIC.with_borrow_mut(|last| *last = Some(info.to_string()));
    }));
}

/// The message of the panic that ended this instance.
#[wasm_bindgen(js_name = lastPanic)]
pub fn last_panic() -> Option<String> {
    LAST_PANIC.with_borrow(Clone::clone)
}

/// Bytes of this instance's memory, which only grows.
#[wasm_bindgen(js_name = memoryBytes)]
pub fn memory_bytes() -> f64 {
    core::arch::wasm32::memory_size(0) as f64 * 65536.0
}

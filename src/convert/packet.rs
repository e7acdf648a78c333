//! Packets: what a dispatch of the kernel needs to know about one box of voxels, in front of its stored bytes.
//!
//! The layout is that of the constants at the top of `shaders/convert.wgsl`.

use std::sync::Arc;

use crate::convert::Conversion;
use crate::plan::{Axis, Plan};
use crate::scaling::{Factor, Step};

/// Steps that the kernel has places for.
pub(crate) const MAX_STEPS: usize = 4;

const WINDOW: usize = 6;
const STEPS: usize = 8;
const AXES: usize = 16;
/// Stored bytes begin at a multiple of this many words.
const DATA_ALIGN: usize = 4;

/// One box of voxels and the window of the output that it is written to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Packet {
    /// The box, for the reader.
    pub tile: Plan,
    /// What goes in front of the stored bytes.
    pub head: Vec<u32>,
    /// Stored bytes.
    pub bytes: u64,
    /// The window of the output, in bytes: begins where a binding may begin, ends at a whole word.
    pub window: std::ops::Range<u64>,
    /// Invocations with something to do.
    pub invocations: u32,
    /// Where in the output the stored bytes go as they are, in whole words; none when there is more to do.
    pub copy: Option<std::ops::Range<u64>>,
}

/// The table entries that a box needs: the first, how many, and where in the first the box begins.
struct Entries {
    first: u64,
    count: u64,
    offset: u64,
}

fn entries(conversion: &Conversion, tile: &Plan) -> Entries {
    if conversion.block == 0 {
        return Entries {
            first: 0,
            count: 1,
            offset: 0,
        };
    }
    let last = tile.stored_first + tile.stored_span() - 1;
    let first = tile.stored_first / conversion.block;
    Entries {
        first,
        count: last / conversion.block - first + 1,
        offset: tile.stored_first % conversion.block,
    }
}

/// Whether the entries of a box fit in `words` words, and the stored positions that choose between them in u32.
pub(crate) fn tables_fit(conversion: &Conversion, tile: &Plan, words: u64) -> bool {
    let entries = entries(conversion, tile);
    let positions = entries.offset.saturating_add(tile.stored_span());
    let tables = tables(conversion).count() as u64;
    entries.count == 1 || (entries.count.saturating_mul(2 * tables) <= words && positions < 1 << 32)
}

fn tables(conversion: &Conversion) -> impl Iterator<Item = &Arc<[f64]>> {
    conversion.steps.iter().filter_map(|step| match step {
        Step::Multiply(Factor::Table(table)) | Step::Add(Factor::Table(table)) => Some(table),
        _ => None,
    })
}

/// Words of a head with this many axes, without what tables have beyond their first entry.
pub(crate) fn head_words(axes: usize) -> usize {
    // One more axis: rows of small types need one even when the box has none that serves. Clip has the most numbers:
    // two, as has the window.
    (AXES + 4 * (axes + 1) + 4 * (MAX_STEPS + 1)).next_multiple_of(DATA_ALIGN)
}

/// The packet of a box. Bindings of the output begin at multiples of `align` bytes.
///
/// Sizes fit u32: boxes were cut so that they do.
pub(crate) fn packet(conversion: &Conversion, tile: Plan, align: u64) -> Packet {
    let item = conversion.output.size_bytes() as u64;
    let gather = tile.gather(conversion.stored.size_bytes() as u64);
    let range = tile.out_range();
    let start = range.start * item / align * align;
    let window = start..(range.end * item).next_multiple_of(4);
    let mut axes: Vec<(Axis, u64)> = tile.axes.iter().copied().zip(gather.strides).collect();
    let voxels = tile.len();
    let parts = 4 / item;
    let invocations = if parts > 1 {
        let count = row_first(&mut axes);
        // As many words as a row of this many voxels can touch.
        voxels / count * ((count + parts - 2) / parts + 1)
    } else {
        voxels
    };
    let entries = entries(conversion, &tile);
    let mut head = vec![0; AXES];
    head[0] = invocations as u32;
    head[1] = axes.len() as u32;
    head[3] = (tile.out_first - start / item) as u32;
    // With one entry the positions may exceed u32, and do not matter.
    if entries.count > 1 {
        head[4] = entries.offset as u32;
        head[5] = conversion.block as u32;
    } else {
        head[5] = u32::MAX;
    }
    for (axis, gathered) in &axes {
        let stored = if entries.count > 1 { axis.stored } else { 0 };
        // Negative strides wrap round in u32, in the kernel as here.
        head.extend([
            axis.count as u32,
            *gathered as u32,
            axis.out as u32,
            stored as u32,
        ]);
    }
    push_numbers(&mut head, conversion, &entries);
    head.resize(head.len().next_multiple_of(DATA_ALIGN), 0);
    head[2] = head.len() as u32;
    Packet {
        copy: copied(conversion, &tile),
        head,
        bytes: gather.total * conversion.stored.size_bytes() as u64,
        window,
        invocations: invocations as u32,
        tile,
    }
}

/// The bytes of the output that a box is, byte for byte, when they are whole words.
fn copied(conversion: &Conversion, tile: &Plan) -> Option<std::ops::Range<u64>> {
    let range = tile.out_range();
    let item = conversion.output.size_bytes() as u64;
    let bytes = range.start * item..range.end * item;
    let whole_words = bytes.start % 4 == 0 && bytes.end % 4 == 0;
    (conversion.is_plain_copy() && tile.is_dense() && whole_words).then_some(bytes)
}

/// Brings an axis along which the output is dense to the front, or one of a single voxel; returns its count.
fn row_first(axes: &mut Vec<(Axis, u64)>) -> u64 {
    match axes.iter().position(|(axis, _)| axis.out.abs() == 1) {
        Some(k) => axes[..=k].rotate_right(1),
        None => {
            let single = Axis {
                count: 1,
                stored: 0,
                out: 1,
            };
            axes.insert(0, (single, 0));
        }
    }
    axes[0].0.count
}

fn push_numbers(head: &mut Vec<u32>, conversion: &Conversion, entries: &Entries) {
    for (i, step) in conversion.steps.iter().enumerate().take(MAX_STEPS) {
        head[STEPS + 2 * i] = head.len() as u32;
        match step {
            Step::Multiply(Factor::Table(table)) | Step::Add(Factor::Table(table)) => {
                head[STEPS + 2 * i + 1] = 2;
                let first = entries.first as usize;
                for value in &table[first..first + entries.count as usize] {
                    head.extend(words(*value));
                }
            }
            Step::Multiply(Factor::One(value)) | Step::Add(Factor::One(value)) => {
                head.extend(words(*value));
            }
            Step::Clip { lo, hi } => head.extend([words(*lo), words(*hi)].concat()),
            Step::RoundToF32 => {}
        }
    }
    if let Some(window) = conversion.window {
        head[WINDOW] = head.len() as u32;
        head.extend([words(-window.lo()), words(window.width())].concat());
    }
}

/// The kinds and numbers of all steps of a conversion without tables, for comparison.
pub(crate) fn numbers(conversion: &Conversion) -> Vec<u32> {
    let mut numbers = Vec::new();
    for step in &conversion.steps {
        match step {
            Step::Multiply(factor) => numbers.extend([&[1], &words(factor.at(0))[..]].concat()),
            Step::Add(factor) => numbers.extend([&[2], &words(factor.at(0))[..]].concat()),
            Step::Clip { lo, hi } => {
                numbers.extend([&[3], &[words(*lo), words(*hi)].concat()[..]].concat())
            }
            Step::RoundToF32 => numbers.push(4),
        }
    }
    numbers
}

/// A double as the kernel has it: low word, high word.
fn words(value: f64) -> [u32; 2] {
    let bits = value.to_bits();
    [bits as u32, (bits >> 32) as u32]
}

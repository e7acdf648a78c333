//! Packets: the description of one box of voxels for a dispatch of the kernel, followed by the box's stored bytes.

use crate::convert::Conversion;
use crate::core::float::words;
use crate::core::scaling::Step;
use crate::plan::{Axis, Plan};

/// Largest number of steps in a kernel.
pub(crate) const MAX_STEPS: usize = 4;

/// Numbers that Rust and the shaders share, written once: as Rust constants, and as WGSL text with the same constants.
macro_rules! shared_with_shaders {
    (
        $(#[$about:meta])* $text:ident: $number:ty;
        $($(#[$doc:meta])* $name:ident = $value:literal;)*
    ) => {
        $($(#[$doc])* const $name: $number = $value;)*
        $(#[$about])*
        pub(super) const $text: &str = concat!(
            $("const ", stringify!($name), " = ", stringify!($value), "u;\n"),*
        );
    };
}

shared_with_shaders! {
    /// The words of a packet's head, as WGSL text.
    HEAD_WGSL: usize;

    /// Number of invocations that have work to do.
    VOXELS = 0;
    /// Number of axes.
    AXES = 1;
    /// The word at which the gathered bytes begin.
    DATA = 2;
    /// The output element of voxel `(0, 0, ..)`, relative to the start of the binding.
    OUT_FIRST = 3;
    /// Stored position of voxel `(0, 0, ..)`, relative to the start of the first table entry.
    ENTRY_FIRST = 4;
    /// Stored voxels per table entry.
    BLOCK = 5;
    /// The word at which the window's numbers begin: minus its lower end, and its width.
    WINDOW = 6;
    /// Two words for each step: where its numbers begin, and the number of words from one table entry to the next.
    STEPS = 8;
    /// Four words for each axis: the count, and the strides in gathered, output and stored elements.
    AXIS = 16;
}

shared_with_shaders! {
    /// The kinds of steps, as WGSL text; 0 is no step.
    STEP_KINDS_WGSL: u32;

    MULTIPLY = 1;
    ADD = 2;
    CLIP = 3;
    ROUND_TO_F32 = 4;
}

/// The number of a kind of step in the kernel.
fn kind(step: &Step) -> u32 {
    match step {
        Step::Multiply(_) => MULTIPLY,
        Step::Add(_) => ADD,
        Step::Clip { .. } => CLIP,
        Step::RoundToF32 => ROUND_TO_F32,
    }
}

/// The kinds of a conversion's steps, followed by zeros.
pub(super) fn kinds(steps: &[Step]) -> [u32; MAX_STEPS] {
    let mut kinds = [0; MAX_STEPS];
    for (place, step) in kinds.iter_mut().zip(steps) {
        *place = kind(step);
    }
    kinds
}

/// The stored bytes begin at a multiple of this many words.
const DATA_ALIGN: usize = 4;

/// One box of voxels, and the window of the output to which it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Packet {
    /// The box to be read.
    pub tile: Plan,
    /// The words before the stored bytes.
    pub head: Vec<u32>,
    /// Number of stored bytes.
    pub bytes: u64,
    /// The window of the output, in bytes. It begins where a binding may begin and ends at a whole word.
    pub window: std::ops::Range<u64>,
    /// Number of invocations that have work to do.
    pub invocations: u32,
    /// The range of the output to which the stored bytes can be copied unchanged, in whole words; `None` if they need a
    /// kernel.
    pub copy: Option<std::ops::Range<u64>>,
}

/// The table entries that a box needs: the first, their number, and where in the first one the box begins.
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

/// Whether the entries of a box fit in `words` words, and the stored positions that select them fit in a u32.
pub(crate) fn tables_fit(conversion: &Conversion, tile: &Plan, words: u64) -> bool {
    let entries = entries(conversion, tile);
    let positions = entries.offset.saturating_add(tile.stored_span());
    let tables = conversion.tables().count() as u64;
    entries.count == 1 || (entries.count.saturating_mul(2 * tables) <= words && positions < 1 << 32)
}

/// Words of a head with this many axes and one entry per table.
pub(crate) fn head_words(axes: usize) -> usize {
    // One axis more, because rows of small types need one even if no axis of the box is suitable. A clip and the window
    // have the most numbers: two.
    (AXIS + 4 * (axes + 1) + 4 * (MAX_STEPS + 1)).next_multiple_of(DATA_ALIGN)
}

/// The packet of a box. Bindings of the output must begin at multiples of `align` bytes.
///
/// All sizes fit in u32, because boxes are cut accordingly.
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
        // The largest number of words that a row of this many voxels can touch.
        voxels / count * ((count + parts - 2) / parts + 1)
    } else {
        voxels
    };
    let entries = entries(conversion, &tile);
    let mut head = vec![0; AXIS];
    head[VOXELS] = invocations as u32;
    head[AXES] = axes.len() as u32;
    head[OUT_FIRST] = (tile.out_first - start / item) as u32;
    // With a single entry the positions are not used, and may exceed u32.
    if entries.count > 1 {
        head[ENTRY_FIRST] = entries.offset as u32;
        head[BLOCK] = conversion.block as u32;
    } else {
        head[BLOCK] = u32::MAX;
    }
    for (axis, gathered) in &axes {
        let stored = if entries.count > 1 { axis.stored } else { 0 };
        // Negative strides wrap around in u32, in the kernel as here.
        head.extend([
            axis.count as u32,
            *gathered as u32,
            axis.out as u32,
            stored as u32,
        ]);
    }
    push_numbers(&mut head, conversion, &entries);
    head.resize(head.len().next_multiple_of(DATA_ALIGN), 0);
    head[DATA] = head.len() as u32;
    Packet {
        copy: copied(conversion, &tile),
        head,
        bytes: gather.total * conversion.stored.size_bytes() as u64,
        window,
        invocations: invocations as u32,
        tile,
    }
}

/// The range of output bytes that is a copy of the box; `None` unless it consists of whole words.
fn copied(conversion: &Conversion, tile: &Plan) -> Option<std::ops::Range<u64>> {
    let range = tile.out_range();
    let item = conversion.output.size_bytes() as u64;
    let bytes = range.start * item..range.end * item;
    let whole_words = bytes.start % 4 == 0 && bytes.end % 4 == 0;
    (conversion.is_plain_copy() && tile.is_dense() && whole_words).then_some(bytes)
}

/// Moves an axis along which the output is dense to the front, or else adds one of a single voxel. Returns its count.
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
    // Does not exceed the table: `Scaling::validate` has checked that it covers the volume.
    let first = entries.first as usize;
    for (i, step) in conversion.steps.iter().enumerate().take(MAX_STEPS) {
        head[STEPS + 2 * i] = head.len() as u32;
        let numbers = match step.table() {
            Some(table) => {
                head[STEPS + 2 * i + 1] = 2;
                table[first..first + entries.count as usize].to_vec()
            }
            None => step.numbers(0),
        };
        head.extend(numbers.into_iter().flat_map(words));
    }
    if let Some(window) = conversion.window {
        head[WINDOW] = head.len() as u32;
        head.extend([-window.lo(), window.width()].into_iter().flat_map(words));
    }
}

/// The kinds and numbers of all steps of a conversion without tables, to be compared.
pub(crate) fn numbers(conversion: &Conversion) -> Vec<u32> {
    let of_step = |step: &Step| {
        let numbers = step.numbers(0).into_iter().flat_map(words);
        std::iter::once(kind(step))
            .chain(numbers)
            .collect::<Vec<_>>()
    };
    conversion.steps.iter().flat_map(of_step).collect()
}

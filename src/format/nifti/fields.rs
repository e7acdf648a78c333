//! The layout of the two headers: one table for each version drives reading, writing and listing.

use super::{NiftiHeader, Version};
use crate::dtype::ByteOrder;

/// The type of a field in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stored {
    I8,
    U8,
    I16,
    I32,
    I64,
    F32,
    F64,
    /// This many bytes of text, padded with NUL.
    Text(usize),
}

/// One field of a header: where it lies in the file, and where in [`NiftiHeader`].
pub(super) struct Field {
    pub name: &'static str,
    pub offset: usize,
    pub stored: Stored,
    cells: fn(&NiftiHeader) -> Cells<'_>,
    cells_mut: fn(&mut NiftiHeader) -> CellsMut<'_>,
}

enum Cells<'a> {
    Ints(&'a [i64]),
    Reals(&'a [f64]),
    Text(&'a str),
}

enum CellsMut<'a> {
    Ints(&'a mut [i64]),
    Reals(&'a mut [f64]),
    Text(&'a mut String),
}

/// A field's value in memory: some integers, some reals or a text.
trait Value {
    fn cells(&self) -> Cells<'_>;
    fn cells_mut(&mut self) -> CellsMut<'_>;
}

macro_rules! value {
    ($([$($generic:tt)*] $type:ty: $variant:ident, $shared:expr, $unique:expr;)*) => {$(
        impl<$($generic)*> Value for $type {
            fn cells(&self) -> Cells<'_> {
                Cells::$variant($shared(self))
            }
            fn cells_mut(&mut self) -> CellsMut<'_> {
                CellsMut::$variant($unique(self))
            }
        }
    )*};
}

value! {
    [] i64: Ints, std::slice::from_ref, std::slice::from_mut;
    [] f64: Reals, std::slice::from_ref, std::slice::from_mut;
    [const N: usize] [i64; N]: Ints, <[i64; N]>::as_slice, <[i64; N]>::as_mut_slice;
    [const N: usize] [f64; N]: Reals, <[f64; N]>::as_slice, <[f64; N]>::as_mut_slice;
    [] String: Text, String::as_str, std::convert::identity;
}

macro_rules! layout {
    ($($offset:literal $name:ident: $stored:expr;)*) => {{
        use Stored::{F32, F64, I8, I16, I32, I64, Text, U8};
        // Each table leaves some of the types out.
        let _ = (F32, F64, I8, I64, U8);
        &[$(Field {
            name: stringify!($name),
            offset: $offset,
            stored: $stored,
            cells: |header| header.$name.cells(),
            cells_mut: |header| header.$name.cells_mut(),
        }),*]
    }};
}

static NIFTI1: &[Field] = layout! {
    0 sizeof_hdr: I32;
    4 data_type: Text(10);
    14 db_name: Text(18);
    32 extents: I32;
    36 session_error: I16;
    38 regular: Text(1);
    39 dim_info: U8;
    40 dim: I16;
    56 intent_p1: F32;
    60 intent_p2: F32;
    64 intent_p3: F32;
    68 intent_code: I16;
    70 datatype: I16;
    72 bitpix: I16;
    74 slice_start: I16;
    76 pixdim: F32;
    108 vox_offset: F32;
    112 scl_slope: F32;
    116 scl_inter: F32;
    120 slice_end: I16;
    122 slice_code: U8;
    123 xyzt_units: U8;
    124 cal_max: F32;
    128 cal_min: F32;
    132 slice_duration: F32;
    136 toffset: F32;
    140 glmax: I32;
    144 glmin: I32;
    148 descrip: Text(80);
    228 aux_file: Text(24);
    252 qform_code: I16;
    254 sform_code: I16;
    256 quatern_b: F32;
    260 quatern_c: F32;
    264 quatern_d: F32;
    268 qoffset_x: F32;
    272 qoffset_y: F32;
    276 qoffset_z: F32;
    280 srow_x: F32;
    296 srow_y: F32;
    312 srow_z: F32;
    328 intent_name: Text(16);
    344 magic: Text(4);
};

static NIFTI2: &[Field] = layout! {
    0 sizeof_hdr: I32;
    4 magic: Text(4);
    8 eol_check: I8;
    12 datatype: I16;
    14 bitpix: I16;
    16 dim: I64;
    80 intent_p1: F64;
    88 intent_p2: F64;
    96 intent_p3: F64;
    104 pixdim: F64;
    168 vox_offset: I64;
    176 scl_slope: F64;
    184 scl_inter: F64;
    192 cal_max: F64;
    200 cal_min: F64;
    208 slice_duration: F64;
    216 toffset: F64;
    224 slice_start: I64;
    232 slice_end: I64;
    240 descrip: Text(80);
    320 aux_file: Text(24);
    344 qform_code: I32;
    348 sform_code: I32;
    352 quatern_b: F64;
    360 quatern_c: F64;
    368 quatern_d: F64;
    376 qoffset_x: F64;
    384 qoffset_y: F64;
    392 qoffset_z: F64;
    400 srow_x: F64;
    432 srow_y: F64;
    464 srow_z: F64;
    496 slice_code: I32;
    500 xyzt_units: I32;
    504 intent_code: I32;
    508 intent_name: Text(16);
    524 dim_info: U8;
    525 unused_str: Text(15);
};

/// The fields of a version, in the order of the file.
pub(super) fn table(version: Version) -> &'static [Field] {
    match version {
        Version::One => NIFTI1,
        Version::Two => NIFTI2,
    }
}

/// Reads every field; what lies beyond the end of `bytes` reads as zero.
pub(super) fn read(bytes: &[u8], version: Version, order: ByteOrder) -> NiftiHeader {
    let mut header = NiftiHeader {
        version,
        byte_order: order,
        ..NiftiHeader::default()
    };
    for field in table(version) {
        let raw = bytes.get(field.offset..).unwrap_or_default();
        let numbers = raw.chunks_exact(field.stored.size_bytes());
        match (field.cells_mut)(&mut header) {
            CellsMut::Ints(cells) => {
                for (cell, raw) in cells.iter_mut().zip(numbers) {
                    *cell = field.stored.integer(raw, order);
                }
            }
            CellsMut::Reals(cells) => {
                for (cell, raw) in cells.iter_mut().zip(numbers) {
                    *cell = field.stored.real(raw, order);
                }
            }
            CellsMut::Text(text) => *text = latin1(numbers.take(1).flatten()),
        }
    }
    header
}

/// The bytes of the header, without extensions.
///
/// A number too large for its field is cut as `as` cuts it, a text at the end of its field.
pub(super) fn write(header: &NiftiHeader) -> Vec<u8> {
    let order = header.byte_order;
    let mut bytes = Vec::with_capacity(header.version.header_bytes());
    for field in table(header.version) {
        // The tables have no gaps: a test sees to that.
        match (field.cells)(header) {
            Cells::Ints(cells) => {
                for &cell in cells {
                    field.stored.push(&mut bytes, cell as u64, order);
                }
            }
            Cells::Reals(cells) => {
                for &cell in cells {
                    field
                        .stored
                        .push(&mut bytes, field.stored.bits(cell), order);
                }
            }
            Cells::Text(text) => {
                let encoded = text.chars().map(|c| u8::try_from(c).unwrap_or(b'?'));
                let padded = encoded.chain(std::iter::repeat(0));
                bytes.extend(padded.take(field.stored.size_bytes()));
            }
        }
    }
    bytes
}

/// A field's value as text: numbers apart by spaces, in the precision of the file.
pub(super) fn text(field: &Field, header: &NiftiHeader) -> String {
    match (field.cells)(header) {
        Cells::Ints(cells) => joined(cells.iter()),
        // The shortest text of an f32 is not that of the f64 it was widened to.
        Cells::Reals(cells) if field.stored == Stored::F32 => {
            joined(cells.iter().map(|&cell| cell as f32))
        }
        Cells::Reals(cells) => joined(cells.iter()),
        Cells::Text(text) => text.escape_default().to_string(),
    }
}

impl Stored {
    /// Bytes of one number, or of the whole text.
    pub const fn size_bytes(self) -> usize {
        match self {
            Self::I8 | Self::U8 => 1,
            Self::I16 => 2,
            Self::I32 | Self::F32 => 4,
            Self::I64 | Self::F64 => 8,
            Self::Text(size_bytes) => size_bytes,
        }
    }

    /// The integer in `raw`, which has [`Self::size_bytes`] bytes; reals are cut to integers.
    pub fn integer(self, raw: &[u8], order: ByteOrder) -> i64 {
        let bits = word(raw, order);
        match self {
            Self::I8 => i64::from(bits as i8),
            Self::U8 => i64::from(bits as u8),
            Self::I16 => i64::from(bits as i16),
            Self::I32 => i64::from(bits as i32),
            Self::I64 => bits as i64,
            Self::F32 | Self::F64 => self.real(raw, order) as i64,
            Self::Text(_) => 0,
        }
    }

    fn real(self, raw: &[u8], order: ByteOrder) -> f64 {
        let bits = word(raw, order);
        match self {
            Self::F32 => f64::from(f32::from_bits(bits as u32)),
            Self::F64 => f64::from_bits(bits),
            integer => integer.integer(raw, order) as f64,
        }
    }

    fn bits(self, value: f64) -> u64 {
        match self {
            Self::F32 => u64::from((value as f32).to_bits()),
            Self::F64 => value.to_bits(),
            _ => value as i64 as u64,
        }
    }

    fn push(self, bytes: &mut Vec<u8>, bits: u64, order: ByteOrder) {
        let low = bits.to_le_bytes().into_iter().take(self.size_bytes());
        match order {
            ByteOrder::Little => bytes.extend(low),
            ByteOrder::Big => bytes.extend(low.rev()),
        }
    }
}

/// Up to eight bytes as one unsigned number.
fn word(raw: &[u8], order: ByteOrder) -> u64 {
    let append = |word: u64, &byte: &u8| word << 8 | u64::from(byte);
    match order {
        ByteOrder::Little => raw.iter().rev().fold(0, append),
        ByteOrder::Big => raw.iter().fold(0, append),
    }
}

/// Latin-1 text without the NULs at its end.
fn latin1<'a>(bytes: impl Iterator<Item = &'a u8>) -> String {
    let text: String = bytes.map(|&byte| char::from(byte)).collect();
    text.trim_end_matches('\0').to_owned()
}

fn joined(values: impl Iterator<Item = impl ToString>) -> String {
    let texts: Vec<_> = values.map(|value| value.to_string()).collect();
    texts.join(" ")
}

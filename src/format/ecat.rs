//! ECAT 7 (spec 5.3, nibabel's `ecat` module): blocks of 512 bytes. The first is the main header; the matrix list, from
//! the second on, says where each frame's subheader is, and the frame's voxels are behind it.

mod fields;

use std::collections::HashSet;

use super::binary::Bytes;
use super::{Blocks, Fields, Format, More, Need, Parsed, Place, TextHeader};
use crate::affine::Affine;
use crate::dtype::{ByteOrder, DType};
use crate::error::{Error, ErrorKind, Result};
use crate::header::{Header, Layout, Note, voxels};
use crate::scaling::{Arithmetic, Factor, Scaling, Step};
use fields::{Frame, Main};

/// Bytes of a block.
const BLOCK: u64 = 512;

/// The main header and the first block of the matrix list.
pub(super) const NEED: Need = Need::Bytes(2 * BLOCK);

/// Frames that a block of the matrix list has room for.
const ROWS: i32 = 31;

const TYPES: [(u16, DType); 7] = [
    (1, DType::U8),
    (2, DType::I16),
    (3, DType::I32),
    (4, DType::F32),
    (5, DType::F32),
    (6, DType::I16),
    (7, DType::I32),
];

/// Whether the first bytes are an ECAT 7 file's.
pub(super) fn claims(prefix: &[u8]) -> bool {
    prefix.starts_with(b"MATRIX7")
}

/// Parses the main header; the rest of the matrix list and the subheaders are asked for.
pub(super) fn parse(bytes: &[u8]) -> Result<Parsed> {
    let (main, list) = bytes
        .split_at_checked(BLOCK as usize)
        .unwrap_or((bytes, &[]));
    let list = list.get(..BLOCK as usize).unwrap_or(list);
    complete("header", main)?;
    // As nibabel tells them: by the version of the software.
    let order = match main.get(46..48) {
        Some([74, 0]) => ByteOrder::Little,
        _ => ByteOrder::Big,
    };
    let file = File {
        main: Main::read(&Bytes { bytes: main, order }),
        order,
        rows: Vec::new(),
        seen: HashSet::from([2]),
    };
    // All that a frame tells is filled in later.
    let header = Header {
        format: Format::Ecat,
        shape: Vec::new(),
        dtype: DType::I16,
        byte_order: order,
        layout: Layout::FirstFastest,
        data_offset: 0,
        scaling: Scaling::none(),
        affine: None,
        zooms: Vec::new(),
        fields: Fields::None,
    };
    let mut parsed = Parsed::new(header, Vec::new());
    parsed.more = Some(file.list(list)?);
    Ok(parsed)
}

/// What has been read.
struct File {
    main: Main,
    order: ByteOrder,
    rows: Vec<Row>,
    /// Blocks of the matrix list so far.
    seen: HashSet<i32>,
}

/// An entry of the matrix list.
#[derive(Clone, Copy)]
struct Row {
    id: i32,
    /// The block of the subheader; the first of the file is 1.
    block: i32,
}

impl File {
    /// Takes over a block of the matrix list and asks for the next, or for the subheaders.
    fn list(mut self, block: &[u8]) -> Result<More> {
        const FIELD: &str = "matrix list";
        complete(FIELD, block)?;
        let bytes = Bytes {
            bytes: block,
            order: self.order,
        };
        let [free, next, _, used]: [i32; 4] = bytes.get(0, 0);
        if !(0..=ROWS).contains(&used) || free != ROWS - used {
            let found = format!("{used} used and {free} free entries");
            return Err(Error::header(FIELD, found, "31 together"));
        }
        for row in 1..=used as usize {
            let [id, block]: [i32; 2] = bytes.get(16 * row, 0);
            self.rows.push(Row { id, block });
        }
        let most = usize::from(self.main.num_frames);
        if self.rows.len() > most {
            let found = format!("{} entries", self.rows.len());
            return Err(Error::header(FIELD, found, format!("{most} frames")));
        }
        if next <= 2 {
            return self.subheaders();
        }
        if !self.seen.insert(next) || self.seen.len() > most + 1 {
            let found = format!("block {next} behind {} others", self.seen.len());
            return Err(Error::header(FIELD, found, "a list that ends"));
        }
        let start = (next as u64 - 1) * BLOCK;
        let block = start..start + BLOCK;
        Ok(More {
            place: Place::Ranges(Vec::from([block])),
            apply: Box::new(move |pieces, parsed| {
                parsed.more = Some(self.list(pieces.first().map_or(&[], Vec::as_slice))?);
                Ok(())
            }),
        })
    }

    /// Asks for the subheader of the first entry, which tells the shape, and for those of the frames.
    fn subheaders(self) -> Result<More> {
        // Subheaders end with the first entry that has none.
        let rows = self.rows.split(|row| row.block == 0).next();
        let rows = rows.unwrap_or_default();
        let Some(&first) = rows.first() else {
            return Err(Error::header("matrix list", "no frame", "a frame"));
        };
        let mut frames: Vec<Row> = self.rows.iter().copied().filter(|row| row.id > 0).collect();
        frames.sort_by_key(|row| row.id);
        let ordered = self.rows.is_sorted_by_key(|row| match row.id {
            id if id > 0 => id,
            _ => i32::MAX,
        });
        let range = |row: &Row| match u64::try_from(row.block) {
            Ok(block) if block > 0 => Ok((block - 1) * BLOCK..(block - 1) * BLOCK + BLOCK),
            _ => Err(Error::header(
                "matrix list",
                row.block,
                "a block of the file",
            )),
        };
        let ranges = [first]
            .iter()
            .chain(&frames)
            .map(range)
            .collect::<Result<_>>()?;
        Ok(More {
            place: Place::Ranges(ranges),
            apply: Box::new(move |pieces, parsed| {
                let mut subheaders = Vec::with_capacity(pieces.len());
                for piece in pieces {
                    complete("subheader", piece)?;
                    let bytes = Bytes {
                        bytes: piece,
                        order: self.order,
                    };
                    subheaders.push(Frame::read(&bytes));
                }
                if !ordered {
                    parsed
                        .notes
                        .push(note("matrix list", "frames are stored out of order"));
                }
                let Some((first, subheaders)) = subheaders.split_first() else {
                    return Ok(());
                };
                finish(&self.main, first, subheaders, &frames, parsed)
            }),
        })
    }
}

/// Fills in the header from the subheaders: of the first entry, and of each frame.
fn finish(
    main: &Main,
    first: &Frame,
    subheaders: &[Frame],
    frames: &[Row],
    parsed: &mut Parsed,
) -> Result<()> {
    let dtype = dtype(first.data_type)?;
    let of = |frame: &Frame| [frame.x_dimension, frame.y_dimension, frame.z_dimension];
    for frame in subheaders {
        if of(frame) != of(first) {
            let found = format!("{:?} and {:?}", of(first), of(frame));
            return Err(Error::header("x_dimension", found, "frames of one size"));
        }
        if self::dtype(frame.data_type)? != dtype {
            return Err(Error::unsupported("ECAT frames of different types"));
        }
        if !close(&affine(first), &affine(frame))
            && parsed.notes.iter().all(|n| n.field != "x_offset")
        {
            let message = "frames have different affines, the first is used";
            parsed.notes.push(note("x_offset", message));
        }
    }
    let mut shape: Vec<usize> = of(first).map(usize::from).to_vec();
    let block = voxels(&shape)?;
    let row_bytes = u64::from(first.x_dimension) * dtype.size_bytes() as u64;
    shape.push(frames.len());
    let [x, y, z] = sizes(first).map(f64::from);
    let header = &mut parsed.header;
    (header.shape, header.dtype, header.zooms) = (shape, dtype, vec![x, y, z, 1.0]);
    header.affine = Some(affine(first));
    header.scaling = scaling(main, subheaders, dtype, block);
    header.fields = Fields::Text(listing(main, subheaders));
    header.data_end()?;
    parsed.voxels.blocks = (block > 0).then(|| Blocks {
        bytes: block * dtype.size_bytes() as u64,
        starts: frames.iter().map(|row| row.block as u64 * BLOCK).collect(),
        // Head first: all three axes run backwards. Feet first: the second and the third do.
        reversed: match main.patient_orientation {
            1 | 3 | 5 | 7 => dtype.size_bytes() as u64,
            0 | 2 | 4 | 6 => row_bytes,
            _ => 0,
        },
    });
    Ok(())
}

fn note(field: &'static str, message: &str) -> Note {
    Note {
        field,
        message: message.to_owned(),
    }
}

/// # Errors
/// [`ErrorKind::Truncated`] for less than a block.
fn complete(what: &'static str, block: &[u8]) -> Result<()> {
    match block.len() as u64 {
        BLOCK => Ok(()),
        have => Err(ErrorKind::Truncated {
            what,
            have,
            need: BLOCK,
        }
        .into()),
    }
}

fn dtype(code: u16) -> Result<DType> {
    let known = TYPES.iter().find(|(known, _)| *known == code);
    known
        .map(|&(_, dtype)| dtype)
        .ok_or_else(|| Error::header("data_type", code, "1 to 7"))
}

/// Centimetres in the file.
fn sizes(frame: &Frame) -> [f32; 3] {
    [frame.x_pixel_size, frame.y_pixel_size, frame.z_pixel_size].map(|size| size * 10.0)
}

/// Voxel sizes about the middle, and the offsets.
fn affine(frame: &Frame) -> Affine {
    let mut affine = [[0.0, 0.0, 0.0, 1.0]; 4];
    let lengths = [frame.x_dimension, frame.y_dimension, frame.z_dimension];
    let offsets = [frame.x_offset, frame.y_offset, frame.z_offset];
    for (k, size) in sizes(frame).into_iter().enumerate() {
        let size = f64::from(size);
        let middle = (f64::from(lengths[k]) - 1.0) / 2.0;
        affine[k][k] = size;
        affine[k][3] = -middle * size + f64::from(offsets[k]);
    }
    affine
}

/// `np.allclose`.
fn close(a: &Affine, b: &Affine) -> bool {
    let mut pairs = a.as_flattened().iter().zip(b.as_flattened());
    pairs.all(|(a, b)| a == b || (a - b).abs() <= 1e-8 + 1e-5 * b.abs())
}

/// Two multiplications: by the file's calibration and by the frame's scale, in f32 where the voxels are.
fn scaling(main: &Main, frames: &[Frame], dtype: DType, block: u64) -> Scaling {
    let scales = frames.iter().map(|frame| f64::from(frame.scale_factor));
    let mut steps = vec![
        Step::Multiply(Factor::One(main.ecat_calibration_factor.into())),
        Step::Multiply(Factor::over_blocks(scales.collect(), block)),
    ];
    if dtype == DType::F32 {
        steps.insert(1, Step::RoundToF32);
        steps.push(Step::RoundToF32);
    }
    Scaling::new(steps, block, Arithmetic::F64)
}

/// The main header's fields, then those of each frame as `frame 1: field`.
fn listing(main: &Main, frames: &[Frame]) -> TextHeader {
    let mut listing = TextHeader::default();
    for (name, value) in main.fields() {
        listing.push(name, value);
    }
    for (k, frame) in frames.iter().enumerate() {
        for (name, value) in frame.fields() {
            listing.push(format!("frame {}: {name}", k + 1), value);
        }
    }
    listing
}

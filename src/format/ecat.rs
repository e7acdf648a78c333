//! ECAT 7, as nibabel's `ecat` module reads it. A file consists of blocks of 512 bytes. The first block is the main
//! header. From the second on, the matrix list has the position of each frame's subheader, which is followed by the
//! frame's voxels.

use std::collections::HashSet;
use std::ops::Range;

use super::parsed::{Blocks, Location, More, Need, Parsed};
use crate::core::affine::Affine;
use crate::core::dtype::{ByteOrder, DType};
use crate::core::error::{Error, ErrorKind, Result};
use crate::core::format::Format;
use crate::core::scaling::{Arithmetic, Factor, Scaling, Step};
use crate::core::shape::voxels;
use crate::header::fields::binary::Stored::{self, F32, I16, Text, U16, U32};
use crate::header::fields::binary::{Field, Record, field, numbers};
use crate::header::fields::{Fields, TextHeader};
use crate::header::{AxisKind, Header, Note, SpaceUnit};

/// Bytes of a block.
const BLOCK: u64 = 512;

/// The main header and the first block of the matrix list.
pub(super) const NEED: Need = Need::Bytes(2 * BLOCK);

/// Frames per block of the matrix list.
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

/// Whether the first bytes are an ECAT 7 file.
pub(super) fn recognizes(prefix: &[u8]) -> bool {
    prefix.starts_with(b"MATRIX7")
}

/// Parses the main header; the rest of the matrix list and the subheaders are requested.
pub(super) fn parse(bytes: &[u8]) -> Result<Parsed> {
    let (main, list) = bytes
        .split_at_checked(BLOCK as usize)
        .unwrap_or((bytes, &[]));
    let list = list.get(..BLOCK as usize).unwrap_or(list);
    complete("header", main)?;
    // As in nibabel, the software version decides the byte order.
    let order = match main.get(46..48) {
        Some([74, 0]) => ByteOrder::Little,
        _ => ByteOrder::Big,
    };
    let file = File {
        main: Main::read(main, order),
        order,
        rows: Vec::new(),
        seen: HashSet::from([2]),
    };
    // What depends on the frames is filled in later.
    let header = Header {
        format: Format::Ecat,
        byte_order: order,
        space_unit: SpaceUnit::Millimetre,
        ..Header::new(&[], DType::I16)
    };
    let mut parsed = Parsed::new(header, Vec::new());
    parsed.more = Some(file.list(list)?);
    Ok(parsed)
}

/// What has been read so far.
struct File {
    main: Main,
    order: ByteOrder,
    rows: Vec<Row>,
    /// Numbers of the blocks of the matrix list that have been read.
    seen: HashSet<i32>,
}

/// An entry of the matrix list.
#[derive(Clone, Copy)]
struct Row {
    id: i32,
    /// The block of the subheader. Blocks are counted from 1.
    block: i32,
}

impl File {
    /// Adds a block of the matrix list, and requests the next one or the subheaders.
    fn list(mut self, block: &[u8]) -> Result<More> {
        const FIELD: &str = "matrix list";
        complete(FIELD, block)?;
        // Rows of four numbers. The first row describes the list itself.
        let mut rows = block
            .chunks_exact(16)
            .map(|row| numbers(Stored::I32, row, self.order));
        let [free, next, _, used]: [i32; 4] = rows.next().unwrap_or_default();
        if !(0..=ROWS).contains(&used) || free != ROWS - used {
            let found = format!("{used} used and {free} free entries");
            return Err(Error::header(FIELD, found, "31 together"));
        }
        let rows = rows
            .zip(0..used)
            .map(|([id, block, ..], _)| Row { id, block });
        self.rows.extend(rows);
        let frames = usize::from(self.main.num_frames);
        if self.rows.len() > frames {
            let found = format!("{} entries", self.rows.len());
            return Err(Error::header(FIELD, found, format!("{frames} frames")));
        }
        if next <= 2 {
            return self.subheaders();
        }
        if !self.seen.insert(next) || self.seen.len() > frames + 1 {
            let found = format!("block {next} after {} others", self.seen.len());
            return Err(Error::header(FIELD, found, "a list that ends"));
        }
        Ok(More {
            place: Location::Ranges(Vec::from([block_range(next)?])),
            apply: Box::new(move |pieces, parsed| {
                parsed.more = Some(self.list(pieces.first().map_or(&[], Vec::as_slice))?);
                Ok(())
            }),
        })
    }

    /// Requests the subheader of the first entry, which has the shape, and those of the frames.
    fn subheaders(self) -> Result<More> {
        // The list of subheaders ends at the first empty entry.
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
        let ranges = [first]
            .iter()
            .chain(&frames)
            .map(|row| block_range(row.block))
            .collect::<Result<_>>()?;
        Ok(More {
            place: Location::Ranges(ranges),
            apply: Box::new(move |pieces, parsed| {
                let mut subheaders = Vec::with_capacity(pieces.len());
                for piece in pieces {
                    complete("subheader", piece)?;
                    subheaders.push(Frame::read(piece, self.order));
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

/// The byte range of a block; the matrix list counts blocks from 1.
fn block_range(block: i32) -> Result<Range<u64>> {
    match u64::try_from(block) {
        Ok(block) if block > 0 => Ok((block - 1) * BLOCK..block * BLOCK),
        _ => Err(Error::header("matrix list", block, "a block of the file")),
    }
}

/// The fields of the main header that are used, and all of it as text.
struct Main {
    num_frames: u16,
    patient_orientation: u16,
    calibration_factor: f32,
    listing: Vec<(&'static Field, String)>,
}

impl Main {
    fn read(bytes: &[u8], order: ByteOrder) -> Self {
        let record = Record {
            table: MAIN,
            bytes,
            order,
        };
        Self {
            num_frames: record.get("num_frames"),
            patient_orientation: record.get("patient_orientation"),
            calibration_factor: record.get("ecat_calibration_factor"),
            listing: record.list().collect(),
        }
    }
}

/// The fields of a subheader that are used, and all of it as text.
struct Frame {
    data_type: u16,
    /// Voxels along x, y and z.
    dimensions: [u16; 3],
    /// Added to the last column of the affine, without any conversion.
    offsets: [f32; 3],
    scale_factor: f32,
    /// Millimetres.
    sizes: [f32; 3],
    listing: Vec<(&'static Field, String)>,
}

impl Frame {
    fn read(bytes: &[u8], order: ByteOrder) -> Self {
        let record = Record {
            table: FRAME,
            bytes,
            order,
        };
        let centimetres: [f32; 3] =
            ["x_pixel_size", "y_pixel_size", "z_pixel_size"].map(|name| record.get(name));
        Self {
            data_type: record.get("data_type"),
            dimensions: ["x_dimension", "y_dimension", "z_dimension"].map(|name| record.get(name)),
            offsets: ["x_offset", "y_offset", "z_offset"].map(|name| record.get(name)),
            scale_factor: record.get("scale_factor"),
            sizes: centimetres.map(|size| size * 10.0),
            listing: record.list().collect(),
        }
    }
}

/// Completes the header from the subheaders of the first entry and of each frame.
fn finish(
    main: &Main,
    first: &Frame,
    subheaders: &[Frame],
    frames: &[Row],
    parsed: &mut Parsed,
) -> Result<()> {
    let dtype = dtype(first.data_type)?;
    for frame in subheaders {
        if frame.dimensions != first.dimensions {
            let found = format!("{:?} and {:?}", first.dimensions, frame.dimensions);
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
    let mut shape: Vec<usize> = first.dimensions.map(usize::from).to_vec();
    let block = voxels(&shape)?;
    let row_bytes = u64::from(first.dimensions[0]) * dtype.size_bytes() as u64;
    shape.push(frames.len());
    let [x, y, z] = first.sizes.map(f64::from);
    let header = &mut parsed.header;
    (header.shape, header.dtype, header.zooms) = (shape, dtype, vec![x, y, z, 1.0]);
    header.axes = AxisKind::by_position(header.shape.len());
    header.affine = Some(affine(first));
    header.scaling = scaling(main, subheaders, dtype, block);
    header.fields = Fields::Text(listing(main, subheaders));
    header.data_end()?;
    parsed.voxels.blocks = (block > 0).then(|| Blocks {
        bytes: block * dtype.size_bytes() as u64,
        starts: frames.iter().map(|row| row.block as u64 * BLOCK).collect(),
        // Head first: all three axes are reversed. Feet first: the second and the third.
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

/// Checks that a block is complete.
///
/// # Errors
/// [`ErrorKind::Truncated`] if it is shorter than a block.
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

/// Voxel sizes around the middle of the volume, plus the offsets.
fn affine(frame: &Frame) -> Affine {
    let mut affine = [[0.0, 0.0, 0.0, 1.0]; 4];
    for (k, size) in frame.sizes.into_iter().enumerate() {
        let size = f64::from(size);
        let middle = (f64::from(frame.dimensions[k]) - 1.0) / 2.0;
        affine[k][k] = size;
        affine[k][3] = -middle * size + f64::from(frame.offsets[k]);
    }
    affine
}

/// As numpy's `allclose`.
fn close(a: &Affine, b: &Affine) -> bool {
    let mut pairs = a.as_flattened().iter().zip(b.as_flattened());
    pairs.all(|(a, b)| a == b || (a - b).abs() <= 1e-8 + 1e-5 * b.abs())
}

/// Two multiplications, by the file's calibration and by the frame's scale; in f32 if the voxels are f32.
fn scaling(main: &Main, frames: &[Frame], dtype: DType, block: u64) -> Scaling {
    let scales = frames.iter().map(|frame| f64::from(frame.scale_factor));
    let mut steps = vec![
        Step::Multiply(Factor::One(main.calibration_factor.into())),
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
    for (field, value) in &main.listing {
        listing.push(field.name, value);
    }
    for (k, frame) in frames.iter().enumerate() {
        for (field, value) in &frame.listing {
            listing.push(format!("frame {}: {}", k + 1, field.name), value);
        }
    }
    listing
}

/// The main header, the first block of the file.
pub(super) static MAIN: &[Field] = &[
    field(0, "magic_number", Text, 14),
    field(14, "original_filename", Text, 32),
    field(46, "sw_version", U16, 1),
    field(48, "system_type", U16, 1),
    field(50, "file_type", U16, 1),
    field(52, "serial_number", Text, 10),
    field(62, "scan_start_time", U32, 1),
    field(66, "isotope_name", Text, 8),
    field(74, "isotope_halflife", F32, 1),
    field(78, "radiopharmaceutical", Text, 32),
    field(110, "gantry_tilt", F32, 1),
    field(114, "gantry_rotation", F32, 1),
    field(118, "bed_elevation", F32, 1),
    field(122, "intrinsic_tilt", F32, 1),
    field(126, "wobble_speed", U16, 1),
    field(128, "transm_source_type", U16, 1),
    field(130, "distance_scanned", F32, 1),
    field(134, "transaxial_fov", F32, 1),
    field(138, "angular_compression", U16, 1),
    field(140, "coin_samp_mode", U16, 1),
    field(142, "axial_samp_mode", U16, 1),
    field(144, "ecat_calibration_factor", F32, 1),
    field(148, "calibration_units", U16, 1),
    field(150, "calibration_units_type", U16, 1),
    field(152, "compression_code", U16, 1),
    field(154, "study_type", Text, 12),
    field(166, "patient_id", Text, 16),
    field(182, "patient_name", Text, 32),
    field(214, "patient_sex", Text, 1),
    field(215, "patient_dexterity", Text, 1),
    field(216, "patient_age", F32, 1),
    field(220, "patient_height", F32, 1),
    field(224, "patient_weight", F32, 1),
    field(228, "patient_birth_date", U32, 1),
    field(232, "physician_name", Text, 32),
    field(264, "operator_name", Text, 32),
    field(296, "study_description", Text, 32),
    field(328, "acquisition_type", U16, 1),
    field(330, "patient_orientation", U16, 1),
    field(332, "facility_name", Text, 20),
    field(352, "num_planes", U16, 1),
    field(354, "num_frames", U16, 1),
    field(356, "num_gates", U16, 1),
    field(358, "num_bed_pos", U16, 1),
    field(360, "init_bed_position", F32, 1),
    field(364, "bed_position", F32, 15),
    field(424, "plane_separation", F32, 1),
    field(428, "lwr_sctr_thres", U16, 1),
    field(430, "lwr_true_thres", U16, 1),
    field(432, "upr_true_thres", U16, 1),
    field(434, "user_process_code", Text, 10),
    field(444, "acquisition_mode", U16, 1),
    field(446, "bin_size", F32, 1),
    field(450, "branching_fraction", F32, 1),
    field(454, "dose_start_time", U32, 1),
    field(458, "dosage", F32, 1),
    field(462, "well_counter_corr_factor", F32, 1),
    field(466, "data_units", Text, 32),
    field(498, "septa_state", U16, 1),
    field(500, "fill", Text, 12),
];

/// The subheader, one block before the voxels of a frame.
pub(super) static FRAME: &[Field] = &[
    field(0, "data_type", U16, 1),
    field(2, "num_dimensions", U16, 1),
    field(4, "x_dimension", U16, 1),
    field(6, "y_dimension", U16, 1),
    field(8, "z_dimension", U16, 1),
    field(10, "x_offset", F32, 1),
    field(14, "y_offset", F32, 1),
    field(18, "z_offset", F32, 1),
    field(22, "recon_zoom", F32, 1),
    field(26, "scale_factor", F32, 1),
    field(30, "image_min", I16, 1),
    field(32, "image_max", I16, 1),
    field(34, "x_pixel_size", F32, 1),
    field(38, "y_pixel_size", F32, 1),
    field(42, "z_pixel_size", F32, 1),
    field(46, "frame_duration", U32, 1),
    field(50, "frame_start_time", U32, 1),
    field(54, "filter_code", U16, 1),
    field(56, "x_resolution", F32, 1),
    field(60, "y_resolution", F32, 1),
    field(64, "z_resolution", F32, 1),
    field(68, "num_r_elements", F32, 1),
    field(72, "num_angles", F32, 1),
    field(76, "z_rotation_angle", F32, 1),
    field(80, "decay_corr_fctr", F32, 1),
    field(84, "corrections_applied", U32, 1),
    field(88, "gate_duration", U32, 1),
    field(92, "r_wave_offset", U32, 1),
    field(96, "num_accepted_beats", U32, 1),
    field(100, "filter_cutoff_frequency", F32, 1),
    field(104, "filter_resolution", F32, 1),
    field(108, "filter_ramp_slope", F32, 1),
    field(112, "filter_order", U16, 1),
    field(114, "filter_scatter_fraction", F32, 1),
    field(118, "filter_scatter_slope", F32, 1),
    field(122, "annotation", Text, 40),
    field(162, "mt_1_1", F32, 1),
    field(166, "mt_1_2", F32, 1),
    field(170, "mt_1_3", F32, 1),
    field(174, "mt_2_1", F32, 1),
    field(178, "mt_2_2", F32, 1),
    field(182, "mt_2_3", F32, 1),
    field(186, "mt_3_1", F32, 1),
    field(190, "mt_3_2", F32, 1),
    field(194, "mt_3_3", F32, 1),
    field(198, "rfilter_cutoff", F32, 1),
    field(202, "rfilter_resolution", F32, 1),
    field(206, "rfilter_code", U16, 1),
    field(208, "rfilter_order", U16, 1),
    field(210, "zfilter_cutoff", F32, 1),
    field(214, "zfilter_resolution", F32, 1),
    field(218, "zfilter_code", U16, 1),
    field(220, "zfilter_order", U16, 1),
    field(222, "mt_4_1", F32, 1),
    field(226, "mt_4_2", F32, 1),
    field(230, "mt_4_3", F32, 1),
    field(234, "scatter_type", U16, 1),
    field(236, "recon_type", U16, 1),
    field(238, "recon_views", U16, 1),
    field(240, "fill", Text, 174),
    field(414, "fill2", Text, 96),
];

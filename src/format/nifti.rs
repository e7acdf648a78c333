//! NIfTI-1 and NIfTI-2, single files (`.nii`) and pairs (`.hdr` and `.img`), read as nibabel reads them. The formats
//! are defined by `nifti1.h` and `nifti2.h` (<https://nifti.nimh.nih.gov>).
//!
//! This file turns bytes into a checked header. `header/fields/nifti.rs` has the fields and their layout,
//! `nifti/scaling.rs` the meaning of `scl_slope` and `scl_inter`, `nifti/affine.rs` the affines, `nifti/writing.rs`
//! headers for writing.

mod affine;
mod scaling;
mod writing;

#[cfg(test)]
mod malformed;
#[cfg(test)]
mod tests;

pub use crate::header::fields::codes::{extension_name, intent_name, transform_name};
pub use crate::header::fields::nifti::{Extension, NiftiHeader, Version};

pub(crate) use crate::header::fields::nifti::Container;
pub(crate) use writing::{RGB_VECTOR, RGBA_VECTOR, Target, axis_order};

use super::analyze::{axes, begins_with_size, byte_order, repair, repair_sizes};
use super::parsed::{Need, Parsed, Sniff, check_length};
use super::text;
use crate::core::dtype::{ByteOrder, DType};
use crate::core::error::{Error, Result};
use crate::core::format::Format;
use crate::core::options::LoadOptions;
use crate::header::fields::Fields;
use crate::header::fields::binary::{Record, Stored, numbers};
use crate::header::fields::nifti::{DATATYPES, EOL};
use crate::header::{AxisKind, Header, Layout, Note, SpaceUnit, TimeUnit};

/// Whether the first bytes of a file are a NIfTI header, by nibabel's tests: for NIfTI-1 only the magic, for NIfTI-2
/// only the header size.
pub(crate) fn sniff(prefix: &[u8], version: Version) -> Sniff {
    let need = version.header_bytes();
    let sized = begins_with_size(prefix, need as u32);
    match version {
        // A truncated header may lack the magic, so the size at its beginning decides.
        _ if prefix.len() < need && sized => Sniff::Cut(need as u64),
        _ if prefix.len() < need => Sniff::No,
        Version::One => Sniff::from(
            [b"n+1\0", b"ni1\0"]
                .iter()
                .any(|magic| version.magic_at(prefix) == *magic),
        ),
        Version::Two => Sniff::from(sized),
    }
}

/// Whether the magic is that of this container. It decides if the name of the file does not.
pub(crate) fn recognizes(prefix: &[u8], version: Version, container: Container) -> bool {
    let [single, pair] = version.magics();
    let own = match container {
        Container::Single => single,
        Container::Pair => pair,
    };
    // The parser reports a magic without its final NUL.
    version.magic_at(prefix).starts_with(own.as_bytes())
}

/// How much of the header file the parser needs: if there are extensions, everything before the voxels.
pub(crate) fn need(prefix: &[u8], version: Version, container: Container) -> Result<Need> {
    let header = version.header_bytes();
    let after = prefix.get(header..).unwrap_or_default();
    let header = header as u64;
    if container == Container::Pair {
        return Ok(Need::All);
    }
    if !extensions_follow(after) {
        return Ok(Need::Bytes(header + 4));
    }
    // The parser will report what is wrong.
    let Ok(order) = byte_order(prefix, version.table(), header) else {
        return Ok(Need::Bytes(header + 4));
    };
    let record = Record {
        table: version.table(),
        bytes: prefix,
        order,
    };
    let offset = record.get::<f64>("vox_offset").max(0.0) as u64;
    Ok(Need::Extensions {
        header,
        end: offset.max(header + 4),
    })
}

/// Parses a header and its extensions from the start of the header file.
///
/// # Errors
/// [`crate::ErrorKind::Truncated`] if the header is incomplete, [`crate::ErrorKind::Header`] if a field is not valid.
pub(crate) fn parse(
    bytes: &[u8],
    version: Version,
    container: Container,
    options: &LoadOptions,
) -> Result<Parsed> {
    let size = version.header_bytes();
    check_length(bytes, size as u64)?;
    let byte_order = byte_order(bytes, version.table(), size as u64)?;
    let mut nifti = NiftiHeader::from_bytes(bytes, version, byte_order);
    let mut notes = Vec::new();
    let dtype = check(&mut nifti, &mut notes)?;
    let data_offset = data_offset(&nifti, container, &mut notes)?;
    if extensions_follow(bytes.get(size..).unwrap_or_default()) {
        let end = match container {
            Container::Single => usize::try_from(data_offset).unwrap_or(usize::MAX),
            Container::Pair => usize::MAX,
        };
        let region = bytes
            .get(size + 4..end.min(bytes.len()))
            .unwrap_or_default();
        nifti.extensions = read_extensions(region, container, byte_order, &mut notes);
    }
    let shape = shape(&nifti)?;
    let header = Header {
        format: match (version, container) {
            (Version::One, Container::Single) => Format::Nifti1Single,
            (Version::One, Container::Pair) => Format::Nifti1Pair,
            (Version::Two, Container::Single) => Format::Nifti2Single,
            (Version::Two, Container::Pair) => Format::Nifti2Pair,
        },
        axes: kinds(&nifti, shape.len()),
        shape,
        dtype,
        byte_order,
        layout: Layout::FirstFastest,
        data_offset,
        scaling: scaling::from_slope_and_inter(&nifti)?,
        affine: Some(affine::best(&nifti, options.quaternion_threshold)?),
        zooms: zooms(&nifti),
        space_unit: space_unit(&nifti),
        time_unit: time_unit(&nifti),
        fields: Fields::Nifti(Box::new(nifti)),
    };
    // Rejects sizes that no file can have, before memory is allocated.
    header.data_end()?;
    Ok(Parsed::new(header, notes))
}

/// Codes of types in which voxels cannot be stored or that voxload does not read: none, binary, all, float128,
/// complex256.
const UNSUPPORTED: [i64; 5] = [0, 1, 255, 1536, 2048];

/// The largest transform code.
const LAST_XFORM: i64 = 5;

/// Checks the header in nibabel's order and returns the type of its voxels. Faults below nibabel's level 40 are
/// repaired and noted; the others are errors.
fn check(header: &mut NiftiHeader, notes: &mut Vec<Note>) -> Result<DType> {
    let size = header.version.header_bytes() as i64;
    repair("sizeof_hdr", &mut header.sizeof_hdr, size, "", notes);
    let dtype = dtype_of(header.datatype)?;
    let (bits, reason) = (
        8 * dtype.size_bytes() as i64,
        format!(", the size of {dtype}"),
    );
    repair("bitpix", &mut header.bitpix, bits, &reason, notes);
    repair_sizes(&mut header.pixdim, notes);
    let mut note = |field, message: String| notes.push(Note { field, message });
    let qfac = &mut header.pixdim[0];
    if qfac.abs() != 1.0 {
        note("pixdim", format!("pixdim[0] (qfac) was {qfac}, set to 1"));
        *qfac = 1.0;
    }
    check_magic(header)?;
    check_offset(header, &mut note)?;

    for (field, code) in [
        ("qform_code", &mut header.qform_code),
        ("sform_code", &mut header.sform_code),
    ] {
        if !(0..=LAST_XFORM).contains(code) {
            note(field, format!("{code} is not a transform's code, set to 0"));
            *code = 0;
        }
    }

    if header.version == Version::Two && header.eol_check != EOL {
        if header.eol_check != [0; 4] {
            let found = format!("{:?}", header.eol_check);
            return Err(Error::header(
                "eol_check",
                found,
                format!("{EOL:?}: line ends were converted"),
            ));
        }
        note("eol_check", format!("was all 0, set to {EOL:?}"));
        header.eol_check = EOL;
    }
    Ok(dtype)
}

fn dtype_of(code: i64) -> Result<DType> {
    let known = DATATYPES.iter().find(|(known, _)| *known == code);
    known.map(|&(_, dtype)| dtype).ok_or_else(|| {
        let expected = if UNSUPPORTED.contains(&code) {
            "a type that voxels can be read from"
        } else {
            "the code of a type"
        };
        Error::header("datatype", code, expected)
    })
}

fn check_magic(header: &NiftiHeader) -> Result<()> {
    let [single, pair] = header.version.magics();
    if [single, pair].contains(&header.magic.as_str()) {
        return Ok(());
    }
    let found = format!("{:?}", header.magic);
    Err(Error::header(
        "magic",
        found,
        format!("{single:?} or {pair:?}"),
    ))
}

/// Checks `vox_offset` without regard to the files; [`data_offset`] checks the rest.
fn check_offset(header: &NiftiHeader, note: &mut impl FnMut(&'static str, String)) -> Result<()> {
    let [single, _] = header.version.magics();
    let smallest = header.version.single_offset();
    let offset = header.vox_offset;
    if offset == 0.0 {
        return Ok(());
    }
    if header.magic == single && offset < smallest as f64 {
        return Err(Error::header(
            "vox_offset",
            offset,
            format!("at least {smallest}"),
        ));
    }
    if offset.is_finite() && offset % 16.0 != 0.0 {
        note(
            "vox_offset",
            format!("{offset} is not divisible by 16: kept"),
        );
    }
    Ok(())
}

/// Voxels along each axis, including FreeSurfer's two ways of storing a long first axis in NIfTI-1.
///
/// # Errors
/// `dim` for a negative length; `glmin` if FreeSurfer stores the length there and it is not positive.
fn shape(header: &NiftiHeader) -> Result<Vec<usize>> {
    let mut dims = axes(header.dim[0], &header.dim).to_vec();
    if dims.is_empty() {
        // nibabel's shape for a header without axes.
        return Ok(vec![0]);
    }
    let mut field = "dim";
    if header.version == Version::One
        && let [first, second, third, ..] = dims.as_mut_slice()
    {
        if [*first, *second, *third] == [-1, 1, 1] {
            if header.glmin == 0 {
                return Err(Error::header(
                    "glmin",
                    0,
                    "the length that -1 in dim[1] refers to",
                ));
            }
            field = "glmin";
            *first = header.glmin;
        } else if [*first, *second, *third] == [27307, 1, 6] {
            (*first, *third) = (163_842, 1);
        }
    }
    text::shape(field, &dims)
}

/// Intents for which the fifth axis has several values of each voxel: statistics whose parameters differ between
/// voxels, matrices, vectors, points, triangles, quaternions, colours.
fn has_components(intent: i64) -> bool {
    matches!(intent, 2..=24 | 1004..=1010 | RGB_VECTOR | RGBA_VECTOR)
}

/// The fourth axis is time unless `xyzt_units` has a unit of frequency, and the fifth has components if the intent says
/// so.
fn kinds(header: &NiftiHeader, ndim: usize) -> Vec<AxisKind> {
    let mut kinds = AxisKind::by_position(ndim);
    if let Some(fourth) = kinds.get_mut(3)
        && matches!(header.xyzt_units & 0x38, 32 | 40 | 48)
    {
        *fourth = AxisKind::Other;
    }
    if let Some(fifth) = kinds.get_mut(4)
        && has_components(header.intent_code)
    {
        *fifth = AxisKind::Component;
    }
    kinds
}

/// The codes of units of space in `xyzt_units`.
const SPACE_UNITS: [(i64, SpaceUnit); 3] = [
    (1, SpaceUnit::Metre),
    (2, SpaceUnit::Millimetre),
    (3, SpaceUnit::Micrometre),
];

/// The codes of units of time in `xyzt_units`.
const TIME_UNITS: [(i64, TimeUnit); 3] = [
    (8, TimeUnit::Second),
    (16, TimeUnit::Millisecond),
    (24, TimeUnit::Microsecond),
];

fn space_unit(header: &NiftiHeader) -> SpaceUnit {
    let code = header.xyzt_units & 0x07;
    let found = SPACE_UNITS.iter().find(|(known, _)| *known == code);
    found.map_or(SpaceUnit::Unknown, |&(_, unit)| unit)
}

fn time_unit(header: &NiftiHeader) -> TimeUnit {
    let code = header.xyzt_units & 0x38;
    let found = TIME_UNITS.iter().find(|(known, _)| *known == code);
    found.map_or(TimeUnit::Unknown, |&(_, unit)| unit)
}

/// Voxel sizes along each axis.
fn zooms(header: &NiftiHeader) -> Vec<f64> {
    match axes(header.dim[0], &header.pixdim) {
        [] => vec![1.0],
        zooms => zooms.to_vec(),
    }
}

/// Byte at which the voxels begin in their file: `vox_offset`, rounded down to an integer.
///
/// In a single file, a `vox_offset` of 0 is treated as the smallest valid one (nibabel would read the header as
/// voxels).
///
/// # Errors
/// `vox_offset` if it is NaN, negative, infinite, or inside the header of a single file.
fn data_offset(header: &NiftiHeader, container: Container, notes: &mut Vec<Note>) -> Result<u64> {
    let offset = header.vox_offset.trunc();
    let smallest = match container {
        Container::Single => header.version.single_offset(),
        Container::Pair => 0,
    };
    if container == Container::Single && header.vox_offset == 0.0 {
        notes.push(Note {
            field: "vox_offset",
            message: format!("was 0 in a single file: voxels are read from byte {smallest}"),
        });
        return Ok(smallest);
    }
    // No file reaches offsets above 2^63. NaN is in no range, so it is rejected too.
    if !(smallest as f64..i64::MAX as f64).contains(&offset) {
        let expected = format!("a byte of a file, {smallest} or more");
        return Err(Error::header("vox_offset", header.vox_offset, expected));
    }
    Ok(offset as u64)
}

/// Whether the four bytes after the header announce extensions. As in nibabel, only the first byte counts.
fn extensions_follow(after_header: &[u8]) -> bool {
    matches!(after_header, [flag, _, _, _, ..] if *flag != 0)
}

/// Reads the extensions in `region`. Stops with a note at the first one that does not fit.
///
/// There nibabel would continue into the voxels, or fail; but extensions are not needed to read voxels. In a single
/// file, fewer than 16 bytes before the voxels are padding.
fn read_extensions(
    mut region: &[u8],
    container: Container,
    order: ByteOrder,
    notes: &mut Vec<Note>,
) -> Vec<Extension> {
    let mut extensions = Vec::new();
    let padding = match container {
        Container::Single => 16,
        Container::Pair => 1,
    };
    while region.len() >= padding {
        let [esize, code]: [i32; 2] = numbers(Stored::I32, region, order);
        let content = region.get(8..).zip(usize::try_from(esize).ok());
        let content =
            content.and_then(|(rest, esize)| rest.split_at_checked(esize.checked_sub(8)?));
        let Some((content, rest)) = content else {
            notes.push(Note {
                field: "esize",
                message: format!(
                    "an extension of {esize} bytes where {} are left: the list ends before it",
                    region.len()
                ),
            });
            break;
        };
        if esize % 16 != 0 {
            notes.push(Note {
                field: "esize",
                message: format!("{esize} is not a multiple of 16: kept"),
            });
        }
        let length = content
            .iter()
            .rposition(|&byte| byte != 0)
            .map_or(0, |last| last + 1);
        let content = content.iter().copied().take(length).collect();
        extensions.push(Extension { code, content });
        region = rest;
    }
    extensions
}

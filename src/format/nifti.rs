//! NIfTI-1 and NIfTI-2, in a single file (`.nii`) or a pair (`.hdr` and `.img`).

mod build;
mod checks;
mod extended;
mod extensions;
mod facts;
mod fields;
mod qform;

#[cfg(test)]
mod malformed;
#[cfg(test)]
pub(crate) mod oracle;
#[cfg(test)]
mod tests;

pub(crate) use build::Target;

use crate::dtype::ByteOrder;
use crate::error::{ErrorKind, Result};
use crate::format::{Fields, Format, Need, Parsed, Sniff};
use crate::header::{Header, Layout};

/// The version of a NIfTI header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Version {
    /// NIfTI-1: 348 bytes, of 16-bit lengths and 32-bit floats.
    #[default]
    One,
    /// NIfTI-2: 540 bytes, of 64-bit lengths and floats.
    Two,
}

/// A header extension: a block of bytes in a format that its code names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extension {
    /// What the content is (`ecode`: 4 for AFNI's, 6 for a comment, 32 for CIFTI's).
    pub code: i32,
    /// The content, without the NULs at its end.
    pub content: Vec<u8>,
}

/// The fields of a NIfTI header under their names in `nifti1.h` and `nifti2.h`.
///
/// Integers are `i64` and reals `f64`, wide enough for both versions. A field that the other version alone has is
/// zero or empty. Texts are Latin-1, without the NULs at their end. Values are those of the file, but for the
/// faults that [`crate::header::Note`]s tell of.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct NiftiHeader {
    /// NIfTI-1 or NIfTI-2: which layout the other fields come from.
    pub version: Version,
    /// The byte order of the header and of the voxels.
    pub byte_order: ByteOrder,
    /// Size of the header in bytes: 348 or 540.
    pub sizeof_hdr: i64,
    /// Unused; NIfTI-1 only.
    pub data_type: String,
    /// Unused; NIfTI-1 only.
    pub db_name: String,
    /// Unused; NIfTI-1 only.
    pub extents: i64,
    /// Unused; NIfTI-1 only.
    pub session_error: i64,
    /// Unused, `r` in old files; NIfTI-1 only.
    pub regular: String,
    /// Which axes are frequency (bits 0 and 1), phase (2 and 3) and slice (4 and 5), counted from 1; 0 is unknown.
    pub dim_info: i64,
    /// Number of axes, then voxels along each of up to seven.
    pub dim: [i64; 8],
    /// First parameter of the intent.
    pub intent_p1: f64,
    /// Second parameter of the intent.
    pub intent_p2: f64,
    /// Third parameter of the intent.
    pub intent_p3: f64,
    /// What the values mean.
    pub intent_code: i64,
    /// Code of the voxel type.
    pub datatype: i64,
    /// Bits of a voxel.
    pub bitpix: i64,
    /// First slice of the timing, counted from 0.
    pub slice_start: i64,
    /// The sign of the third axis (`qfac`: -1 or 1), then the voxel size along each axis in `xyzt_units`.
    pub pixdim: [f64; 8],
    /// Byte at which the voxels begin in their file.
    pub vox_offset: f64,
    /// Slope of the scaling; 0 means none.
    pub scl_slope: f64,
    /// Intercept of the scaling.
    pub scl_inter: f64,
    /// Last slice of the timing, counted from 0.
    pub slice_end: i64,
    /// Order in which the slices were taken.
    pub slice_code: i64,
    /// Units of space (bits 0 to 2) and of time (bits 3 to 5).
    pub xyzt_units: i64,
    /// Value to be shown as white.
    pub cal_max: f64,
    /// Value to be shown as black.
    pub cal_min: f64,
    /// Time that one slice took, in the unit of time.
    pub slice_duration: f64,
    /// Time of the first volume, in the unit of time.
    pub toffset: f64,
    /// Unused; NIfTI-1 only.
    pub glmax: i64,
    /// Unused but for FreeSurfer, which puts a length above 32767 here; NIfTI-1 only.
    pub glmin: i64,
    /// Any text.
    pub descrip: String,
    /// Name of a file that goes with this one.
    pub aux_file: String,
    /// What the qform leads to; 0 means that there is none.
    pub qform_code: i64,
    /// What the sform leads to; 0 means that there is none.
    pub sform_code: i64,
    /// The quaternion's b; its scalar part is the one that makes it a unit.
    pub quatern_b: f64,
    /// The quaternion's c.
    pub quatern_c: f64,
    /// The quaternion's d.
    pub quatern_d: f64,
    /// Where the qform puts the first voxel, x.
    pub qoffset_x: f64,
    /// Where the qform puts the first voxel, y.
    pub qoffset_y: f64,
    /// Where the qform puts the first voxel, z.
    pub qoffset_z: f64,
    /// First row of the sform.
    pub srow_x: [f64; 4],
    /// Second row of the sform.
    pub srow_y: [f64; 4],
    /// Third row of the sform.
    pub srow_z: [f64; 4],
    /// Name or meaning of the values.
    pub intent_name: String,
    /// `n+1` or `n+2` for a single file, `ni1` or `ni2` for a pair.
    pub magic: String,
    /// The bytes 13, 10, 26, 10, which a conversion of line ends would change; NIfTI-2 only.
    pub eol_check: [i64; 4],
    /// Unused; NIfTI-2 only.
    pub unused_str: String,
    /// The extensions, in the order of the file.
    pub extensions: Vec<Extension>,
}

impl NiftiHeader {
    /// Every field of this version with its value as text, in the order of the file.
    pub fn fields(&self) -> impl Iterator<Item = (&'static str, String)> + '_ {
        let table = fields::table(self.version).iter();
        table.map(|field| (field.name, fields::text(field, self)))
    }

    /// The bytes of the header in its version and byte order, without extensions.
    ///
    /// A number too large for its field is cut as `as` cuts it, a text at the end of its field.
    pub fn to_bytes(&self) -> Vec<u8> {
        fields::write(self)
    }

    /// Of the seven entries behind the first, those of the axes there are.
    fn axes<'a, T>(&self, of: &'a [T; 8]) -> &'a [T] {
        let [_, entries @ ..] = of;
        let axes = usize::try_from(self.dim[0]).unwrap_or(0);
        entries.get(..axes).unwrap_or(entries)
    }
}

impl Version {
    /// Bytes of the header, without what follows it.
    pub(crate) const fn header_bytes(self) -> usize {
        match self {
            Self::One => 348,
            Self::Two => 540,
        }
    }

    /// Smallest byte at which voxels can begin in a single file: behind the header and four bytes of extension flag.
    pub(crate) const fn single_offset(self) -> u64 {
        self.header_bytes() as u64 + 4
    }

    /// The magic of a single file and that of a pair.
    pub(crate) const fn magics(self) -> [&'static str; 2] {
        match self {
            Self::One => ["n+1", "ni1"],
            Self::Two => ["n+2", "ni2"],
        }
    }

    fn magic_at(self, prefix: &[u8]) -> &[u8] {
        let offset = match self {
            Self::One => 344,
            Self::Two => 4,
        };
        prefix.get(offset..offset + 4).unwrap_or_default()
    }
}

/// Whether header and voxels share a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Container {
    Single,
    Pair,
}

/// Whether the first bytes of a file are a NIfTI header, by nibabel's tests: the magic of NIfTI-1 alone, the size of
/// NIfTI-2 alone.
pub(crate) fn sniff(prefix: &[u8], version: Version) -> Sniff {
    let need = version.header_bytes();
    let size = need as u32;
    let sized = [size.to_le_bytes(), size.to_be_bytes()]
        .iter()
        .any(|bytes| bytes.starts_with(&prefix[..prefix.len().min(4)]));
    match version {
        // A header that was cut has no magic; the size that it begins with must do.
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

/// Whether the magic is that of this container, which decides for bytes without a name.
pub(crate) fn claims(prefix: &[u8], version: Version, container: Container) -> bool {
    let [single, pair] = version.magics();
    let magic = version.magic_at(prefix);
    let own = match container {
        Container::Single => single,
        Container::Pair => pair,
    };
    magic.starts_with(own.as_bytes())
}

/// How much of the header file the parser needs: up to the voxels where there are extensions.
pub(crate) fn need(prefix: &[u8], version: Version, container: Container) -> Result<Need> {
    let header = version.header_bytes();
    let behind = prefix.get(header..).unwrap_or_default();
    let header = header as u64;
    if container == Container::Pair {
        return Ok(Need::All);
    }
    if !extensions::announced(behind) {
        return Ok(Need::Bytes(header + 4));
    }
    // A faulty header is the parser's to report.
    let Ok(order) = facts::byte_order(prefix, version) else {
        return Ok(Need::Bytes(header + 4));
    };
    let offset = fields::read(prefix, version, order).vox_offset.max(0.0) as u64;
    Ok(Need::Extensions {
        header,
        end: offset.max(header + 4),
    })
}

/// Parses a header and its extensions from the start of the header file.
///
/// # Errors
/// [`ErrorKind::Truncated`] when the header is cut, [`ErrorKind::Header`] when a field cannot be used.
pub(crate) fn parse(bytes: &[u8], version: Version, container: Container) -> Result<Parsed> {
    let size = version.header_bytes();
    let Some((_, behind)) = bytes.split_at_checked(size) else {
        return Err(ErrorKind::Truncated {
            what: "header",
            have: bytes.len() as u64,
            need: size as u64,
        }
        .into());
    };
    let byte_order = facts::byte_order(bytes, version)?;
    let mut nifti = fields::read(bytes, version, byte_order);
    let mut notes = Vec::new();
    let dtype = checks::check(&mut nifti, &mut notes)?;
    let data_offset = facts::data_offset(&nifti, container, &mut notes)?;
    if extensions::announced(behind) {
        let end = match container {
            Container::Single => usize::try_from(data_offset).unwrap_or(usize::MAX),
            Container::Pair => usize::MAX,
        };
        let region = bytes
            .get(size + 4..end.min(bytes.len()))
            .unwrap_or_default();
        nifti.extensions = extensions::read(region, container, byte_order, &mut notes);
    }
    let header = Header {
        format: match (version, container) {
            (Version::One, Container::Single) => Format::Nifti1Single,
            (Version::One, Container::Pair) => Format::Nifti1Pair,
            (Version::Two, Container::Single) => Format::Nifti2Single,
            (Version::Two, Container::Pair) => Format::Nifti2Pair,
        },
        shape: facts::shape(&nifti)?,
        dtype,
        byte_order,
        layout: Layout::FirstFastest,
        data_offset,
        scaling: facts::scaling(&nifti)?,
        affine: Some(facts::affine(&nifti)?),
        zooms: facts::zooms(&nifti),
        fields: Fields::Nifti(Box::new(nifti)),
    };
    // A size that no file can have is found here, not when memory is asked for.
    header.data_end()?;
    Ok(Parsed::new(header, notes))
}

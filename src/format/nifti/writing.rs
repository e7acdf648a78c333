//! NIfTI headers for writing, made from the header of any image. Which fields are kept, set or reset is as in nibabel.

use super::{SPACE_UNITS, TIME_UNITS, affine, space_unit, time_unit};
use crate::core::affine::Affine;
use crate::core::dtype::{ByteOrder, DType};
use crate::core::error::{Error, Result};
use crate::core::format::Format;
use crate::header::fields::Fields;
use crate::header::fields::nifti::{CIFTI, Container, EOL, NiftiHeader, Version, datatype_code};
use crate::header::{AxisKind, Header};

/// The code for an affine that the header did not have, as in nibabel (`NIFTI_XFORM_ALIGNED_ANAT`).
const ALIGNED: i64 = 2;

/// `NIFTI_INTENT_VECTOR`, `NIFTI_INTENT_RGB_VECTOR` and `NIFTI_INTENT_RGBA_VECTOR`.
const VECTOR: i64 = 1007;
pub(crate) const RGB_VECTOR: i64 = 2003;
pub(crate) const RGBA_VECTOR: i64 = 2004;

/// NIfTI's order for axes of these kinds: three spatial axes, then time (or, without it, the first axis of kind
/// `Other`), then components, then the rest. `None` is a missing axis in between, which gets length 1. Without spatial
/// axes, the order is unchanged.
pub(crate) fn axis_order(kinds: &[AxisKind]) -> Vec<Option<usize>> {
    let of = |wanted: AxisKind| {
        let axes = kinds.iter().enumerate();
        axes.filter_map(move |(axis, &kind)| (kind == wanted).then_some(axis))
    };
    let mut space: Vec<_> = of(AxisKind::Space).collect();
    if space.is_empty() {
        return (0..kinds.len()).map(Some).collect();
    }
    let further = space.split_off(space.len().min(3));
    let mut rest = of(AxisKind::Other).chain(further);
    let fourth = of(AxisKind::Time).next().or_else(|| rest.next());
    let times = of(AxisKind::Time).skip(1);
    let fifth: Vec<_> = of(AxisKind::Component).chain(times).chain(rest).collect();
    let mut order: Vec<_> = space.into_iter().map(Some).collect();
    if fourth.is_some() || !fifth.is_empty() {
        order.resize(3, None);
        order.push(fourth);
    }
    if order.last() == Some(&None) && fifth.is_empty() {
        order.pop();
    }
    order.extend(fifth.into_iter().map(Some));
    order
}

/// The file for which a header is made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target {
    pub version: Version,
    pub container: Container,
    pub gzip: bool,
    /// The type in which the voxels are stored.
    pub dtype: DType,
    /// Slope and intercept that restore the values.
    pub slope_inter: (f64, f64),
}

impl NiftiHeader {
    /// The header for an image: with its own NIfTI fields if it has them, otherwise with new ones.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Header`] if the version cannot hold the shape, [`crate::ErrorKind::Unsupported`] if NIfTI
    /// does not have the voxel type.
    pub(crate) fn for_writing(header: &Header, target: &Target) -> Result<Self> {
        let Target {
            version, container, ..
        } = *target;
        let mut nifti = match &header.fields {
            Fields::Nifti(own) => (**own).clone(),
            _ => Self {
                regular: "r".to_owned(),
                byte_order: header.byte_order,
                ..Self::default()
            },
        };
        nifti.version = version;
        nifti.sizeof_hdr = version.header_bytes() as i64;
        let [single, pair] = version.magics();
        nifti.magic = match container {
            Container::Single => single,
            Container::Pair => pair,
        }
        .to_owned();
        if version == Version::Two {
            nifti.eol_check = EOL;
        }
        match header.format {
            Format::Cifti2 if nifti.stays_cifti(&header.shape, target) => {}
            format => {
                if format == Format::Cifti2 {
                    nifti.intent_code = 0;
                    nifti.extensions.retain(|found| found.code != CIFTI);
                }
                nifti.set_shape(&header.shape, &header.zooms)?;
            }
        }
        nifti.set_dtype(target.dtype)?;
        (nifti.scl_slope, nifti.scl_inter) = target.slope_inter;
        let fresh = !matches!(header.fields, Fields::Nifti(_));
        nifti.follow_units(header);
        if fresh && header.axes.get(4) == Some(&AxisKind::Component) {
            nifti.intent_code = intent_of(header);
        }
        nifti.follow_affine(header.affine.as_ref(), fresh)?;
        let extensions = nifti.extension_bytes().len() as u64;
        nifti.vox_offset = match container {
            Container::Single => (version.single_offset() + extensions) as f64,
            Container::Pair => 0.0,
        };
        Ok(nifti)
    }

    /// The header, the extension flag and the extensions: everything before the voxels of a single file.
    pub(crate) fn leading_bytes(&self) -> Vec<u8> {
        let mut bytes = self.to_bytes();
        bytes.extend([u8::from(!self.extensions.is_empty()), 0, 0, 0]);
        bytes.extend(self.extension_bytes());
        bytes
    }

    /// Whether a CIFTI-2 header stays valid for an array of this shape: its XML describes every row and column, and
    /// nibabel recognises CIFTI-2 only in uncompressed single files.
    fn stays_cifti(&self, shape: &[usize], target: &Target) -> bool {
        let mut dense = self.dim.iter().skip(5).zip(shape);
        target.container == Container::Single
            && !target.gzip
            && self.version == Version::Two
            && self.dim[0] == 4 + shape.len() as i64
            && dense.all(|(&dim, &length)| dim == length as i64)
    }

    /// The qform's affine, or else the base affine; `None` if there is an sform, which has priority.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Header`] if the quaternion is longer than 1.
    pub(crate) fn best_affine_without_sform(&self) -> Result<Option<Affine>> {
        match self.sform_code {
            0 => affine::best(self, None).map(Some),
            _ => Ok(None),
        }
    }

    fn set_shape(&mut self, shape: &[usize], zooms: &[f64]) -> Result<()> {
        let refuse = || {
            let expected = match self.version {
                Version::One => "up to 7 axes of up to 32767 (NIfTI-2 holds longer ones)",
                Version::Two => "up to 7 axes",
            };
            Error::header("dim", format!("{shape:?}"), expected)
        };
        if shape.len() > 7 {
            return Err(refuse());
        }
        let limit = match self.version {
            Version::One => i64::from(i16::MAX),
            Version::Two => i64::MAX,
        };
        let mut dim = [1; 8];
        dim[0] = shape.len() as i64;
        for (dim, &length) in dim.iter_mut().skip(1).zip(shape) {
            *dim = i64::try_from(length).map_err(|_| refuse())?;
        }
        // FreeSurfer's two ways of storing a long first axis.
        match (self.version, shape) {
            (Version::One, &[163_842, 1, 1, ..]) => (dim[1], dim[3]) = (27307, 6),
            (Version::One, &[length, 1, 1, ..]) if length as i64 > limit => {
                self.glmin = i32::try_from(length).map_err(|_| refuse())?.into();
                dim[1] = -1;
            }
            _ => {}
        }
        if dim.iter().any(|&length| length > limit) {
            return Err(refuse());
        }
        // As in nibabel, the voxel sizes after the last axis are kept if the shape is unchanged.
        let reshaped = self.dim != dim;
        self.dim = dim;
        let given = zooms.iter().copied().chain(std::iter::repeat(1.0));
        let [qfac, sizes @ ..] = &mut self.pixdim;
        for (axis, (size, zoom)) in sizes.iter_mut().zip(given).enumerate() {
            if axis < shape.len() {
                *size = zoom;
            } else if reshaped {
                *size = 1.0;
            }
        }
        if qfac.abs() != 1.0 {
            *qfac = 1.0;
        }
        Ok(())
    }

    /// Updates `xyzt_units` where it differs from the header's units. Codes of units that voxload does not know are
    /// kept.
    fn follow_units(&mut self, header: &Header) {
        let [mut space, mut time] = [self.xyzt_units & 0x07, self.xyzt_units & 0x38];
        if space_unit(self) != header.space_unit {
            let code = SPACE_UNITS
                .iter()
                .find(|(_, unit)| *unit == header.space_unit);
            space = code.map_or(0, |&(code, _)| code);
        }
        if time_unit(self) != header.time_unit {
            let code = TIME_UNITS
                .iter()
                .find(|(_, unit)| *unit == header.time_unit);
            time = code.map_or(0, |&(code, _)| code);
        }
        self.xyzt_units = self.xyzt_units & !0x3f | space | time;
    }

    fn set_dtype(&mut self, dtype: DType) -> Result<()> {
        self.datatype = datatype_code(dtype)
            .ok_or_else(|| Error::unsupported(format!("NIfTI has no voxels of type {dtype}")))?;
        self.bitpix = 8 * dtype.size_bytes() as i64;
        Ok(())
    }

    /// Keeps the sform and qform if the header is not new and they already give this affine (numpy's `allclose`).
    /// Otherwise writes it to the sform, and to the qform with code 0.
    fn follow_affine(&mut self, affine: Option<&Affine>, fresh: bool) -> Result<()> {
        let Some(affine) = affine else {
            return Ok(());
        };
        let close = |a: f64, b: f64| (a - b).abs() <= 1e-8 + 1e-5 * b.abs() || a == b;
        // A quaternion that is too long (which an option allows when reading) is not written again.
        let same = affine::best(self, None).is_ok_and(|own| {
            let mut pairs = own.iter().flatten().zip(affine.iter().flatten());
            pairs.all(|(&own, &given)| close(given, own))
        });
        if same && !fresh {
            return Ok(());
        }
        self.set_sform(affine, ALIGNED);
        // A qform with code 0 is not used, so if the affine has no qform the old one may stay.
        if self.set_qform(affine, 0).is_err() {
            self.qform_code = 0;
        }
        Ok(())
    }

    fn extension_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for extension in &self.extensions {
            let size = (8 + extension.content.len()).next_multiple_of(16);
            let numbers = [size as i32, extension.code];
            for number in numbers {
                bytes.extend(match self.byte_order {
                    ByteOrder::Little => number.to_le_bytes(),
                    ByteOrder::Big => number.to_be_bytes(),
                });
            }
            bytes.extend(&extension.content);
            bytes.resize(bytes.len() + size - 8 - extension.content.len(), 0);
        }
        bytes
    }
}

/// The intent of components: colours if NRRD's `kinds` say so, otherwise a vector.
fn intent_of(header: &Header) -> i64 {
    let kinds = match &header.fields {
        Fields::Text(text) => text.get("kinds").unwrap_or_default(),
        _ => "",
    };
    let has = |name| kinds.split_whitespace().any(|kind| kind == name);
    match (has("RGB-color"), has("RGBA-color")) {
        (true, _) => RGB_VECTOR,
        (_, true) => RGBA_VECTOR,
        _ => VECTOR,
    }
}

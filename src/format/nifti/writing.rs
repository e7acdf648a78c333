//! NIfTI headers for writing, made from any image's header: what depends on what is as in nibabel.

use super::affine;
use crate::core::affine::Affine;
use crate::core::dtype::{ByteOrder, DType};
use crate::core::error::{Error, Result};
use crate::core::format::Format;
use crate::header::Header;
use crate::header::fields::Fields;
use crate::header::fields::nifti::{CIFTI, Container, EOL, NiftiHeader, Version, datatype_code};

/// The code of an affine that the image was given (`NIFTI_XFORM_ALIGNED_ANAT`).
const ALIGNED: i64 = 2;

/// What a header for writing is made for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target {
    pub version: Version,
    pub container: Container,
    pub gzip: bool,
    /// The type that voxels are stored in.
    pub dtype: DType,
    /// Slope and inter that give the values back.
    pub slope_inter: (f64, f64),
}

impl NiftiHeader {
    /// The header of an image with these facts: its own NIfTI fields where it has them, fresh ones otherwise.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Header`] for a shape that the version cannot hold, [`crate::ErrorKind::Unsupported`] for a
    /// voxel type that NIfTI does not have.
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
        nifti.follow_affine(header.affine.as_ref(), fresh)?;
        let extensions = nifti.extension_bytes().len() as u64;
        nifti.vox_offset = match container {
            Container::Single => (version.single_offset() + extensions) as f64,
            Container::Pair => 0.0,
        };
        Ok(nifti)
    }

    /// The header, the extension flag and the extensions: all that stands before the voxels of a single file.
    pub(crate) fn leading_bytes(&self) -> Vec<u8> {
        let mut bytes = self.to_bytes();
        bytes.extend([u8::from(!self.extensions.is_empty()), 0, 0, 0]);
        bytes.extend(self.extension_bytes());
        bytes
    }

    /// Whether a CIFTI-2 header serves an array of this shape too: its XML describes all rows and columns, and nibabel
    /// knows it only in single files that are not compressed.
    fn stays_cifti(&self, shape: &[usize], target: &Target) -> bool {
        let mut dense = self.dim.iter().skip(5).zip(shape);
        target.container == Container::Single
            && !target.gzip
            && self.version == Version::Two
            && self.dim[0] == 4 + shape.len() as i64
            && dense.all(|(&dim, &length)| dim == length as i64)
    }

    /// The affine of the qform, or else the base affine, unless there is an sform, which goes first.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Header`] for a quaternion that is longer than 1.
    pub(crate) fn best_affine_without_sform(&self) -> Result<Option<Affine>> {
        match self.sform_code {
            0 => affine::best(self).map(Some),
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
        // FreeSurfer's ways of storing a long first axis.
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
        // As in nibabel, sizes after the last axis stay while the shape stays.
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

    fn set_dtype(&mut self, dtype: DType) -> Result<()> {
        self.datatype = datatype_code(dtype)
            .ok_or_else(|| Error::unsupported(format!("NIfTI has no voxels of type {dtype}")))?;
        self.bitpix = 8 * dtype.size_bytes() as i64;
        Ok(())
    }

    /// Leaves the forms of a header that is not fresh alone where they lead to this affine already (numpy's
    /// `allclose`), else writes it to the sform, and to the qform without a code.
    fn follow_affine(&mut self, affine: Option<&Affine>, fresh: bool) -> Result<()> {
        let Some(affine) = affine else {
            return Ok(());
        };
        let close = |a: f64, b: f64| (a - b).abs() <= 1e-8 + 1e-5 * b.abs() || a == b;
        let own = affine::best(self)?;
        let same = own
            .iter()
            .flatten()
            .zip(affine.iter().flatten())
            .all(|(&own, &given)| close(given, own));
        if same && !fresh {
            return Ok(());
        }
        self.set_sform(affine, ALIGNED);
        // A qform without a code is not read: where the affine has none, the old one may stay.
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

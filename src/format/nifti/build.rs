//! NIfTI headers for writing: from any image's header, nibabel's rules for what follows what (spec 1.7).

use super::checks::datatype_code;
use super::{Container, NiftiHeader, Version, facts};
use crate::affine::{Affine, determinant, orthogonal_part};
use crate::dtype::DType;
use crate::error::{Error, Result};
use crate::format::cifti::CIFTI;
use crate::format::{Fields, Format};
use crate::header::Header;

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
            nifti.eol_check = [13, 10, 26, 10];
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

    /// Whether a CIFTI-2 header serves an array of this shape too: its XML tells of all rows and columns, and nibabel
    /// knows it only in single files that are not compressed.
    fn stays_cifti(&self, shape: &[usize], target: &Target) -> bool {
        let mut dense = self.dim.iter().skip(5).zip(shape);
        target.container == Container::Single
            && !target.gzip
            && self.version == Version::Two
            && self.dim[0] == 4 + shape.len() as i64
            && dense.all(|(&dim, &length)| dim == length as i64)
    }

    /// Makes this affine the sform.
    pub fn set_sform(&mut self, affine: &Affine, code: i64) {
        [self.srow_x, self.srow_y, self.srow_z, _] = *affine;
        self.sform_code = code;
    }

    /// Makes this affine the qform, and its column lengths the voxel sizes; shears are lost, as in nibabel.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Header`] for an affine that is not finite or whose columns are zero.
    pub fn set_qform(&mut self, affine: &Affine, code: i64) -> Result<()> {
        let columns = [0, 1, 2].map(|column| [0, 1, 2].map(|row: usize| affine[row][column]));
        let sizes =
            columns.map(|column: [f64; 3]| column.iter().map(|x| x * x).sum::<f64>().sqrt());
        if sizes.iter().any(|size| !size.is_finite() || *size == 0.0) {
            let found = format!("columns of lengths {sizes:?}");
            return Err(Error::header(
                "affine",
                found,
                "columns that lead somewhere",
            ));
        }
        let mut rotation = [0, 1, 2]
            .map(|row: usize| [0, 1, 2].map(|column: usize| affine[row][column] / sizes[column]));
        let qfac = if determinant(&rotation) > 0.0 {
            1.0
        } else {
            -1.0
        };
        rotation.iter_mut().for_each(|row| row[2] *= qfac);
        let [_, b, c, d] = quaternion(&orthogonal_part(rotation));
        (self.quatern_b, self.quatern_c, self.quatern_d) = (b, c, d);
        [self.qoffset_x, self.qoffset_y, self.qoffset_z] =
            [affine[0][3], affine[1][3], affine[2][3]];
        self.pixdim[0] = qfac;
        self.pixdim[1..4].copy_from_slice(&sizes);
        self.qform_code = code;
        Ok(())
    }

    /// The affine of the qform, or else the base affine, unless there is an sform, which goes first.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Header`] for a quaternion that is longer than 1.
    pub(crate) fn best_affine_without_sform(&self) -> Result<Option<Affine>> {
        match self.sform_code {
            0 => facts::affine(self).map(Some),
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
        // As in nibabel, sizes behind the last axis stay while the shape stays.
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
        let own = facts::affine(self)?;
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
                    crate::dtype::ByteOrder::Little => number.to_le_bytes(),
                    crate::dtype::ByteOrder::Big => number.to_be_bytes(),
                });
            }
            bytes.extend(&extension.content);
            bytes.resize(bytes.len() + size - 8 - extension.content.len(), 0);
        }
        bytes
    }
}

/// The unit quaternion (scalar part first, not negative) of a rotation.
fn quaternion(rotation: &[[f64; 3]; 3]) -> [f64; 4] {
    let [[xx, xy, xz], [yx, yy, yz], [zx, zy, zz]] = *rotation;
    // Of the four ways to compute it, the one that divides by the largest component.
    let squares = [
        1.0 + xx + yy + zz,
        1.0 + xx - yy - zz,
        1.0 - xx + yy - zz,
        1.0 - xx - yy + zz,
    ];
    let largest = (0..4).max_by(|&a, &b| squares[a].total_cmp(&squares[b]));
    let unscaled = match largest {
        Some(0) => [squares[0], zy - yz, xz - zx, yx - xy],
        Some(1) => [zy - yz, squares[1], xy + yx, xz + zx],
        Some(2) => [xz - zx, xy + yx, squares[2], yz + zy],
        _ => [yx - xy, xz + zx, yz + zy, squares[3]],
    };
    let length = unscaled.iter().map(|part| part * part).sum::<f64>().sqrt();
    let sign = if unscaled[0] < 0.0 { -length } else { length };
    unscaled.map(|part| part / sign)
}

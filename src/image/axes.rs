//! Which axes form a volume, and along which axis frames are counted. See doc/AXES.md.

use super::DataobjImage;
use crate::core::affine::AxisDirection;
use crate::core::dtype::DType;
use crate::core::error::Result;
use crate::format::nifti::{RGB_VECTOR, RGBA_VECTOR};
use crate::header::AxisKind;
use crate::header::fields::Fields;
use crate::plan::index::Index;
use crate::read::proxy::ArrayProxy;

/// A colour image (RGB24, RGBA32) as an image of bytes, with the channels along a new last axis of components.
/// Voxels are read on demand, as with [`DataobjImage::slicer`].
///
/// ```no_run
/// # fn main() -> voxload::Result<()> {
/// let red = voxload::channels(&voxload::load("colours.nii")?)?.slicer("[..., 0]")?;
/// # let _ = red;
/// # Ok(()) }
/// ```
///
/// # Errors
/// [`crate::ErrorKind::DType`] if the voxels are not colours.
pub fn channels(image: &DataobjImage) -> Result<DataobjImage> {
    let dataobj = image.dataobj.channels()?;
    let mut header = image.header.clone();
    header.dtype = dataobj.dtype();
    header.shape = dataobj.shape().to_vec();
    header.axes.push(AxisKind::Component);
    header.zooms.push(1.0);
    if let Fields::Nifti(nifti) = &mut header.fields {
        nifti.intent_code = match image.dataobj.dtype() {
            DType::Rgba32 => RGBA_VECTOR,
            _ => RGB_VECTOR,
        };
    }
    let mut bytes =
        DataobjImage::new(dataobj, header, image.extra.clone(), image.file_map.clone())?;
    bytes.notes.clone_from(&image.notes);
    Ok(bytes)
}

impl DataobjImage {
    /// These voxels with the frame axis last, so that each frame is contiguous in the output.
    pub(super) fn frames_last(&self, voxels: &ArrayProxy) -> Result<ArrayProxy> {
        let Some(axis) = self.header.frame_axis().filter(|_| !self.has_frames_last()) else {
            return Ok(voxels.clone());
        };
        let others = (0..self.ndim()).filter(|&other| other != axis);
        let sources: Vec<_> = others
            .chain([axis])
            .map(|axis| AxisDirection {
                axis,
                flipped: false,
            })
            .collect();
        voxels.with_view(voxels.select(&Index::new())?.reordered(&sources))
    }

    /// Whether the frame axis is the last one, or there is none.
    pub(super) fn has_frames_last(&self) -> bool {
        let axis = self.header.frame_axis();
        axis.is_none_or(|axis| axis + 1 == self.ndim())
    }

    /// The index of the first volume: all positions along the spatial axes (or along the first three axes, if none is
    /// spatial), and position 0 of the others.
    #[cfg(feature = "gpu")]
    pub(super) fn first_volume(&self) -> Index {
        let mut space = self.header.space_axes();
        if space.is_empty() {
            space = vec![0, 1, 2];
        }
        (0..self.ndim()).fold(Index::new(), |index, axis| match space.contains(&axis) {
            true => index.all(),
            false => index.at(0),
        })
    }
}

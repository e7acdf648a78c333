//! Slicing and reorienting images: the voxels are still read on demand, the affine follows.

use super::{DataobjImage, zooms};
use crate::core::affine::{Affine, AxisDirection, Orientation, multiply};
use crate::core::error::{Error, Result};
use crate::header::AxisKind;
use crate::plan::index::Index;
use crate::plan::selection::{OutAxis, Selection};

impl DataobjImage {
    /// The image of what an index selects; its affine follows. nibabel's `img.slicer[...]`, but lazy: voxels are read
    /// when they are asked for, and only those.
    ///
    /// The first three axes must stay: no integer or new axis is allowed there. nibabel uses a negative start or step as it
    /// is written; the affine here is always that of the voxels that are selected.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Index`] for an index that does not fit the shape, drops or adds a spatial axis, or selects
    /// no voxels.
    pub fn slicer(&self, index: impl TryInto<Index, Error: Into<Error>>) -> Result<Self> {
        let index = index.try_into().map_err(Into::into)?;
        let own = index.select(self.shape())?;
        let spatial = self.ndim().min(3);
        for axis in 0..spatial {
            match own.out.get(axis) {
                Some(&OutAxis::Axis(source)) if source == axis => {}
                Some(OutAxis::New(_)) => {
                    return Err(Error::index(
                        "a new axis is not permitted in spatial dimensions",
                    ));
                }
                _ => {
                    return Err(Error::index(format!(
                        "an integer is not allowed in spatial dimension {axis}: use a slice of length 1"
                    )));
                }
            }
        }
        if own.shape().contains(&0) {
            return Err(Error::index("the index selects no voxels"));
        }
        let affine = self.header.affine;
        let affine = affine.map(|affine| multiply(&affine, &sliced(&own)));
        self.with_view(&index, |selection| selection, affine)
    }

    /// The image with its voxel axes in the order and direction closest to right, anterior, superior; lazy as
    /// [`Self::slicer`]. nibabel's `as_closest_canonical`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Usage`] without an affine, or with one that is singular, [`crate::ErrorKind::Header`]
    /// with one that is not finite, [`crate::ErrorKind::Shape`] with fewer than three axes.
    pub fn as_closest_canonical(&self) -> Result<Self> {
        let affine = self
            .header
            .affine
            .ok_or_else(|| Error::usage("the image has no affine to orient it by"))?;
        let orientation = Orientation::of(&affine)?;
        let inverse = orientation.inverse_affine(self.shape())?;
        let sources = orientation.canonical_axes()?;
        self.with_view(
            &Index::new(),
            |selection| selection.reordered(&sources),
            Some(multiply(&affine, &inverse)),
        )
    }

    /// The image with its first axes in another order: axis `k` of the result is axis `sources[k].axis`, backwards
    /// where that is flipped; the affine follows, further axes stay. Lazy as [`Self::slicer`].
    ///
    /// # Errors
    /// [`crate::ErrorKind::Usage`] when the sources are not a permutation of `0..sources.len()`.
    pub fn as_reoriented(&self, sources: &[AxisDirection]) -> Result<Self> {
        let permutation = (0..sources.len())
            .all(|axis| sources.iter().any(|source| source.axis == axis))
            && sources.len() <= self.ndim();
        if !permutation {
            return Err(Error::usage(format!(
                "{sources:?} is not an order of the first axes of {:?}",
                self.shape()
            )));
        }
        let affine = self
            .header
            .affine
            .map(|affine| multiply(&affine, &reordered(sources, self.shape())));
        self.with_view(
            &Index::new(),
            |selection| selection.reordered(sources),
            affine,
        )
    }

    fn with_view(
        &self,
        index: &Index,
        change: impl Fn(Selection) -> Selection,
        affine: Option<Affine>,
    ) -> Result<Self> {
        let own = change(index.select(self.shape())?);
        let dataobj = self
            .dataobj
            .with_view(change(self.dataobj.select(index)?))?;
        let mut header = self.header.clone();
        header.affine = affine;
        header.shape = dataobj.shape().to_vec();
        let kept = |out: &OutAxis| match *out {
            OutAxis::Axis(axis) => self.header.zooms.get(axis).copied().unwrap_or(1.0),
            OutAxis::New(_) => 1.0,
        };
        header.zooms = own.out.iter().map(kept).collect();
        let kind = |out: &OutAxis| match *out {
            OutAxis::Axis(axis) => self.header.axes.get(axis).copied().unwrap_or_default(),
            OutAxis::New(_) => AxisKind::Other,
        };
        header.axes = own.out.iter().map(kind).collect();
        if affine != self.header.affine {
            let spatial = zooms(own.out.len().min(3), affine.as_ref());
            header.zooms.splice(..spatial.len(), spatial);
        }
        let mut image = Self::new(dataobj, header, self.extra.clone(), self.file_map.clone())?;
        image.notes.clone_from(&self.notes);
        Ok(image)
    }
}

/// Maps an index of the selection to one of the whole.
fn sliced(selection: &Selection) -> Affine {
    let mut affine = identity();
    for (axis, positions) in selection.axes.iter().take(3).enumerate() {
        affine[axis][axis] = positions.step as f64;
        affine[axis][3] = positions.start as f64;
    }
    affine
}

/// Maps an index of the reordered axes to one of the original axes.
fn reordered(sources: &[AxisDirection], shape: &[usize]) -> Affine {
    let mut affine = identity();
    for row in affine.iter_mut().take(sources.len().min(3)) {
        *row = [0.0; 4];
    }
    for (column, source) in sources.iter().take(3).enumerate() {
        if source.axis < 3 {
            let row = &mut affine[source.axis];
            row[column] = if source.flipped { -1.0 } else { 1.0 };
            row[3] = if source.flipped {
                shape[source.axis] as f64 - 1.0
            } else {
                0.0
            };
        }
    }
    affine
}

fn identity() -> Affine {
    std::array::from_fn(|row| std::array::from_fn(|column| f64::from(u8::from(row == column))))
}

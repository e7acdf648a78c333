//! Streams over an image's frames.

use super::DataobjImage;
use crate::array::StoredArray;
use crate::dataobj::Dataobj;
use crate::dtype::{DType, Float};
use crate::error::Result;
use crate::proxy::ArrayProxy;
use crate::stream::feed::{Feed, proxy_of};
use crate::stream::turns::Turns;
use crate::stream::{FrameOptions, Frames};

impl DataobjImage {
    /// The frames of a series one after the other in host memory, computed ahead on a thread in a fixed number of
    /// bytes: the bits of [`Self::get_fdata`] of the whole.
    ///
    /// A kept host array of this type that was not edited is copied from; else the file is read, never an edited
    /// copy. A gzip file is inflated forwards once for each pass, and checked to its end when a pass in ascending
    /// order comes there: the error is then the last item. Backwards, each block of a gzip file may inflate it anew.
    ///
    /// ```no_run
    /// # fn main() -> voxload::Result<()> {
    /// use voxload::FrameOptions;
    /// let img = voxload::load("bold.nii.gz")?;
    /// for frame in img.frames::<f32>(&FrameOptions::new())? {
    ///     let frame = frame?;
    ///     println!("{}: {:?}", frame.index(), frame.as_slice().first());
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`crate::ErrorKind::Usage`] for options of 0, [`crate::ErrorKind::DType`] for colours,
    /// [`crate::ErrorKind::Truncated`] for a file too short for its frames, [`crate::ErrorKind::OutOfMemory`]. What
    /// reading finds later comes as an item.
    pub fn frames<T: Float>(&self, options: &FrameOptions) -> Result<Frames<T>> {
        Frames::new(self.feed::<T>(options)?)
    }

    /// What a stream of `T` reads.
    fn feed<T: Float>(&self, options: &FrameOptions) -> Result<Feed> {
        let turns = Turns::new(self.shape(), options)?;
        Feed::new(&self.unedited::<T>()?, turns)
    }

    /// The voxels as the file has them: a clean kept array of `T`, or the file.
    fn unedited<T: Float>(&self) -> Result<ArrayProxy> {
        let kept = self.cache().clean_host::<T>();
        match (&self.dataobj, kept) {
            (Dataobj::Proxy(_), Some(kept)) => proxy_of(T::wrap(kept)),
            (Dataobj::Proxy(proxy), None) => Ok(proxy.clone()),
            (Dataobj::Array(array), _) if is_cast(array, T::DTYPE) => {
                proxy_of(T::wrap(self.dataobj.read::<T>()?))
            }
            (Dataobj::Array(array), _) => proxy_of(array.clone()),
        }
    }
}

/// Whether an array image rounds these only once, where a file's voxels go through f64 (spec 1.2).
fn is_cast(array: &StoredArray, output: DType) -> bool {
    matches!(array.dtype(), DType::I64 | DType::U64) && output == DType::F32
}

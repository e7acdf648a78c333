//! What an image's voxels come from: a proxy of a file, or an array.

use rayon::prelude::*;

use crate::convert::Conversion;
use crate::core::array::{Buffer, Element, HostArray, StoredArray};
use crate::core::dtype::{ByteOrder, DType};
use crate::core::error::{Error, Result};
use crate::core::float::{ComplexFloat, Float};
use crate::core::scaling::Scaling;
use crate::core::shape::elements;
use crate::core::{scope, threads};
use crate::header::Layout;
use crate::plan::index::Index;
use crate::plan::selection::Selection;
use crate::read::host::convert_bytes;
use crate::read::proxy::ArrayProxy;

/// Values that one thread casts at a time.
const PIECE: usize = 1 << 16;

/// The data provider of an image, as nibabel's `dataobj`.
#[derive(Debug, Clone)]
pub enum Dataobj {
    /// Voxels of a file, read on demand and scaled.
    Proxy(ArrayProxy),
    /// Values in memory; they are never scaled.
    Array(StoredArray),
}

impl Dataobj {
    /// Whether the voxels are read on demand.
    pub fn is_proxy(&self) -> bool {
        matches!(self, Self::Proxy(_))
    }

    /// The proxy, for an image of a file.
    pub fn as_proxy(&self) -> Option<&ArrayProxy> {
        match self {
            Self::Proxy(proxy) => Some(proxy),
            Self::Array(_) => None,
        }
    }

    /// Voxels along each axis.
    pub fn shape(&self) -> &[usize] {
        match self {
            Self::Proxy(proxy) => proxy.shape(),
            Self::Array(array) => array.shape(),
        }
    }

    /// Number of axes.
    pub fn ndim(&self) -> usize {
        self.shape().len()
    }

    /// The stored voxel type, or the array's.
    pub fn dtype(&self) -> DType {
        match self {
            Self::Proxy(proxy) => proxy.dtype(),
            Self::Array(array) => array.dtype(),
        }
    }

    /// All values. An array of this very type is given out itself.
    ///
    /// # Errors
    /// As [`ArrayProxy::read`].
    pub fn read<T: Float>(&self) -> Result<HostArray<T>> {
        match self {
            Self::Proxy(proxy) => proxy.read(),
            Self::Array(array) => cast_whole(array),
        }
    }

    /// All values as complex numbers.
    ///
    /// # Errors
    /// As [`ArrayProxy::read`].
    pub fn read_complex<T: ComplexFloat>(&self) -> Result<HostArray<T>> {
        match self {
            Self::Proxy(proxy) => proxy.read_complex(),
            Self::Array(array) => cast_whole(array),
        }
    }

    /// All values into the caller's buffer, the first axis fastest; a buffer used before saves half the time.
    ///
    /// # Errors
    /// As [`ArrayProxy::read_into`].
    pub fn read_into<T: Float>(&self, out: &mut [T]) -> Result<()> {
        self.slice_into(&Index::new(), out)
    }

    /// The values that an index takes, reading only their bytes.
    ///
    /// # Errors
    /// As [`ArrayProxy::slice`].
    pub fn slice<T: Float>(&self, index: &Index) -> Result<HostArray<T>> {
        match self {
            Self::Proxy(proxy) => proxy.slice(index),
            Self::Array(array) => cast(&take(array, index)?),
        }
    }

    /// The values that an index takes, into the caller's buffer, the first axis fastest.
    ///
    /// # Errors
    /// As [`ArrayProxy::slice_into`].
    pub fn slice_into<T: Float>(&self, index: &Index, out: &mut [T]) -> Result<()> {
        match self {
            Self::Proxy(proxy) => proxy.slice_into(index, out),
            Self::Array(array) => {
                let values: HostArray<T> = cast(&take(array, index)?)?;
                if values.len() != out.len() {
                    return Err(Error::shape(
                        values.shape(),
                        format!("{} elements", out.len()),
                    ));
                }
                out.copy_from_slice(values.as_slice());
                Ok(())
            }
        }
    }

    /// All values as `np.asarray(dataobj)` gives them: as stored when nothing is scaled, else f64.
    ///
    /// # Errors
    /// As [`ArrayProxy::read`].
    pub fn native(&self) -> Result<StoredArray> {
        self.slice_native(&Index::new())
    }

    /// The values that an index takes, typed as [`Self::native`].
    ///
    /// # Errors
    /// As [`ArrayProxy::slice`].
    pub fn slice_native(&self, index: &Index) -> Result<StoredArray> {
        match self {
            Self::Proxy(proxy) => proxy.slice_native(index),
            Self::Array(array) => take(array, index),
        }
    }

    /// What an index takes, as a provider of its own: of a file still read on demand, of an array copied.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Index`] when the index does not fit the shape.
    pub fn sliced(&self, index: &Index) -> Result<Self> {
        self.with_view(self.select(index)?)
    }

    /// What an index takes of the voxels.
    pub(crate) fn select(&self, index: &Index) -> Result<Selection> {
        match self {
            Self::Proxy(proxy) => proxy.select(index),
            Self::Array(array) => index.select(array.shape()),
        }
    }

    /// What a selection takes: of a file still read on demand, of an array copied.
    pub(crate) fn with_view(&self, selection: Selection) -> Result<Self> {
        Ok(match self {
            Self::Proxy(proxy) => Self::Proxy(proxy.with_view(selection)),
            Self::Array(array) => Self::Array(take_selection(array, &selection)?),
        })
    }

    /// All stored numbers, in native byte order.
    ///
    /// # Errors
    /// As [`ArrayProxy::read`].
    pub fn unscaled(&self) -> Result<StoredArray> {
        match self {
            Self::Proxy(proxy) => proxy.unscaled(),
            Self::Array(array) => Ok(array.clone()),
        }
    }
}

/// The elements of an array that an index takes.
fn take(array: &StoredArray, index: &Index) -> Result<StoredArray> {
    let selection = index.select(array.shape())?;
    take_selection(array, &selection)
}

/// The elements of an array that a selection takes.
pub(crate) fn take_selection(array: &StoredArray, selection: &Selection) -> Result<StoredArray> {
    if *selection == Selection::whole(array.shape()) {
        return Ok(array.clone());
    }
    fn typed<T: Element>(array: &HostArray<T>, selection: &Selection) -> Result<StoredArray> {
        let conversion = Conversion::native(T::DTYPE, ByteOrder::NATIVE, &Scaling::none())?;
        Ok(convert_array::<T, T>(array, &conversion, selection)?.into())
    }
    crate::core::array::with_stored!(array, array => typed(array, selection))
}

fn cast_whole<T: Element>(array: &StoredArray) -> Result<HostArray<T>> {
    match array.get::<T>() {
        Some(same) => Ok(same.clone()),
        None => cast(array),
    }
}

/// An array's elements in another type: a direct cast as numpy's, where the values of a file go through f64.
fn cast<T: Element>(array: &StoredArray) -> Result<HostArray<T>> {
    match (array, T::DTYPE) {
        (StoredArray::I64(whole), DType::F32) => rounded_once(whole, |value| value as f32),
        (StoredArray::U64(whole), DType::F32) => rounded_once(whole, |value| value as f32),
        _ => {
            fn typed<T: Element, O: Element>(array: &HostArray<T>) -> Result<HostArray<O>> {
                let none = Scaling::none();
                let conversion = Conversion::new(T::DTYPE, ByteOrder::NATIVE, &none, O::DTYPE)?;
                convert_array(array, &conversion, &Selection::whole(array.shape()))
            }
            crate::core::array::with_stored!(array, array => typed(array))
        }
    }
}

/// 64-bit integers to f32 in one rounding.
fn rounded_once<I: Element, O: Element>(
    array: &HostArray<I>,
    round: impl Fn(I) -> f32 + Sync,
) -> Result<HostArray<O>> {
    let mut buffer = Buffer::<O>::zeroed(array.len())?;
    let out: &mut [f32] = bytemuck::cast_slice_mut(buffer.as_mut_slice()?);
    threads::parallel(|scope| -> Result<()> {
        let pieces = out
            .par_chunks_mut(PIECE)
            .zip(array.as_slice().par_chunks(PIECE));
        pieces.try_for_each(|(out, values)| {
            scope.enter(scope::check)?;
            for (out, &value) in out.iter_mut().zip(values) {
                *out = round(value);
            }
            Ok(())
        })
    })?;
    HostArray::from_buffer(array.shape(), buffer)
}

fn convert_array<T: Element, O: Element>(
    array: &HostArray<T>,
    conversion: &Conversion,
    selection: &Selection,
) -> Result<HostArray<O>> {
    let shape = selection.shape();
    let mut buffer = Buffer::zeroed(elements::<O>(&shape)?)?;
    convert_bytes(
        conversion,
        bytemuck::cast_slice(array.as_slice()),
        &selection.plan(array.shape(), Layout::FirstFastest),
        buffer.as_mut_slice()?,
    )?;
    HostArray::from_buffer(&shape, buffer)
}

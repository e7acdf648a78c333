//! Arrays in host memory: shared, column-major (Fortran order), of a type known at compile time
//! ([`HostArray`]) or at run time ([`StoredArray`]).

use std::fmt;
use std::sync::Arc;

use bytemuck::Pod;
use ndarray::{ArrayViewD, ArrayViewMutD, IxDyn, ShapeBuilder};

pub(crate) use crate::core::buffer::Buffer;

use crate::core::dtype::{DType, c128};
use crate::core::error::{Error, Result};
use crate::core::shape::elements;

/// An array in host memory, column-major. Clones share the elements.
#[derive(Clone)]
pub struct HostArray<T> {
    shape: Arc<[usize]>,
    buffer: Arc<Buffer<T>>,
}

impl<T: Pod> HostArray<T> {
    /// An array of these elements, the first axis fastest.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Shape`] when `elements` is not as long as the shape says.
    pub fn from_vec(shape: &[usize], elements: Vec<T>) -> Result<Self> {
        Self::from_buffer(shape, Buffer::from_vec(elements))
    }

    pub(crate) fn from_buffer(shape: &[usize], buffer: Buffer<T>) -> Result<Self> {
        let found = buffer.as_slice().len();
        if elements::<T>(shape)? != found {
            return Err(Error::shape(shape, format!("{found} elements")));
        }
        Ok(Self {
            shape: shape.into(),
            buffer: Arc::new(buffer),
        })
    }

    /// Elements along each axis.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Number of axes.
    pub fn ndim(&self) -> usize {
        self.shape.len()
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        self.as_slice().len()
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of all elements.
    pub fn size_bytes(&self) -> usize {
        size_of_val(self.as_slice())
    }

    /// The elements, the first axis fastest.
    pub fn as_slice(&self) -> &[T] {
        self.buffer.as_slice()
    }

    /// The elements as an ndarray view (of Fortran layout).
    pub fn view(&self) -> ArrayViewD<'_, T> {
        let shape = IxDyn(&self.shape).f();
        ArrayViewD::from_shape(shape, self.as_slice()).unwrap_or_else(|_| {
            unreachable!("the length was compared with the shape when it was made")
        })
    }

    /// The elements as a vector, copied unless this is the only handle on a vector.
    pub fn into_vec(self) -> Vec<T> {
        match Arc::try_unwrap(self.buffer) {
            Ok(buffer) => buffer.into_vec(),
            Err(shared) => shared.as_slice().to_vec(),
        }
    }

    /// The same elements under another shape.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Shape`] when the number of elements differs.
    pub fn reshape(self, shape: &[usize]) -> Result<Self> {
        if elements::<T>(shape)? != self.len() {
            return Err(Error::shape(shape, format!("{} elements", self.len())));
        }
        Ok(Self {
            shape: shape.into(),
            ..self
        })
    }

    /// Whether both are handles on the same elements.
    pub fn shares_memory_with(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.buffer, &other.buffer)
    }

    /// The elements for editing; copied first when there is another handle on them.
    ///
    /// # Errors
    /// [`crate::ErrorKind::OutOfMemory`] when there is no memory for the copy, and
    /// [`crate::ErrorKind::Usage`] when the elements are a file mapped for reading only.
    pub(crate) fn make_mut(&mut self) -> Result<ArrayViewMutD<'_, T>> {
        if Arc::get_mut(&mut self.buffer).is_none() {
            let mut copy = Buffer::zeroed(self.len())?;
            copy.as_mut_slice()?.copy_from_slice(self.as_slice());
            self.buffer = Arc::new(copy);
        }
        let shape = IxDyn(&self.shape).f();
        let buffer = Arc::get_mut(&mut self.buffer)
            .ok_or_else(|| Error::usage("the array is in use by somebody else"))?;
        Ok(
            ArrayViewMutD::from_shape(shape, buffer.as_mut_slice()?).unwrap_or_else(|_| {
                unreachable!("the length was compared with the shape when it was made")
            }),
        )
    }
}

/// Equal shapes and equal elements: as in numpy, a NaN equals nothing.
impl<T: Pod + PartialEq> PartialEq for HostArray<T> {
    fn eq(&self, other: &Self) -> bool {
        self.shape == other.shape && self.as_slice() == other.as_slice()
    }
}

impl<T: Pod + Eq> Eq for HostArray<T> {}

/// The elements, the first axis fastest.
impl<T: Pod> AsRef<[T]> for HostArray<T> {
    fn as_ref(&self) -> &[T] {
        self.as_slice()
    }
}

/// The elements, the first axis fastest.
impl<'a, T: Pod> IntoIterator for &'a HostArray<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.as_slice().iter()
    }
}

impl<T: Pod> From<HostArray<T>> for ndarray::ArrayD<T> {
    /// An array of Fortran layout; copies only what [`HostArray::into_vec`] copies.
    fn from(array: HostArray<T>) -> Self {
        let shape = IxDyn(&array.shape).f();
        Self::from_shape_vec(shape, array.into_vec()).unwrap_or_else(|_| {
            unreachable!("the length was compared with the shape when it was made")
        })
    }
}

impl<T: Pod + fmt::Debug> fmt::Debug for HostArray<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.view().fmt(f)
    }
}

/// The colour of an RGB24 voxel: red, green, blue.
pub type Rgb = [u8; 3];
/// The colour of an RGBA32 voxel: red, green, blue, alpha.
pub type Rgba = [u8; 4];

/// Makes values of the voxels in these bytes: each decoded, multiplied by the first number, the second one added, narrowed.
pub(crate) type LinearRow<T> = fn(&[u8], &mut [T], f64, f64);

/// Makes values of complex voxels or of voxels to be complex: their stored type, how a part becomes f64, and the steps.
pub(crate) type ComplexRow<T> = fn(&[u8], &mut [T], DType, LinearRow<f64>, &dyn Fn(&mut c128));

/// The ways to make a row of values of one type. Declared here so that every [`Element`] has them, and given by
/// `convert::kernels`, which knows how; integers and colours are only ever copied, and have none.
pub trait Rows: Sized {
    /// Whether there are none of these ways.
    const COPIES_ONLY: bool = false;

    /// Multiply and add in f64, for a stored type and whether it is big-endian.
    fn linear(stored: DType, big: bool) -> Option<LinearRow<Self>> {
        let _ = (stored, big);
        None
    }

    /// The same faster, where all slopes and inters allow it.
    fn fused(stored: DType, big: bool, factors: &[(f64, f64)]) -> Option<LinearRow<Self>> {
        let _ = (stored, big, factors);
        None
    }

    /// Any steps on complex numbers.
    fn complex() -> Option<ComplexRow<Self>> {
        None
    }
}

/// How a [`StoredArray`] is made of an array of this type, and looked into.
pub trait Variant: Sized {
    /// The stored array with this array inside.
    fn stored(array: HostArray<Self>) -> StoredArray;
    /// The array inside, when it is of this type.
    fn array_in(stored: &StoredArray) -> Option<&HostArray<Self>>;
    /// The array inside for editing, when it is of this type.
    fn array_in_mut(stored: &mut StoredArray) -> Option<&mut HostArray<Self>>;
}

/// An element type of [`StoredArray`]: a voxel type. It cannot be implemented outside this crate.
pub trait Element: Rows + Variant + Pod + Send + Sync + PartialEq + fmt::Debug {
    /// The same type as a [`DType`].
    const DTYPE: DType;
}

macro_rules! stored_array {
    ($($variant:ident $type:ty),* $(,)?) => {
        /// An array of any of the stored types, in native byte order, column-major.
        #[derive(Debug, Clone, PartialEq)]
        #[expect(missing_docs, reason = "each name is its own description")]
        pub enum StoredArray { $($variant(HostArray<$type>)),* }

        $(impl Element for $type {
            const DTYPE: DType = DType::$variant;
        }

        impl Variant for $type {
            fn stored(array: HostArray<Self>) -> StoredArray {
                StoredArray::$variant(array)
            }
            fn array_in(stored: &StoredArray) -> Option<&HostArray<Self>> {
                match stored {
                    StoredArray::$variant(array) => Some(array),
                    _ => None,
                }
            }
            fn array_in_mut(stored: &mut StoredArray) -> Option<&mut HostArray<Self>> {
                match stored {
                    StoredArray::$variant(array) => Some(array),
                    _ => None,
                }
            }
        })*

        /// Runs `$body` with `$array` bound to the typed array inside.
        macro_rules! with_stored {
            ($stored:expr, $array:ident => $body:expr) => {
                match $stored { $(crate::core::array::StoredArray::$variant($array) => $body),* }
            };
        }
        pub(crate) use with_stored;

        /// Runs `$body` with the type `$T` that a [`DType`] names.
        macro_rules! with_dtype {
            ($dtype:expr, $T:ident => $body:expr) => {
                match $dtype { $(crate::core::dtype::DType::$variant => { type $T = $type; $body })* }
            };
        }
        pub(crate) use with_dtype;
    };
}

stored_array! {
    U8 u8, I8 i8, U16 u16, I16 i16, U32 u32, I32 i32, U64 u64, I64 i64,
    F16 half::f16, F32 f32, F64 f64, C64 crate::core::dtype::c64, C128 crate::core::dtype::c128,
    Rgb24 [u8; 3], Rgba32 [u8; 4],
}

impl StoredArray {
    /// The type of the elements.
    pub fn dtype(&self) -> DType {
        fn dtype_of<T: Element>(_: &HostArray<T>) -> DType {
            T::DTYPE
        }
        with_stored!(self, array => dtype_of(array))
    }

    /// Elements along each axis.
    pub fn shape(&self) -> &[usize] {
        with_stored!(self, array => array.shape())
    }

    /// Number of axes.
    pub fn ndim(&self) -> usize {
        self.shape().len()
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        with_stored!(self, array => array.len())
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes of the elements, the first axis fastest, in native byte order.
    pub fn as_bytes(&self) -> &[u8] {
        with_stored!(self, array => bytemuck::cast_slice(array.as_slice()))
    }

    /// The array, when its elements are of type `T`.
    pub fn get<T: Element>(&self) -> Option<&HostArray<T>> {
        T::array_in(self)
    }
}

impl StoredArray {
    /// The same elements under another shape.
    ///
    /// # Errors
    /// As [`HostArray::reshape`].
    pub(crate) fn reshape(self, shape: &[usize]) -> Result<Self> {
        with_stored!(self, array => array.reshape(shape).map(Self::from))
    }

    pub(crate) fn get_mut<T: Element>(&mut self) -> Option<&mut HostArray<T>> {
        T::array_in_mut(self)
    }
}

impl<T: Element> From<HostArray<T>> for StoredArray {
    fn from(array: HostArray<T>) -> Self {
        T::stored(array)
    }
}

impl<T: Element, D: ndarray::Dimension> From<ndarray::Array<T, D>> for HostArray<T> {
    /// Copies into column-major order, unless the array is in that order already.
    fn from(array: ndarray::Array<T, D>) -> Self {
        let shape: Arc<[usize]> = array.shape().into();
        let reversed = array.into_dyn().reversed_axes();
        let elements = if reversed.is_standard_layout() {
            let (elements, offset) = reversed.into_raw_vec_and_offset();
            let start = offset.unwrap_or(0);
            let length: usize = shape.iter().product();
            if start == 0 && elements.len() == length {
                elements
            } else {
                elements[start..start + length].to_vec()
            }
        } else {
            reversed.iter().copied().collect()
        };
        Self {
            shape,
            buffer: Arc::new(Buffer::from_vec(elements)),
        }
    }
}

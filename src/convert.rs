//! Conversion between stored bytes and numbers; nothing else in voxload does this. A [`Conversion`] describes it as
//! data and is chosen once. The CPU ([`kernels`]) and the GPU (`wgsl`) both carry it out, and agree to the bit.
//! doc/VALUES.md has the rules.

#[cfg(test)]
mod double;
mod fused;
pub(crate) mod kernels;
#[cfg(feature = "gpu")]
pub(crate) mod packet;
pub(crate) mod place;
mod rows;
pub(crate) mod store;
#[cfg(feature = "gpu")]
pub(crate) mod texel;
#[cfg(feature = "gpu")]
pub(crate) mod wgsl;

use crate::core::dtype::{ByteOrder, DType};
use crate::core::error::{ErrorKind, Result};
#[cfg(feature = "gpu")]
use crate::core::scaling;
use crate::core::scaling::{Scaling, Step};

/// How stored voxels are converted.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Conversion {
    /// The stored type.
    pub stored: DType,
    /// The stored byte order.
    pub order: ByteOrder,
    /// The steps, already selected for this stored type and output.
    pub steps: Vec<Step>,
    /// Stored voxels per entry of the steps' tables; 0 if there are no tables.
    pub block: u64,
    /// The type of the result.
    pub output: DType,
    /// For integer texels (`output` is then u8 or u16): the values that become 0 and the largest texel.
    #[cfg(feature = "gpu")]
    pub window: Option<texel::Window>,
}

impl Conversion {
    /// The conversion that nibabel does for `get_fdata(dtype=output)` of a proxy.
    ///
    /// # Errors
    /// [`ErrorKind::DType`] for colours that would have to be scaled or converted to floats.
    pub(crate) fn new(
        stored: DType,
        order: ByteOrder,
        scaling: &Scaling,
        output: DType,
    ) -> Result<Self> {
        Self::checked(stored, order, scaling, output, Some(output))
    }

    /// The conversion of `np.asarray(dataobj)`: the stored type, if nothing is scaled.
    ///
    /// # Errors
    /// [`ErrorKind::DType`] for colours that would have to be scaled.
    pub(crate) fn native(stored: DType, order: ByteOrder, scaling: &Scaling) -> Result<Self> {
        let output = scaling.native_output(stored);
        Self::checked(stored, order, scaling, output, None)
    }

    fn checked(
        stored: DType,
        order: ByteOrder,
        scaling: &Scaling,
        output: DType,
        request: Option<DType>,
    ) -> Result<Self> {
        if stored.is_colour() && (stored != output || !scaling.is_none()) {
            let wanted = if stored == output {
                "scaled values".to_owned()
            } else {
                output.to_string()
            };
            return Err(ErrorKind::DType {
                stored: stored.to_string(),
                wanted,
            }
            .into());
        }
        Ok(Self {
            stored,
            order,
            steps: scaling.steps_for(stored, request),
            block: if scaling.has_table() {
                scaling.block()
            } else {
                0
            },
            output,
            #[cfg(feature = "gpu")]
            window: None,
        })
    }

    /// A copy of the stored bytes, as unsigned integers of the stored type's size in native byte order.
    #[cfg(feature = "gpu")]
    pub(crate) fn raw(stored: DType) -> Self {
        let same_size = match stored.size_bytes() {
            1 => DType::U8,
            2 => DType::U16,
            4 => DType::U32,
            _ => DType::U64,
        };
        Self {
            stored: same_size,
            order: ByteOrder::NATIVE,
            steps: Vec::new(),
            block: 0,
            output: same_size,
            window: None,
        }
    }

    /// The tables of the steps, in order.
    #[cfg(feature = "gpu")]
    pub(crate) fn tables(&self) -> impl Iterator<Item = &std::sync::Arc<[f64]>> {
        scaling::tables(&self.steps)
    }

    /// Whether the result is the stored bits, except for their byte order.
    pub(crate) fn is_copy(&self) -> bool {
        #[cfg(feature = "gpu")]
        if self.window.is_some() {
            return false;
        }
        self.steps.is_empty() && self.stored == self.output
    }

    /// Whether the result is the stored bytes.
    pub(crate) fn is_plain_copy(&self) -> bool {
        self.is_copy() && (self.order == ByteOrder::NATIVE || self.stored.part_bytes() == 1)
    }
}

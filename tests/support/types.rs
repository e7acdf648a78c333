//! The voxel types that tests go through.

use voxload::DType;

/// All that NIfTI can store and voxload reads, but for RGBA.
pub const NIFTI: [DType; 13] = [
    DType::U8,
    DType::I8,
    DType::U16,
    DType::I16,
    DType::U32,
    DType::I32,
    DType::U64,
    DType::I64,
    DType::F32,
    DType::F64,
    DType::C64,
    DType::C128,
    DType::Rgb24,
];

/// The real numbers among them.
pub const NIFTI_REAL: &[DType] = NIFTI.split_at(10).0;

/// All real numbers, those of no NIfTI file too.
pub const REAL: [DType; 11] = [
    DType::U8,
    DType::I8,
    DType::U16,
    DType::I16,
    DType::U32,
    DType::I32,
    DType::U64,
    DType::I64,
    DType::F16,
    DType::F32,
    DType::F64,
];

//! Affines: voxel index to millimetres.

/// A 4 x 4 matrix, by rows, that takes a voxel index `(i, j, k, 1)` to millimetres `(x, y, z, 1)`.
pub type Affine = [[f64; 4]; 4];

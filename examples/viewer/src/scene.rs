//! What is drawn, as numbers: the panels, the window, the camera. Both renderers use the same numbers.

use bytemuck::{Pod, Zeroable};

/// Pixels at the bottom for the bar of frames.
pub(crate) const BAR: u32 = 14;

/// How the volume is projected to a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// The maximum along each ray.
    Maximum,
    /// Opacity and brightness by the window, lit from the front.
    Transfer,
}

/// The two axes of each slice (right, up), the one across it, and the letters on its sides.
pub(crate) const SLICES: [([usize; 2], usize, [char; 4]); 3] = [
    ([1, 2], 0, ['P', 'A', 'I', 'S']),
    ([0, 2], 1, ['L', 'R', 'I', 'S']),
    ([0, 1], 2, ['L', 'R', 'P', 'A']),
];
/// The panel of the ray cast.
pub(crate) const CAST: usize = 3;

/// Everything about a picture that the user can change.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Scene {
    /// Number of voxels to the right, anterior, superior.
    pub size: [usize; 3],
    /// Voxel sizes in millimetres.
    pub zooms: [f32; 3],
    /// The voxel through which the slices pass.
    pub at: [usize; 3],
    pub mode: Mode,
    /// The values drawn black and white.
    pub window: [f32; 2],
    /// The camera's direction, in radians to the right of anterior and below the horizon.
    pub yaw: f32,
    pub pitch: f32,
    /// Magnification of the ray cast.
    pub zoom: f32,
    /// Samples per voxel along a ray.
    pub samples: f32,
}

/// The scene as the shader's uniforms.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
pub(crate) struct Uniforms {
    /// Left, top, width, height of each panel.
    pub panels: [[f32; 4]; 4],
    /// Numbers of voxels; millimetres from one sample to the next.
    pub size: [f32; 4],
    /// Millimetres per voxel; 1 for the transfer function.
    pub zooms: [f32; 4],
    /// The voxel through which the slices pass; millimetres per pixel of the slices.
    pub at: [f32; 4],
    /// The value drawn black, 1 over the window's width, millimetres per pixel of the ray cast, the shortest side of a
    /// voxel.
    pub window: [f32; 4],
    pub right: [f32; 4],
    pub up: [f32; 4],
    pub forward: [f32; 4],
}

impl Scene {
    pub(crate) fn new(size: [usize; 3], zooms: [f32; 3]) -> Self {
        Self {
            size,
            zooms,
            at: size.map(|side| side / 2),
            mode: Mode::Maximum,
            window: [0.0, 1.0],
            yaw: 0.6,
            pitch: 0.35,
            zoom: 1.0,
            samples: 1.0,
        }
    }

    /// Left, top, width and height of the panels in a picture of this size: sagittal, coronal, axial, ray cast.
    pub(crate) fn panels(picture: [u32; 2]) -> [[f32; 4]; 4] {
        let [width, height] = [picture[0] / 2, picture[1].saturating_sub(BAR) / 2];
        [[0, 0], [1, 0], [0, 1], [1, 1]]
            .map(|[column, row]| [column * width, row * height, width, height])
            .map(|panel| panel.map(|pixels| pixels as f32))
    }

    /// The sides of the volume in millimetres.
    pub(crate) fn extent(&self) -> [f32; 3] {
        std::array::from_fn(|axis| self.size[axis] as f32 * self.zooms[axis])
    }

    /// Millimetres per pixel of the slices: one scale for all three, with space for letters.
    pub(crate) fn slice_scale(&self, picture: [u32; 2]) -> f32 {
        let extent = self.extent();
        let panels = Self::panels(picture);
        let scales = SLICES
            .iter()
            .zip(panels)
            .map(|(([right, up], ..), [.., width, height])| {
                (extent[*right] / (width - 24.0).max(1.0))
                    .max(extent[*up] / (height - 24.0).max(1.0))
            });
        scales.fold(0.0, f32::max)
    }

    /// The camera's axes: right, up, and viewing direction.
    pub(crate) fn axes(&self) -> [[f32; 3]; 3] {
        let ((ys, yc), (ps, pc)) = (self.yaw.sin_cos(), self.pitch.sin_cos());
        let forward = [ys * pc, yc * pc, -ps];
        let right = [yc, -ys, 0.0];
        [right, [ys * ps, yc * ps, pc], forward]
    }

    /// Millimetres per pixel of the ray cast.
    pub(crate) fn cast_scale(&self, picture: [u32; 2]) -> f32 {
        let diagonal = self
            .extent()
            .iter()
            .map(|side| side * side)
            .sum::<f32>()
            .sqrt();
        let [.., width, height] = Self::panels(picture)[CAST];
        diagonal / width.min(height).max(1.0) / self.zoom
    }

    pub(crate) fn uniforms(&self, picture: [u32; 2]) -> Uniforms {
        let [lo, hi] = self.window;
        let smallest = self.zooms.into_iter().fold(f32::INFINITY, f32::min);
        let with = |[x, y, z]: [f32; 3], w: f32| [x, y, z, w];
        let [right, up, forward] = self.axes();
        let transfer = f32::from(u8::from(self.mode == Mode::Transfer));
        Uniforms {
            panels: Self::panels(picture),
            size: with(self.size.map(|side| side as f32), smallest / self.samples),
            zooms: with(self.zooms, transfer),
            at: with(self.at.map(|at| at as f32), self.slice_scale(picture)),
            window: [lo, 1.0 / (hi - lo), self.cast_scale(picture), smallest],
            right: with(right, 0.0),
            up: with(up, 0.0),
            forward: with(forward, 0.0),
        }
    }
}

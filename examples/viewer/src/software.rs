//! The scene drawn by the CPU, if there is no device: the same as `scene.wgsl`.

use rayon::prelude::*;

use crate::scene::{CAST, SLICES, Uniforms};

const CROSS: [f32; 3] = [0.9, 0.75, 0.2];

type Vector = [f32; 3];

fn add_scaled(a: Vector, b: Vector, factor: f32) -> Vector {
    std::array::from_fn(|axis| a[axis] + b[axis] * factor)
}

fn mix(a: Vector, b: Vector, share: f32) -> Vector {
    std::array::from_fn(|axis| a[axis] * (1.0 - share) + b[axis] * share)
}

fn xyz([x, y, z, _]: [f32; 4]) -> Vector {
    [x, y, z]
}

/// Draws RGBA pixels, from top to bottom. `values` is a volume of the scene's size, `ink` the text, one byte per pixel.
pub(crate) fn draw(scene: &Uniforms, values: &[f32], ink: &[u8], [width, _]: [u32; 2]) -> Vec<u8> {
    let size = xyz(scene.size).map(|side| side as usize);
    let canvas = Canvas {
        scene,
        values,
        size,
    };
    let pixel = |(index, &written): (usize, &u8)| {
        let position = [index % width as usize, index / width as usize].map(|at| at as f32 + 0.5);
        let shade = 1.0 - f32::from(written) / 255.0;
        let colour = match written {
            255 => [1.0; 3],
            _ => canvas.pixel(position).map(|channel| channel * shade),
        };
        let [red, green, blue] =
            colour.map(|channel| (channel.clamp(0.0, 1.0) * 255.0).round() as u8);
        [red, green, blue, 255]
    };
    ink.par_iter()
        .enumerate()
        .map(pixel)
        .collect::<Vec<_>>()
        .into_flattened()
}

struct Canvas<'a> {
    scene: &'a Uniforms,
    values: &'a [f32],
    size: [usize; 3],
}

impl Canvas<'_> {
    fn pixel(&self, position: [f32; 2]) -> Vector {
        if self.values.is_empty() {
            return [0.0; 3];
        }
        for (panel, [left, top, width, height]) in self.scene.panels.into_iter().enumerate() {
            let inside = [position[0] - left, position[1] - top];
            if inside[0] < 0.0 || inside[1] < 0.0 || inside[0] >= width || inside[1] >= height {
                continue;
            }
            let centred = [inside[0] - width * 0.5, height * 0.5 - inside[1]];
            return match panel {
                CAST => self.cast(centred.map(|pixels| pixels * self.scene.window[2])),
                _ => self.slice(centred, SLICES[panel].0),
            };
        }
        [0.0; 3]
    }

    fn level(&self, value: f32) -> f32 {
        let [black, factor, ..] = self.scene.window;
        if value.is_nan() {
            return 0.0;
        }
        ((value - black) * factor).clamp(0.0, 1.0)
    }

    fn value(&self, [x, y, z]: [usize; 3]) -> f32 {
        let [width, height, _] = self.size;
        self.values
            .get(x + width * (y + height * z))
            .copied()
            .unwrap_or_default()
    }

    fn slice(&self, centred: [f32; 2], axes: [usize; 2]) -> Vector {
        let mut voxel = xyz(self.scene.at).map(|at| at as usize);
        let mut crossed = false;
        for (pixels, axis) in centred.into_iter().zip(axes) {
            let scale = self.scene.at[3] / self.scene.zooms[axis];
            let place = pixels * scale + self.scene.size[axis] * 0.5;
            if place < 0.0 || place >= self.scene.size[axis] {
                return [0.0; 3];
            }
            crossed |= (place - (self.scene.at[axis] + 0.5)).abs() < scale * 0.5;
            voxel[axis] = place as usize;
        }
        let grey = [self.level(self.value(voxel)); 3];
        if crossed { mix(grey, CROSS, 0.5) } else { grey }
    }

    /// The value interpolated between the eight voxels around a position, which is relative to the volume's size;
    /// outside, that of the nearest voxel.
    fn sample(&self, place: Vector) -> f32 {
        let mut low = [0; 3];
        let mut high = [0; 3];
        let mut share = [0.0; 3];
        for axis in 0..3 {
            let last = self.size[axis] - 1;
            let texel = place[axis] * self.size[axis] as f32 - 0.5;
            let texel = texel.clamp(0.0, last as f32);
            low[axis] = texel as usize;
            high[axis] = (low[axis] + 1).min(last);
            share[axis] = texel - low[axis] as f32;
        }
        let along = |y: usize, z: usize| {
            let (a, b) = (self.value([low[0], y, z]), self.value([high[0], y, z]));
            a + (b - a) * share[0]
        };
        let plane = |z: usize| {
            let (a, b) = (along(low[1], z), along(high[1], z));
            a + (b - a) * share[1]
        };
        let (a, b) = (plane(low[2]), plane(high[2]));
        a + (b - a) * share[2]
    }

    fn cast(&self, at: [f32; 2]) -> Vector {
        let scene = self.scene;
        let direction = xyz(scene.forward).map(|part| if part.abs() < 1e-6 { 1e-6 } else { part });
        let origin = add_scaled(
            xyz(scene.right).map(|part| part * at[0]),
            xyz(scene.up),
            at[1],
        );
        let extent: Vector = std::array::from_fn(|axis| scene.size[axis] * scene.zooms[axis]);
        let (mut start, mut end) = (f32::NEG_INFINITY, f32::INFINITY);
        for axis in 0..3 {
            let low = (-0.5 * extent[axis] - origin[axis]) / direction[axis];
            let high = (0.5 * extent[axis] - origin[axis]) / direction[axis];
            start = start.max(low.min(high));
            end = end.min(low.max(high));
        }
        if start >= end {
            return [0.0; 3];
        }
        let step = scene.size[3];
        let count = ((end - start) / step) as u32;
        let first = add_scaled(origin, direction, start + 0.5 * step);
        let places = (0..count).map(|i| {
            let place = add_scaled(first, direction, step * i as f32);
            std::array::from_fn(|axis| place[axis] / extent[axis] + 0.5)
        });
        if scene.zooms[3] == 0.0 {
            let levels = places.map(|place| self.level(self.sample(place)));
            [levels.fold(0.0, f32::max); 3]
        } else {
            self.transfer(places)
        }
    }

    fn transfer(&self, places: impl Iterator<Item = Vector>) -> Vector {
        let length = self.scene.size[3] / self.scene.window[3];
        let mut colour = [0.0; 3];
        let mut through = 1.0;
        for place in places {
            let here = self.level(self.sample(place));
            if here < 0.08 {
                continue;
            }
            let opacity = 1.0 - (1.0 - 0.6 * here * here).powf(length);
            let tint = mix([0.75, 0.45, 0.3], [1.0, 0.96, 0.88], here);
            colour = add_scaled(colour, tint, through * opacity * self.lit(place));
            through *= 1.0 - opacity;
            if through < 0.02 {
                break;
            }
        }
        colour
    }

    /// How a position is lit from the camera. The gradient of the levels is the surface normal.
    fn lit(&self, place: Vector) -> f32 {
        let (mut along, mut squares) = (0.0, 0.0);
        for axis in 0..3 {
            let level_at = |voxels: f32| {
                let mut shifted = place;
                shifted[axis] += voxels / self.scene.size[axis];
                self.level(self.sample(shifted))
            };
            let slope = (level_at(1.0) - level_at(-1.0)) / self.scene.zooms[axis];
            along += slope * self.scene.forward[axis];
            squares += slope * slope;
        }
        0.25 + 0.75 * f32::abs(along) / f32::sqrt(squares).max(1e-6)
    }
}

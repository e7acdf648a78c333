//! A PNG of several labelled panels side by side, grey or in colours.

use std::io::Write;

use crate::CommandResult;

/// Pixels around the panels, enough for a label.
const MARGIN: usize = 12;

/// Pixels between two panels, enough for two labels.
const GAP: usize = 22;

/// Panels are enlarged by an integer factor until their longer side has this many pixels.
const SMALLEST_SIDE: usize = 192;

/// A view of the volume.
pub(super) struct Panel {
    /// Number of voxels to the right and up.
    pub size: [usize; 2],
    /// Voxel sizes to the right and up, in the same unit.
    pub zooms: [f64; 2],
    /// Red, green and blue from left to right and from bottom to top; equal for grey.
    pub levels: Vec<[u8; 3]>,
    /// The labels at the left, right, bottom and top.
    pub labels: [char; 4],
}

/// A picture, from top to bottom.
pub(super) struct Picture {
    width: usize,
    height: usize,
    pixels: Vec<[u8; 3]>,
}

impl Picture {
    /// Puts the panels side by side with the same scale, so that voxels have their true proportions.
    pub(super) fn of(panels: &[Panel]) -> Self {
        let smallest = panels
            .iter()
            .flat_map(|panel| panel.zooms)
            .filter(|zoom| zoom.is_finite() && *zoom > 0.0)
            .fold(f64::INFINITY, f64::min);
        let natural = |panel: &Panel| -> [usize; 2] {
            std::array::from_fn(|axis| {
                let ratio = panel.zooms[axis] / smallest;
                let ratio = if ratio.is_finite() && ratio > 0.0 {
                    ratio.min(64.0)
                } else {
                    1.0
                };
                ((panel.size[axis] as f64 * ratio).round() as usize).max(1)
            })
        };
        let longest = panels.iter().flat_map(natural).max().unwrap_or(1);
        let enlarge = SMALLEST_SIDE.div_ceil(longest).max(1);
        let sizes: Vec<[usize; 2]> = panels
            .iter()
            .map(|panel| natural(panel).map(|side| side * enlarge))
            .collect();
        let gaps = GAP * sizes.len().saturating_sub(1);
        let width = 2 * MARGIN + gaps + sizes.iter().map(|size| size[0]).sum::<usize>();
        let tallest = sizes.iter().map(|size| size[1]).max().unwrap_or(0);
        let height = tallest + 2 * MARGIN;
        let mut picture = Self {
            width,
            height,
            pixels: vec![[0; 3]; width * height],
        };
        let mut left = MARGIN;
        for (panel, size) in panels.iter().zip(sizes) {
            picture.draw(panel, size, left, MARGIN + (tallest - size[1]) / 2);
            left += size[0] + GAP;
        }
        picture
    }

    /// # Errors
    /// If writing fails.
    pub(super) fn write_png(&self, writer: &mut dyn Write) -> CommandResult {
        let is_grey = self.pixels.iter().all(|[r, g, b]| r == g && g == b);
        let (color, bytes) = match is_grey {
            true => (
                png::ColorType::Grayscale,
                self.pixels.iter().map(|[grey, ..]| *grey).collect(),
            ),
            false => (png::ColorType::Rgb, self.pixels.concat()),
        };
        let mut encoder = png::Encoder::new(writer, self.width as u32, self.height as u32);
        encoder.set_color(color);
        encoder.set_depth(png::BitDepth::Eight);
        let mut image = encoder.write_header()?;
        image.write_image_data(&bytes)?;
        image.finish()?;
        Ok(())
    }

    fn draw(&mut self, panel: &Panel, [width, height]: [usize; 2], left: usize, top: usize) {
        for y in 0..height {
            let v = (height - 1 - y) * panel.size[1] / height;
            for x in 0..width {
                let u = x * panel.size[0] / width;
                self.pixels[(top + y) * self.width + left + x] =
                    panel.levels[v * panel.size[0] + u];
            }
        }
        let (middle_x, middle_y) = (left + width / 2 - 2, top + height / 2 - 3);
        let [at_left, at_right, below, above] = panel.labels;
        self.label(at_left, left - 8, middle_y);
        self.label(at_right, left + width + 2, middle_y);
        self.label(below, middle_x, top + height + 2);
        self.label(above, middle_x, top - 10);
    }

    fn label(&mut self, letter: char, left: usize, top: usize) {
        for (y, row) in glyph(letter).iter().enumerate() {
            for x in 0..5 {
                let at = (top + y) * self.width + left + x;
                if row >> (4 - x) & 1 == 1
                    && let Some(pixel) = self.pixels.get_mut(at)
                {
                    *pixel = [255; 3];
                }
            }
        }
    }
}

/// The letters of the directions, 5 x 7 pixels each.
fn glyph(letter: char) -> [u8; 7] {
    match letter {
        'L' => [0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x1f],
        'R' => [0x1e, 0x11, 0x11, 0x1e, 0x14, 0x12, 0x11],
        'A' => [0x0e, 0x11, 0x11, 0x1f, 0x11, 0x11, 0x11],
        'P' => [0x1e, 0x11, 0x11, 0x1e, 0x10, 0x10, 0x10],
        'S' => [0x0f, 0x10, 0x10, 0x0e, 0x01, 0x01, 0x1e],
        'I' => [0x0e, 0x04, 0x04, 0x04, 0x04, 0x04, 0x0e],
        _ => [0; 7],
    }
}

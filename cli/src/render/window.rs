//! Conversion of values to grey levels.

/// The values drawn black and white.
pub(super) struct Window {
    pub lo: f64,
    pub hi: f64,
}

/// The percentiles of a robust window.
const PERCENTILES: [f64; 2] = [1.0, 99.0];

impl Window {
    /// From the 1st to the 99th percentile of the finite values (as numpy's `percentile`, linear). If more than half of
    /// the values equal the smallest one, which is then the background, they are left out.
    pub(super) fn robust(values: &[f32]) -> Self {
        let mut finite: Vec<f32> = values.iter().copied().filter(|v| v.is_finite()).collect();
        finite.sort_unstable_by(f32::total_cmp);
        let Some(&smallest) = finite.first() else {
            return Self { lo: 0.0, hi: 1.0 };
        };
        let background = finite.partition_point(|&value| value <= smallest);
        let drawn = match &finite[background..] {
            foreground if background > finite.len() / 2 && !foreground.is_empty() => foreground,
            _ => &finite,
        };
        let [lo, hi] = PERCENTILES.map(|percent| percentile(drawn, percent));
        // The background is black.
        let lo = if drawn.len() < finite.len() {
            f64::from(smallest)
        } else {
            lo
        };
        Self { lo, hi }
    }

    /// The grey level of a value: `floor(clamp((v - lo) / (hi - lo), 0, 1) * 255 + 0.5)`; NaN is black.
    pub(super) fn level(&self, value: f64) -> u8 {
        let scaled = (value - self.lo) / (self.hi - self.lo);
        if scaled.is_nan() {
            return 0;
        }
        (scaled.clamp(0.0, 1.0) * 255.0 + 0.5).floor() as u8
    }
}

/// A percentile of sorted values, interpolated between the two nearest ones.
fn percentile(sorted: &[f32], percent: f64) -> f64 {
    let position = percent / 100.0 * (sorted.len() - 1) as f64;
    let below = position.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    let (low, high) = (f64::from(sorted[below]), f64::from(sorted[above]));
    // Interpolated from the nearer one, as numpy does.
    match position - below as f64 {
        share if share < 0.5 => low + (high - low) * share,
        share => high - (high - low) * (1.0 - share),
    }
}

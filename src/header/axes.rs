//! What the axes of a volume mean, and the units along them. doc/AXES.md has the rules by format.

use std::fmt;

/// What varies along an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum AxisKind {
    /// The position in space: the affine has a column for this axis.
    Space,
    /// The time.
    Time,
    /// The component of a value that has several: of a vector, a matrix, a colour, a complex number.
    Component,
    /// Anything else, or the file does not say.
    #[default]
    Other,
}

impl AxisKind {
    /// The name in lower case.
    pub fn name(self) -> &'static str {
        match self {
            Self::Space => "space",
            Self::Time => "time",
            Self::Component => "component",
            Self::Other => "other",
        }
    }

    /// The kinds of axes that are distinguished only by their position: three spatial axes, then time.
    pub(crate) fn by_position(ndim: usize) -> Vec<Self> {
        (0..ndim)
            .map(|axis| match axis {
                0..=2 => Self::Space,
                3 => Self::Time,
                _ => Self::Other,
            })
            .collect()
    }
}

impl fmt::Display for AxisKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The unit of lengths: of the affine and of the zooms of spatial axes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum SpaceUnit {
    /// The file does not say, or names a unit that is not listed here.
    #[default]
    Unknown,
    /// Metres.
    Metre,
    /// Millimetres.
    Millimetre,
    /// Micrometres.
    Micrometre,
}

impl SpaceUnit {
    /// The symbol (`mm`, `um`); empty if unknown.
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Unknown => "",
            Self::Metre => "m",
            Self::Millimetre => "mm",
            Self::Micrometre => "um",
        }
    }

    /// The length of the unit in millimetres; `None` if unknown.
    pub fn millimetres(self) -> Option<f64> {
        match self {
            Self::Unknown => None,
            Self::Metre => Some(1e3),
            Self::Millimetre => Some(1.0),
            Self::Micrometre => Some(1e-3),
        }
    }

    /// The unit that a text names.
    pub(crate) fn named(text: &str) -> Self {
        match text.trim() {
            "m" | "meter" | "meters" | "metre" | "metres" => Self::Metre,
            "mm" | "mm." | "millimeter" | "millimeters" | "millimetre" | "millimetres" => {
                Self::Millimetre
            }
            // Both the micro sign and the Greek letter mu are in use.
            "um" | "\u{b5}m" | "\u{3bc}m" | "micron" | "microns" | "micrometer" | "micrometers"
            | "micrometre" | "micrometres" => Self::Micrometre,
            _ => Self::Unknown,
        }
    }
}

impl fmt::Display for SpaceUnit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.symbol())
    }
}

/// The unit of times: of the zoom of the time axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum TimeUnit {
    /// The file does not say, or names a unit that is not listed here.
    #[default]
    Unknown,
    /// Seconds.
    Second,
    /// Milliseconds.
    Millisecond,
    /// Microseconds.
    Microsecond,
}

impl TimeUnit {
    /// The symbol (`s`, `ms`, `us`); empty if unknown.
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Unknown => "",
            Self::Second => "s",
            Self::Millisecond => "ms",
            Self::Microsecond => "us",
        }
    }

    /// The length of the unit in seconds; `None` if unknown.
    pub fn seconds(self) -> Option<f64> {
        match self {
            Self::Unknown => None,
            Self::Second => Some(1.0),
            Self::Millisecond => Some(1e-3),
            Self::Microsecond => Some(1e-6),
        }
    }

    /// The unit that a text names.
    pub(crate) fn named(text: &str) -> Self {
        match text.trim() {
            "s" | "sec" | "secs" | "second" | "seconds" => Self::Second,
            "ms" | "msec" | "msecs" | "millisecond" | "milliseconds" => Self::Millisecond,
            "us" | "usec" | "\u{b5}s" | "\u{3bc}s" | "microsecond" | "microseconds" => {
                Self::Microsecond
            }
            _ => Self::Unknown,
        }
    }
}

impl fmt::Display for TimeUnit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.symbol())
    }
}

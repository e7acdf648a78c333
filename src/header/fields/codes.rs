//! Names of the codes in NIfTI headers, after `nifti1.h`, the registry of extensions and CIFTI's intent codes.

use super::nifti::{Extension, NiftiHeader};

/// The coordinate system of a transform code (`qform_code`, `sform_code`); `None` for 0, which means that there is no
/// transform, and for codes that do not exist.
///
/// ```
/// assert_eq!(voxload::format::nifti::transform_name(1), Some("scanner anatomical"));
/// ```
pub fn transform_name(code: i64) -> Option<&'static str> {
    Some(match code {
        1 => "scanner anatomical",
        2 => "aligned anatomical",
        3 => "Talairach",
        4 => "MNI 152",
        5 => "another template",
        _ => return None,
    })
}

/// The meaning of the values by their intent code; `None` for 0, which means that there is none, and for unknown codes.
///
/// ```
/// assert_eq!(voxload::format::nifti::intent_name(1007), Some("vector"));
/// ```
pub fn intent_name(code: i64) -> Option<&'static str> {
    let known = INTENTS.iter().find(|(known, _)| *known == code);
    known.map(|&(_, name)| name)
}

const INTENTS: &[(i64, &str)] = &[
    (2, "correlation"),
    (3, "t statistic"),
    (4, "F statistic"),
    (5, "z score"),
    (6, "chi-squared statistic"),
    (7, "beta distribution"),
    (8, "binomial distribution"),
    (9, "gamma distribution"),
    (10, "Poisson distribution"),
    (11, "normal distribution"),
    (12, "non-central F statistic"),
    (13, "non-central chi-squared statistic"),
    (14, "logistic distribution"),
    (15, "Laplace distribution"),
    (16, "uniform distribution"),
    (17, "non-central t statistic"),
    (18, "Weibull distribution"),
    (19, "chi distribution"),
    (20, "inverse Gaussian distribution"),
    (21, "extreme value distribution"),
    (22, "p value"),
    (23, "-ln of a p value"),
    (24, "-log10 of a p value"),
    (1001, "estimate"),
    (1002, "label"),
    (1003, "NeuroNames label"),
    (1004, "general matrix"),
    (1005, "symmetric matrix"),
    (1006, "displacement vector"),
    (1007, "vector"),
    (1008, "point set"),
    (1009, "triangle"),
    (1010, "quaternion"),
    (1011, "dimensionless number"),
    (2001, "time series"),
    (2002, "node index"),
    (2003, "RGB vector"),
    (2004, "RGBA vector"),
    (2005, "shape"),
    (2006, "FSL FNIRT displacement field"),
    (2007, "FSL cubic spline coefficients"),
    (2008, "FSL DCT coefficients"),
    (2009, "FSL quadratic spline coefficients"),
    (2016, "FSL TOPUP cubic spline coefficients"),
    (2017, "FSL TOPUP quadratic spline coefficients"),
    (2018, "FSL TOPUP field"),
    (3000, "CIFTI connectivity of an unknown kind"),
    (3001, "CIFTI dense connectivity"),
    (3002, "CIFTI dense series"),
    (3003, "CIFTI parcellated connectivity"),
    (3004, "CIFTI parcellated series"),
    (3006, "CIFTI dense scalars"),
    (3007, "CIFTI dense labels"),
    (3008, "CIFTI parcellated scalars"),
    (3009, "CIFTI parcellated dense connectivity"),
    (3010, "CIFTI dense parcellated connectivity"),
    (3011, "CIFTI parcellated connectivity series"),
    (3012, "CIFTI parcellated connectivity scalars"),
];

/// The content of an extension by its code; `None` for unknown codes.
///
/// ```
/// assert_eq!(voxload::format::nifti::extension_name(6), Some("comment"));
/// ```
pub fn extension_name(code: i32) -> Option<&'static str> {
    Some(match code {
        0 => "unspecified",
        2 => "DICOM",
        4 => "AFNI attributes",
        6 => "comment",
        8 => "XCEDE metadata",
        10 => "JIM dimension information",
        12 => "workflow",
        14 => "FreeSurfer",
        16 => "Python pickle",
        18 => "MiND identifier",
        20 => "b value",
        22 => "spherical direction",
        24 => "diffusion tensor component",
        26 => "spherical harmonic degree and order",
        28 => "VoxBo",
        30 => "Caret",
        32 => "CIFTI",
        34 => "variable frame timing",
        38 => "evaluation",
        40 => "MATLAB",
        42 => "Quantiphyse",
        44 => "magnetic resonance spectroscopy (NIfTI-MRS)",
        _ => return None,
    })
}

impl Extension {
    /// What the content is, by its code.
    pub fn name(&self) -> Option<&'static str> {
        extension_name(self.code)
    }

    /// The content as text; `None` if it is binary: not UTF-8, or with control characters other than tabs and line
    /// ends.
    pub fn text(&self) -> Option<&str> {
        let text = std::str::from_utf8(&self.content).ok()?;
        let is_binary = |c: char| c.is_control() && !matches!(c, '\t' | '\n' | '\r');
        (!text.contains(is_binary)).then_some(text)
    }
}

impl NiftiHeader {
    /// The meaning of the values, if the header gives one that is known.
    pub fn intent(&self) -> Option<&'static str> {
        intent_name(self.intent_code)
    }

    /// The coordinate system of the qform; `None` if there is no qform.
    pub fn qform(&self) -> Option<&'static str> {
        transform_name(self.qform_code)
    }

    /// The coordinate system of the sform; `None` if there is no sform.
    pub fn sform(&self) -> Option<&'static str> {
        transform_name(self.sform_code)
    }

    /// The order in which slices were acquired; `None` if the header does not say.
    pub fn slice_order(&self) -> Option<&'static str> {
        Some(match self.slice_code {
            1 => "sequential, increasing",
            2 => "sequential, decreasing",
            3 => "alternating, increasing",
            4 => "alternating, decreasing",
            5 => "alternating, increasing, from the second slice",
            6 => "alternating, decreasing, from the second-last slice",
            _ => return None,
        })
    }

    /// The axes along which frequency and phase were encoded and slices were taken, counted from 0; `None` where the
    /// header does not say.
    pub fn encoding_axes(&self) -> [Option<usize>; 3] {
        [0, 2, 4].map(|shift| {
            let axis = usize::try_from(self.dim_info >> shift & 3).ok()?;
            axis.checked_sub(1)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intents_are_in_order_and_unique() {
        assert!(INTENTS.windows(2).all(|pair| pair[0].0 < pair[1].0));
        assert_eq!(intent_name(3), Some("t statistic"));
        assert_eq!(intent_name(3006), Some("CIFTI dense scalars"));
        for unknown in [0, 1, 25, 1000, 1012, 3005, 9999, -3] {
            assert_eq!(intent_name(unknown), None);
        }
    }

    #[test]
    fn encoding_axes_are_bits() {
        let axes = |dim_info| {
            NiftiHeader {
                dim_info,
                ..NiftiHeader::default()
            }
            .encoding_axes()
        };
        assert_eq!(axes(0), [None; 3]);
        assert_eq!(axes(0b11_10_01), [Some(0), Some(1), Some(2)]);
        assert_eq!(axes(0b11_00_00), [None, None, Some(2)]);
    }

    #[test]
    fn text_of_extensions() {
        let text = |content: &[u8]| {
            let content = content.to_vec();
            Extension { code: 6, content }.text().map(str::to_owned)
        };
        assert_eq!(text(b"a\tcomment\r\n").as_deref(), Some("a\tcomment\r\n"));
        assert_eq!(text("\u{b5}m".as_bytes()).as_deref(), Some("\u{b5}m"));
        assert_eq!(text(&[0xff, 1]), None);
        assert_eq!(text(b"a\0b"), None);
        assert_eq!(text(b"").as_deref(), Some(""));
    }
}

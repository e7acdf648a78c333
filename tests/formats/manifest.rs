//! The list that `tests/oracle/formats.py` makes: random files, and what nibabel or SimpleITK made of each.

/// A line of the manifest.
pub struct Case<'a> {
    pub format: &'a str,
    pub path: &'a str,
    pub options: &'a str,
    pub shape: &'a str,
    pub dtype: &'a str,
    pub affine: &'a str,
    pub zooms: &'a str,
    pub floats: [&'a str; 3],
    pub native: &'a str,
    pub slices: &'a str,
}

impl<'a> Case<'a> {
    pub fn new(line: &'a str) -> Self {
        let parts: Vec<&str> = line.split('|').collect();
        let [
            format,
            path,
            options,
            shape,
            dtype,
            affine,
            zooms,
            f2,
            f4,
            f8,
            native,
            slices,
        ] = parts[..]
        else {
            panic!("{line}");
        };
        Self {
            format,
            path,
            options,
            shape,
            dtype,
            affine,
            zooms,
            floats: [f2, f4, f8],
            native,
            slices,
        }
    }
}

/// Those of [`FORMATS`] that this build does not read.
pub const LEFT_OUT: &[&str] = if cfg!(feature = "minc2") {
    &[]
} else {
    &["MINC2"]
};

/// The formats in it.
pub const FORMATS: [&str; 12] = [
    "AFNI",
    "Analyze 7.5",
    "CIFTI-2",
    "ECAT 7",
    "MGH",
    "MINC1",
    "MINC2",
    "MetaImage",
    "NRRD",
    "PAR/REC",
    "SPM2 Analyze",
    "SPM99 Analyze",
];

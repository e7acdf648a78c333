//! Small sound files of each format, for others to damage.

use std::path::{Path, PathBuf};

/// The files of an image, by name; the first is the one to load.
#[derive(Clone)]
pub struct Seed {
    pub format: &'static str,
    pub files: Vec<(String, Vec<u8>)>,
}

impl Seed {
    fn new<const N: usize>(format: &'static str, files: [(&str, Vec<u8>); N]) -> Self {
        let files = files.map(|(name, bytes)| (name.to_owned(), bytes)).to_vec();
        Self { format, files }
    }

    /// Writes the files; gives the path of the one to load.
    pub fn write(&self, folder: &Path) -> PathBuf {
        for (name, bytes) in &self.files {
            std::fs::write(folder.join(name), bytes).unwrap();
        }
        folder.join(&self.files[0].0)
    }

    /// The bytes of the first file.
    pub fn header(&mut self) -> &mut Vec<u8> {
        &mut self.files[0].1
    }
}

/// Puts big-endian numbers of two bytes at an offset.
fn put16(bytes: &mut [u8], offset: usize, values: &[i16]) {
    for (k, value) in values.iter().enumerate() {
        bytes[offset + 2 * k..][..2].copy_from_slice(&value.to_be_bytes());
    }
}

fn put32(bytes: &mut [u8], offset: usize, values: &[i32]) {
    for (k, value) in values.iter().enumerate() {
        bytes[offset + 4 * k..][..4].copy_from_slice(&value.to_be_bytes());
    }
}

fn put_f32(bytes: &mut [u8], offset: usize, values: &[f32]) {
    for (k, value) in values.iter().enumerate() {
        bytes[offset + 4 * k..][..4].copy_from_slice(&value.to_be_bytes());
    }
}

pub fn mgh() -> Seed {
    let mut bytes = vec![0; 284];
    put32(&mut bytes, 0, &[1, 2, 3, 2, 2, 4, 0]);
    put16(&mut bytes, 28, &[1]);
    put_f32(&mut bytes, 30, &[1.0, 2.0, 3.0]);
    put_f32(
        &mut bytes,
        42,
        &[-1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, -1.0, 0.0],
    );
    bytes.extend((0..2 * 24).map(|k| k as u8));
    bytes.extend([0x44, 0x9a, 0x40, 0]);
    Seed::new("MGH", [("seed.mgh", bytes)])
}

/// A MATLAB file of level 4 with a matrix of 4 x 4.
pub fn mat4(name: &str) -> Vec<u8> {
    let mut bytes: Vec<u8> = [0, 4, 4, 0, name.len() as i32 + 1]
        .iter()
        .flat_map(|n: &i32| n.to_le_bytes())
        .collect();
    bytes.extend(name.as_bytes());
    bytes.push(0);
    bytes.extend((0..16).flat_map(|k| f64::from(k).to_le_bytes()));
    bytes
}

/// A MATLAB file of level 5 with a matrix of 4 x 4.
pub fn mat5(name: &str) -> Vec<u8> {
    let element = |kind: i32, content: &[u8]| {
        let mut bytes = [kind, content.len() as i32].map(i32::to_le_bytes).concat();
        bytes.extend(content);
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        bytes
    };
    let values: Vec<u8> = (0..16).flat_map(|k| f64::from(k).to_le_bytes()).collect();
    let matrix = [
        element(6, &[6, 0, 0, 0, 0, 0, 0, 0]),
        element(5, &[4, 0, 0, 0, 4, 0, 0, 0]),
        element(1, name.as_bytes()),
        element(9, &values),
    ]
    .concat();
    let mut bytes = b"MATLAB 5.0 MAT-file".to_vec();
    bytes.resize(124, b' ');
    bytes.extend([0, 1, b'I', b'M']);
    bytes.extend(element(14, &matrix));
    bytes
}

pub fn analyze() -> Seed {
    let mut bytes = vec![0; 348];
    put32(&mut bytes, 0, &[348]);
    put16(&mut bytes, 40, &[3, 2, 3, 4]);
    put16(&mut bytes, 70, &[4, 16]);
    put_f32(&mut bytes, 76, &[0.0, 1.0, 2.0, 3.0]);
    put_f32(&mut bytes, 112, &[2.0, 1.0]);
    let image = (0..48).collect();
    let files = [
        ("seed.hdr", bytes),
        ("seed.img", image),
        ("seed.mat", mat5("mat")),
    ];
    Seed::new("SPM2 Analyze", files)
}

pub const HEAD: &str =
    "\ntype = string-attribute\nname = BYTEORDER_STRING\ncount = 10\n'LSB_FIRST~\n
type = integer-attribute\nname = BRICK_TYPES\ncount = 2\n 1 1\n
type = integer-attribute\nname = DATASET_RANK\ncount = 2\n 3 2\n
type = integer-attribute\nname = DATASET_DIMENSIONS\ncount = 3\n 2 3 4\n
type = float-attribute\nname = DELTA\ncount = 3\n -1.5 2 3\n
type = float-attribute\nname = TAXIS_FLOATS\ncount = 2\n 0 2.5\n
type = float-attribute\nname = IJK_TO_DICOM_REAL\ncount = 12\n 1 0 0 -5\n 0 1 0 -6\n 0 0 1 -7\n
type = float-attribute\nname = BRICK_FLOAT_FACS\ncount = 2\n 0.5 0\n";

pub fn afni() -> Seed {
    let files = [
        ("seed+orig.HEAD", HEAD.as_bytes().to_vec()),
        ("seed+orig.BRIK", (0..96).collect()),
    ];
    Seed::new("AFNI", files)
}

pub const PAR: &str = "# === DATA DESCRIPTION FILE ===
# CLINICAL TRYOUT             Research image export tool     V4.2
# === GENERAL INFORMATION ===
.    Patient name                       :   phantom
.    Max. number of echoes              :   1
.    Max. number of slices/locations    :   2
.    Max. number of dynamics            :   2
.    Scan resolution  (x, y)            :   3  2
.    Repetition time [ms]               :   2000.000
.    FOV (ap,fh,rl) [mm]                :   240.000  70.000  240.000
.    Water Fat shift [pixels]           :   11.050
.    Angulation midslice(ap,fh,rl)[degr]:   -13.265  0.000  5.000
.    Off Centre midslice(ap,fh,rl) [mm] :   2.508  30.339  -16.032
.    Dynamic scan      <0=no 1=yes> ?   :   1
.    Diffusion         <0=no 1=yes> ?   :   0
.    Max. number of diffusion values    :   1
.    Max. number of gradient orients    :   1
#
# === IMAGE INFORMATION ===

 2 1 1 1 0 2 0 16 61 3 2 0.5 1.2 0.01 1070 1860 -13.2 0.0 5.0 2.5 30.3 -16.0 6.000 2.000 0 1 0 2 3.750 3.5 28.0 0.0 0.0 0.0 1 90.0 0 0 0 39 0.0 1 1 MS Q 0.0 0.0 0.0 1
 1 1 1 1 0 2 1 16 61 3 2 0.5 1.3 0.01 1070 1860 -13.2 0.0 5.0 2.5 30.3 -16.0 6.000 2.000 0 1 0 2 3.750 3.5 28.0 0.0 0.0 0.0 1 90.0 0 0 0 39 0.0 1 1 MS Q 0.0 0.0 0.0 1
 1 1 2 1 0 2 2 16 61 3 2 0.5 1.4 0.01 1070 1860 -13.2 0.0 5.0 2.5 30.3 -16.0 6.000 2.000 0 1 0 2 3.750 3.5 28.0 0.0 0.0 0.0 1 90.0 0 0 0 39 0.0 1 1 MS Q 0.0 0.0 0.0 1
 2 1 2 1 0 2 3 16 61 3 2 0.5 1.5 0.01 1070 1860 -13.2 0.0 5.0 2.5 30.3 -16.0 6.000 2.000 0 1 0 2 3.750 3.5 28.0 0.0 0.0 0.0 1 90.0 0 0 0 39 0.0 1 1 MS Q 0.0 0.0 0.0 1

# === END OF DATA DESCRIPTION FILE ===
";

pub fn parrec() -> Seed {
    let files = [
        ("seed.par", PAR.as_bytes().to_vec()),
        ("seed.rec", (0..48).collect()),
    ];
    Seed::new("PAR/REC", files)
}

pub const NRRD: &str = "NRRD0004
# a comment
type: short
dimension: 3
space: left-posterior-superior
sizes: 2 3 4
space directions: (1,0,0) (0,2,0) (0,0,3)
kinds: domain domain domain
endian: little
encoding: raw
space origin: (1,2,3)
key:=value
";

pub fn nrrd() -> Seed {
    let bytes = [NRRD.as_bytes(), b"\n", &[7; 48]].concat();
    Seed::new("NRRD", [("seed.nrrd", bytes)])
}

pub fn nhdr() -> Seed {
    let header = [NRRD, "data file: seed.raw\n"].concat();
    let files = [
        ("seed.nhdr", header.into_bytes()),
        ("seed.raw", vec![7; 48]),
    ];
    Seed::new("NRRD", files)
}

pub const META: &str = "ObjectType = Image
NDims = 3
BinaryData = True
BinaryDataByteOrderMSB = False
CompressedData = False
TransformMatrix = 1 0 0 0 1 0 0 0 1
Offset = 1 2 3
ElementSpacing = 1 2 3
DimSize = 2 3 4
ElementType = MET_SHORT
";

pub fn mha() -> Seed {
    let bytes = [META.as_bytes(), b"ElementDataFile = LOCAL\n", &[7; 48]].concat();
    Seed::new("MetaImage", [("seed.mha", bytes)])
}

pub fn mhd() -> Seed {
    let header = [META, "ElementDataFile = seed.raw\n"].concat();
    let files = [("seed.mhd", header.into_bytes()), ("seed.raw", vec![7; 48])];
    Seed::new("MetaImage", files)
}

/// What a netCDF header is made of.
pub struct NetCdf(pub Vec<u8>);

impl NetCdf {
    pub fn int(&mut self, value: i32) -> &mut Self {
        self.0.extend(value.to_be_bytes());
        self
    }

    pub fn text(&mut self, text: &str) -> &mut Self {
        self.int(text.len() as i32);
        self.0.extend(text.as_bytes());
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        self
    }

    pub fn text_attribute(&mut self, name: &str, value: &str) -> &mut Self {
        self.text(name).int(2).text(value)
    }

    pub fn doubles(&mut self, name: &str, values: &[f64]) -> &mut Self {
        self.text(name).int(6).int(values.len() as i32);
        self.0
            .extend(values.iter().flat_map(|value| value.to_be_bytes()));
        self
    }
}

/// Three axes of 2, 3 and 4; bytes with the range 0 to 200 over the first axis.
pub fn minc() -> Seed {
    let mut file = NetCdf(b"CDF\x01".to_vec());
    file.int(0).int(10).int(3);
    for (name, length) in [("zspace", 2), ("yspace", 3), ("xspace", 4)] {
        file.text(name).int(length);
    }
    file.int(12)
        .int(1)
        .text_attribute("history", "made for tests");
    file.int(11).int(6);
    for name in ["zspace", "yspace", "xspace"] {
        file.text(name).int(0).int(12).int(3);
        file.text_attribute("spacing", "regular__");
        file.doubles("step", &[2.0]).doubles("start", &[-9.0]);
        file.int(4).int(4).int(0);
    }
    for name in ["image-max", "image-min"] {
        file.text(name).int(1).int(0).int(0).int(0).int(6).int(16);
        file.int(if name == "image-max" { 1024 } else { 1040 });
    }
    file.text("image")
        .int(3)
        .int(0)
        .int(1)
        .int(2)
        .int(12)
        .int(2);
    file.text_attribute("signtype", "unsigned");
    file.doubles("valid_range", &[0.0, 200.0]);
    file.int(1).int(24).int(1056);
    let mut bytes = file.0;
    bytes.resize(1024, 0);
    for value in [10.0, 20.0, -1.0, -2.0f64] {
        bytes.extend(value.to_be_bytes());
    }
    bytes.extend((0..24).map(|k| 10 * k as u8));
    Seed::new("MINC1", [("seed.mnc", bytes)])
}

/// A NIfTI-2 header of 1 x 1 x 1 x 1 x 3 x 2 floats, with an extension of 144 bytes.
pub fn cifti() -> Seed {
    let mut bytes = vec![0; 540];
    put32(&mut bytes, 0, &[540]);
    bytes[4..12].copy_from_slice(b"n+2\0\r\n\x1a\n");
    put16(&mut bytes, 12, &[16, 32]);
    for (k, n) in [6i64, 1, 1, 1, 1, 3, 2].into_iter().enumerate() {
        bytes[16 + 8 * k..][..8].copy_from_slice(&n.to_be_bytes());
    }
    for k in 0..8 {
        bytes[104 + 8 * k..][..8].copy_from_slice(&1f64.to_be_bytes());
    }
    bytes[168..176].copy_from_slice(&688i64.to_be_bytes());
    put32(&mut bytes, 504, &[3001]);
    bytes.extend([1, 0, 0, 0]);
    bytes.extend([144, 32].map(i32::to_be_bytes).concat());
    bytes.extend(
        b"<CIFTI Version=\"2\"><Matrix><MatrixIndicesMap AppliesToMatrixDimension=\"0,1\" \
          IndicesMapToDataType=\"OTHER\"/></Matrix></CIFTI>",
    );
    bytes.resize(688 + 24, 0);
    Seed::new("CIFTI-2", [("seed.dconn.nii", bytes)])
}

/// Bytes of the subheader of a frame of [`ecat`].
pub const FRAMES: [usize; 2] = [2 * 512, 4 * 512];

/// Two frames of 2 x 3 x 4 voxels of two bytes.
pub fn ecat() -> Seed {
    let mut bytes = vec![0; 6 * 512];
    bytes[..9].copy_from_slice(b"MATRIX72v");
    put16(&mut bytes, 46, &[72]);
    put_f32(&mut bytes, 144, &[2.5]);
    put16(&mut bytes, 354, &[2]);
    put32(&mut bytes, 512, &[29, 2, 0, 2]);
    put32(&mut bytes, 528, &[0x0101_0001, 3, 4, 1]);
    put32(&mut bytes, 544, &[0x0101_0002, 5, 6, 1]);
    for at in FRAMES {
        put16(&mut bytes, at, &[6, 3, 2, 3, 4]);
        put_f32(&mut bytes, at + 26, &[0.5]);
        put_f32(&mut bytes, at + 34, &[0.2, 0.3, 0.4]);
        bytes[at + 512..][..48].copy_from_slice(&[1; 48]);
    }
    Seed::new("ECAT 7", [("seed.v", bytes)])
}

/// As [`minc`], in one chunk for each index of the first axis; written by h5py.
#[cfg(feature = "minc2")]
pub fn minc2() -> Seed {
    let bytes = include_bytes!("seed_minc2.mnc").to_vec();
    Seed::new("MINC2", [("seed.mnc", bytes)])
}

/// One of each.
pub fn all() -> Vec<Seed> {
    vec![
        mgh(),
        analyze(),
        afni(),
        parrec(),
        nrrd(),
        nhdr(),
        mha(),
        mhd(),
        minc(),
        cifti(),
        ecat(),
        #[cfg(feature = "minc2")]
        minc2(),
    ]
}

//! From the parts of an image, as JavaScript has them, to an image.

use std::sync::Arc;

use js_sys::Function;
use voxload::{
    ByteSource, DataobjImage, Error, ErrorKind, FileHolder, FileMap, FileRole, LoadOptions,
};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::error::{js, usage};
use crate::image::Image;
use crate::source::{Bytes, Reader};

/// The endings of headers whose voxels are in another file.
const HEADERS: [&str; 5] = ["hdr", "head", "par", "mhd", "nhdr"];

/// What compresses a file, by a second ending.
const COMPRESSIONS: [&str; 4] = ["gz", "bz2", "zst", "z"];

/// The files of one image.
#[wasm_bindgen]
#[derive(Default)]
pub struct Files {
    files: Vec<File>,
    gzip_index: Option<Vec<u8>>,
}

struct File {
    name: Option<String>,
    bytes: Content,
}

enum Content {
    Bytes(Vec<u8>),
    Source(Arc<dyn ByteSource>),
}

#[wasm_bindgen]
impl Files {
    #[wasm_bindgen(constructor)]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a file that a function `(offset, length) => Uint8Array` reads at once; up to `budget` bytes of it are kept. Its
    /// number is for `offer`.
    #[wasm_bindgen(js_name = addReader)]
    pub fn add_reader(
        &mut self,
        name: Option<String>,
        length: f64,
        budget: f64,
        read: Function,
    ) -> u32 {
        // Numbers of JavaScript: what is negative or no number counts as 0.
        let reader = Reader::new(read, length as u64, budget as u64);
        let number = reader.number();
        self.files.push(File {
            name,
            bytes: Content::Source(Arc::new(reader)),
        });
        number
    }

    /// Adds a file that is in memory.
    #[wasm_bindgen(js_name = addBytes)]
    pub fn add_bytes(&mut self, name: Option<String>, bytes: Vec<u8>) {
        self.files.push(File {
            name,
            bytes: Content::Bytes(bytes),
        });
    }

    /// Has this seek index used for the gzip file with the voxels.
    #[wasm_bindgen(js_name = setGzipIndex)]
    pub fn set_gzip_index(&mut self, bytes: Vec<u8>) {
        self.gzip_index = Some(bytes);
    }

    /// Loads the image: reads its header, and no voxel.
    pub fn open(self) -> Result<Image, JsValue> {
        let opened = open(self.files, self.gzip_index).map_err(|error| match error {
            Failed::Load(error) => js(error),
            Failed::Usage(message) => usage(message),
        });
        opened.map(|(image, is_compressed)| Image::new(image, is_compressed))
    }
}

enum Failed {
    Load(Error),
    Usage(String),
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Load(error)
    }
}

/// The image, and whether any of its files is compressed.
fn open(mut files: Vec<File>, gzip_index: Option<Vec<u8>>) -> Result<(DataobjImage, bool), Failed> {
    if files.len() > 3 {
        return Err(Failed::Usage(format!(
            "{} files: an image has at most a header, voxels and a .mat file",
            files.len()
        )));
    }
    // Bytes without a second file have the fastest ways: they are inflated where they are.
    if let [File { bytes, name }] = files.as_mut_slice()
        && let Content::Bytes(taken) = bytes
        && gzip_index.is_none()
        && !needs_its_name(name.as_deref())
    {
        let is_compressed = is_compressed(taken.get(..4).unwrap_or_default());
        let image = DataobjImage::from_bytes(std::mem::take(taken))?;
        return Ok((image, is_compressed));
    }
    let mut map = FileMap::new();
    let mut sources: Vec<Arc<dyn ByteSource>> = Vec::new();
    let is_single = files.len() == 1;
    for (place, file) in files.into_iter().enumerate() {
        let role = match file.name.as_deref().map(ending).as_deref() {
            _ if is_single => FileRole::Image,
            Some("mat") => FileRole::Mat,
            Some(ending) if HEADERS.contains(&ending) => FileRole::Header,
            Some(_) => FileRole::Image,
            // Without names the header comes first.
            None if place == 0 => FileRole::Header,
            None => FileRole::Image,
        };
        let source = match file.bytes {
            Content::Bytes(bytes) => Arc::new(Bytes(bytes)),
            Content::Source(source) => source,
        };
        sources.push(Arc::clone(&source));
        let holder = FileHolder::from_source(source);
        let holder = match file.name {
            Some(name) => holder.named(name),
            None => holder,
        };
        if map.insert(role, holder).is_some() {
            return Err(Failed::Usage(format!("two files are the {role}")));
        }
    }
    if !map.contains_key(&FileRole::Image) {
        return Err(Failed::Load(ErrorKind::NotFound.into()));
    }
    let options = match gzip_index {
        Some(bytes) => LoadOptions::new().gzip_index_bytes(bytes),
        None => LoadOptions::new(),
    };
    let image = DataobjImage::from_file_map(map, &options)?;
    // The first blocks are kept, so nothing is read for this.
    let is_compressed = sources.iter().any(|source| {
        let mut start = [0; 4];
        source.read_at(0, &mut start).is_ok() && is_compressed(&start)
    });
    Ok((image, is_compressed))
}

/// Whether a file that begins so is gzip, bzip2 or zstd.
fn is_compressed(start: &[u8]) -> bool {
    let marks: [&[u8]; 3] = [&[0x1f, 0x8b], b"BZh", &[0x28, 0xb5, 0x2f, 0xfd]];
    marks.iter().any(|mark| start.starts_with(mark))
}

/// The last ending of a name that is not that of a compression, in lower case.
fn ending(name: &str) -> String {
    let mut endings = name.rsplit('.').map(str::to_ascii_lowercase);
    let last = endings.next().unwrap_or_default();
    match COMPRESSIONS.contains(&last.as_str()) {
        true => endings.next().unwrap_or_default(),
        false => last,
    }
}

/// Whether a file under this name may be recognised only by it: Analyze headers have no mark of their own.
fn needs_its_name(name: Option<&str>) -> bool {
    name.is_some_and(|name| matches!(ending(name).as_str(), "hdr" | "img"))
}

//! From the parts of an image, as JavaScript has them, to an image.

use std::sync::Arc;

use js_sys::Function;
use voxload::format::{Format, formats};
use voxload::{
    Access, ByteSource, DataobjImage, Error, ErrorKind, FileHolder, FileMap, FileRole, LoadOptions,
};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::error::{js, usage};
use crate::image::Image;
use crate::source::{Bytes, Reader};

/// The endings of headers whose voxels are in another file, of the same name.
const HEADERS: [&str; 3] = ["hdr", "head", "par"];

/// The endings of headers that name the files with the voxels.
const NAMING: [&str; 2] = ["nhdr", "mhd"];

/// What compresses a file, by a second ending.
const COMPRESSIONS: [&str; 4] = ["gz", "bz2", "zst", "z"];

/// The files of one image.
#[wasm_bindgen]
#[derive(Default)]
pub struct Files {
    files: Vec<File>,
    gzip_index: Option<Vec<u8>>,
    format: Option<Format>,
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

    /// Has the image read as this format, whatever its content: `Analyze 7.5`, for example, in any case, with or without
    /// spaces and hyphens.
    #[wasm_bindgen(js_name = setFormat)]
    pub fn set_format(&mut self, name: &str) -> Result<(), JsValue> {
        fn plain(name: &str) -> String {
            let letters = name.chars().filter(char::is_ascii_alphanumeric);
            letters.map(|c| c.to_ascii_lowercase()).collect()
        }
        let wanted = plain(name);
        let Some(found) = formats().find(|entry| plain(entry.name) == wanted) else {
            let names: Vec<_> = formats().map(|entry| entry.name).collect();
            let names = names.join(", ");
            return Err(usage(format!(
                "no format is named {name:?}, these are: {names}"
            )));
        };
        self.format = Some(found.format);
        Ok(())
    }

    /// Loads the image: reads its header, and no voxel.
    pub fn open(self) -> Result<Image, JsValue> {
        let opened = open(self).map_err(|error| match error {
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

/// The image, and whether its voxels or any of its files are compressed.
fn open(given: Files) -> Result<(DataobjImage, bool), Failed> {
    let Files {
        mut files,
        gzip_index,
        format,
    } = given;
    // Bytes without a second file have the fastest ways: they are inflated where they are.
    if let [File { bytes, name }] = files.as_mut_slice()
        && let Content::Bytes(taken) = bytes
        && gzip_index.is_none()
        && format.is_none()
        && !needs_its_name(name.as_deref())
    {
        let is_packed = is_compressed(taken.get(..4).unwrap_or_default());
        let image = DataobjImage::from_bytes(std::mem::take(taken))?;
        let is_compressed = is_packed || is_sequential(&image);
        return Ok((image, is_compressed));
    }
    let mut sources: Vec<Arc<dyn ByteSource>> = Vec::new();
    let mut holders = Vec::new();
    for File { name, bytes } in files {
        let source = match bytes {
            Content::Bytes(bytes) => Arc::new(Bytes(bytes)),
            Content::Source(source) => source,
        };
        sources.push(Arc::clone(&source));
        let holder = FileHolder::from_source(source);
        holders.push(match &name {
            Some(name) => (ending(name), holder.named(name)),
            None => (String::new(), holder),
        });
    }
    let map = file_map(holders)?;
    let mut options = LoadOptions::new();
    if let Some(bytes) = gzip_index {
        options = options.gzip_index_bytes(bytes);
    }
    if let Some(format) = format {
        options = options.format(format);
    }
    let image = DataobjImage::from_file_map(map, &options).map_err(explained)?;
    // The first blocks are kept, so nothing is read for this.
    let is_packed = sources.iter().any(|source| {
        let mut start = [0; 4];
        source.read_at(0, &mut start).is_ok() && is_compressed(&start)
    });
    let is_compressed = is_packed || is_sequential(&image);
    Ok((image, is_compressed))
}

/// Which file is what, by their endings; without names the header comes first.
fn file_map(holders: Vec<(String, FileHolder)>) -> Result<FileMap, Failed> {
    let mut map = FileMap::new();
    let is_single = holders.len() == 1;
    let naming = |ending: &str| NAMING.contains(&ending);
    let names_others = holders.iter().any(|(ending, _)| naming(ending));
    if holders.len() > 3 && !names_others {
        return Err(Failed::Usage(format!(
            "{} files: an image has at most a header, voxels and a .mat file, or a .nhdr or .mhd file names the others",
            holders.len()
        )));
    }
    for (place, (ending, holder)) in (0u32..).zip(holders) {
        let role = match ending.as_str() {
            _ if is_single => FileRole::Image,
            ending if names_others && naming(ending) => FileRole::Image,
            _ if names_others => FileRole::Named(place),
            "mat" => FileRole::Mat,
            ending if HEADERS.contains(&ending) => FileRole::Header,
            "" if place == 0 => FileRole::Header,
            _ => FileRole::Image,
        };
        if map.insert(role, holder).is_some() {
            return Err(Failed::Usage(format!("two files are the {role}")));
        }
    }
    match map.contains_key(&FileRole::Image) {
        true => Ok(map),
        false => Err(Failed::Load(ErrorKind::NotFound.into())),
    }
}

/// Whether the voxels are compressed within their file, as those of NRRD and MetaImage may be.
fn is_sequential(image: &DataobjImage) -> bool {
    image.dataobj().access() == Access::Sequential
}

/// There are no files but those that were given.
fn explained(error: Error) -> Failed {
    match error.kind() {
        ErrorKind::Io {
            kind: std::io::ErrorKind::Unsupported,
            ..
        } => {
            let file = error.path().map(|path| path.display().to_string());
            let file = file.unwrap_or_default();
            Failed::Usage(format!(
                "the header names another file, {file}: all files of an image must be given, as a list"
            ))
        }
        _ => Failed::Load(error),
    }
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

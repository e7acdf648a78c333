//! Files that are often found in place of a volume: Git LFS and git-annex pointers, web pages, archives, documents,
//! other images. Each is recognized by its first bytes, so that the error can name it and say what to do.

use crate::core::error::{Error, ErrorKind};

/// What a file is, and what to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Foreign {
    pub what: &'static str,
    pub hint: &'static str,
}

impl From<Foreign> for Error {
    fn from(Foreign { what, hint }: Foreign) -> Self {
        ErrorKind::NotAVolume { what, hint }.into()
    }
}

/// A git-annex link whose content is not on this machine.
pub(crate) const ANNEX_LINK: Foreign = Foreign {
    what: "a git-annex link whose content is not on this machine",
    hint: "run git annex get (or datalad get) on it",
};

const LFS: Foreign = Foreign {
    what: "a Git LFS pointer, not the file itself",
    hint: "run git lfs pull",
};

const ANNEX_POINTER: Foreign = Foreign {
    what: "a git-annex pointer, not the file itself",
    hint: "run git annex get (or datalad get) on it",
};

const PAGE: Foreign = Foreign {
    what: "a web page (HTML), not a volume",
    hint: "the download failed or needs a login: fetch the file itself",
};

/// A row of the table: the byte at which the magic is, the magic, what it is, what to do.
type Row = (usize, &'static [u8], &'static str, &'static str);

const UNPACK: &str = "unpack it first";
const OTHER_TOOL: &str = "convert it to NIfTI with its own tools";
const NOT_A_VOLUME: &str = "name the volume instead";

const MAGICS: &[Row] = &[
    (
        128,
        b"DICM",
        "a DICOM file",
        "convert the series with dcm2niix",
    ),
    (
        0,
        b"\x93NUMPY",
        "a NumPy array (.npy)",
        "it has no affine: save it as NIfTI with nibabel",
    ),
    (0, b"PK\x03\x04", "a ZIP archive (.zip, .npz)", UNPACK),
    (
        0,
        b"PK\x05\x06",
        "an empty ZIP archive",
        "fetch the file again",
    ),
    (257, b"ustar", "a tar archive", UNPACK),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive", UNPACK),
    (0, b"Rar!\x1a\x07", "a RAR archive", UNPACK),
    (
        0,
        b"\x1f\x8b",
        "gzip inside another compression",
        "decompress it once",
    ),
    (0, b"\xfd7zXZ\0", "an xz file", "decompress it with xz -d"),
    (
        0,
        b"\x04\x22\x4d\x18",
        "an LZ4 file",
        "decompress it with lz4 -d",
    ),
    (
        0,
        b"\x1f\x9d",
        "a file of compress (.Z)",
        "decompress it with gzip -d",
    ),
    (
        0,
        b"GZIDX",
        "a seek index of indexed_gzip, not a volume",
        NOT_A_VOLUME,
    ),
    (
        0,
        b"VOXGZI",
        "a seek index of voxload, not a volume",
        NOT_A_VOLUME,
    ),
    (0, b"%PDF-", "a PDF document, not a volume", NOT_A_VOLUME),
    (
        0,
        b"\x89PNG\r\n\x1a\n",
        "a PNG picture, not a volume",
        NOT_A_VOLUME,
    ),
    (
        0,
        b"\xff\xd8\xff",
        "a JPEG picture, not a volume",
        NOT_A_VOLUME,
    ),
    (0, b"GIF8", "a GIF picture, not a volume", NOT_A_VOLUME),
    (
        0,
        b"II*\0",
        "a TIFF file, which voxload does not read",
        OTHER_TOOL,
    ),
    (
        0,
        b"MM\0*",
        "a TIFF file, which voxload does not read",
        OTHER_TOOL,
    ),
    (
        0,
        b"II+\0",
        "a BigTIFF file, which voxload does not read",
        OTHER_TOOL,
    ),
    (
        0,
        b"MATLAB 5.0 MAT-file",
        "a MATLAB file",
        "save the array in it as NIfTI",
    ),
    (
        0,
        b"MATLAB 7.3 MAT-file",
        "a MATLAB 7.3 file",
        "save the array in it as NIfTI",
    ),
    (
        0,
        b"mrtrix image",
        "an MRtrix image (.mif), which voxload does not read",
        "convert it with mrconvert",
    ),
    (
        0,
        b"# vtk DataFile",
        "a VTK file, which voxload does not read",
        OTHER_TOOL,
    ),
    (
        0,
        b"SIMPLE  =",
        "a FITS file, which voxload does not read",
        OTHER_TOOL,
    ),
    (
        0,
        b"CDF\x02",
        "netCDF with 64-bit offsets, which voxload does not read",
        "convert it with nccopy -k classic",
    ),
    (
        0,
        b"\xff\xff\xfe",
        "a FreeSurfer surface, not a volume",
        NOT_A_VOLUME,
    ),
    (0, b"\x7fELF", "a program, not a volume", NOT_A_VOLUME),
];

/// Recognizes a file in a format that voxload does not read, by its first bytes.
pub(crate) fn recognise(prefix: &[u8]) -> Option<Foreign> {
    if let Some(pointer) = pointer(prefix) {
        return Some(pointer);
    }
    let found = MAGICS.iter().find(|(at, magic, ..)| {
        let rest = prefix.get(*at..);
        rest.is_some_and(|rest| rest.starts_with(magic))
    });
    found
        .map(|&(_, _, what, hint)| Foreign { what, hint })
        .or_else(|| markup(prefix))
}

/// Recognizes a pointer to a file, or a web page that a server sent instead. These are found in place of any file,
/// including voxel files.
pub(crate) fn pointer(prefix: &[u8]) -> Option<Foreign> {
    const LFS_VERSIONS: [&[u8]; 2] = [
        b"version https://git-lfs.github.com/spec/",
        b"version https://hawser.github.com/spec/",
    ];
    if LFS_VERSIONS
        .iter()
        .any(|version| prefix.starts_with(version))
    {
        return Some(LFS);
    }
    if is_annex_path(first_line(prefix)) {
        return Some(ANNEX_POINTER);
    }
    is_page(text(prefix)).then_some(PAGE)
}

/// Whether this is a path into git-annex's store: the target of a link, or the text of a pointer.
pub(crate) fn is_annex_path(path: &[u8]) -> bool {
    const STORE: &[u8] = b"annex/objects/";
    let place = path.windows(STORE.len()).position(|part| part == STORE);
    // Only a path to the store may precede it: a text that mentions the store is not a pointer.
    place.is_some_and(|at| {
        let before = path.get(..at).unwrap_or_default();
        let in_git = before.windows(4).any(|part| part == b".git");
        before == b"/" || (in_git && !before.contains(&b' '))
    })
}

fn first_line(prefix: &[u8]) -> &[u8] {
    let line = prefix.split(|&byte| byte == b'\n' || byte == 0).next();
    line.unwrap_or_default()
}

/// The text at the start, without a byte order mark and white space.
fn text(prefix: &[u8]) -> &[u8] {
    prefix
        .strip_prefix(b"\xef\xbb\xbf")
        .unwrap_or(prefix)
        .trim_ascii_start()
}

fn is_page(text: &[u8]) -> bool {
    let starts = |with: &[u8]| {
        let start = text.get(..with.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(with))
    };
    [&b"<!doctype html"[..], b"<html", b"<head", b"<body"]
        .into_iter()
        .any(starts)
}

/// Recognizes XML and JSON documents.
fn markup(prefix: &[u8]) -> Option<Foreign> {
    let text = text(prefix);
    let has = |word: &[u8]| text.windows(word.len()).any(|part| part == word);
    if text.starts_with(b"<?xml") || text.starts_with(b"<!DOCTYPE") {
        let (what, hint) = match () {
            () if has(b"<GIFTI") => (
                "a GIfTI surface (.gii), which voxload does not read",
                "load it with nibabel",
            ),
            () if has(b"<VTKFile") => ("a VTK file, which voxload does not read", OTHER_TOOL),
            () => ("an XML document, not a volume", NOT_A_VOLUME),
        };
        return Some(Foreign { what, hint });
    }
    let (first, rest) = text.split_first()?;
    let second = rest.trim_ascii_start().first();
    let is_json = match first {
        b'{' => matches!(second, Some(b'"' | b'}')),
        b'[' => matches!(second, Some(b'{' | b'[' | b'"' | b']')),
        _ => false,
    };
    is_json.then_some(Foreign {
        what: "a JSON document, not a volume",
        hint: "name the volume that it belongs to",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn what(bytes: &[u8]) -> Option<&'static str> {
        recognise(bytes).map(|foreign| foreign.what)
    }

    #[test]
    fn pointers_and_pages_are_recognised() {
        for (bytes, expected) in [
            (
                &b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"[..],
                LFS,
            ),
            (b"version https://hawser.github.com/spec/v1\n", LFS),
            (b"/annex/objects/MD5E-s12--0123.nii.gz\n", ANNEX_POINTER),
            (
                b"../../.git/annex/objects/Fk/0x/MD5E-s1--01.nii.gz/MD5E-s1--01.nii.gz",
                ANNEX_POINTER,
            ),
            (b"..\\.git\\annex/objects/x", ANNEX_POINTER),
            (b"../.git/modules/sub/annex/objects/x", ANNEX_POINTER),
            (b"<!DOCTYPE html>\n<html>", PAGE),
            (b"\xef\xbb\xbf\r\n  <HTML lang=\"en\">", PAGE),
        ] {
            assert_eq!(recognise(bytes), Some(expected), "{bytes:?}");
            assert_eq!(pointer(bytes), Some(expected), "{bytes:?}");
        }
        for text in [
            &b"version 2"[..],
            b"see annex/objects/ in the manual",
            b"see .git/annex/objects/ in the manual",
            b"<htm",
            b"",
            b"plain text",
        ] {
            assert_eq!(recognise(text), None, "{text:?}");
        }
    }

    #[test]
    fn every_magic_is_recognised_where_it_is() {
        for &(at, magic, expected, _) in MAGICS {
            let mut bytes = vec![1; at];
            bytes.extend(magic);
            bytes.resize(400, 1);
            assert_eq!(what(&bytes), Some(expected));
            // Not recognized one byte later, nor truncated.
            bytes.insert(0, 1);
            assert_ne!(what(&bytes), Some(expected));
            assert_ne!(what(&bytes[1..at + magic.len()]), Some(expected));
        }
    }

    #[test]
    fn documents_are_recognised() {
        let json = "a JSON document, not a volume";
        for (bytes, expected) in [
            (&b"{\n  \"RepetitionTime\": 2}"[..], json),
            (b"[{\"a\": 1}]", json),
            (b"{}", json),
            (
                b"<?xml version=\"1.0\"?>\n<note/>",
                "an XML document, not a volume",
            ),
            (
                b"<?xml version=\"1.0\"?>\n<!DOCTYPE GIFTI SYSTEM \"x\">\n<GIFTI Version=\"1.0\">",
                "a GIfTI surface (.gii), which voxload does not read",
            ),
        ] {
            assert_eq!(what(bytes), Some(expected), "{bytes:?}");
        }
        for text in [&b"{1, 2}"[..], b"[1, 2]", b"[section]", b"<CIFTI", b"{"] {
            assert_eq!(what(text), None, "{text:?}");
        }
    }
}

//! Header extensions: the blocks between a header and its voxels, or at the end of a `.hdr` file.

use super::fields::Stored;
use super::{Container, Extension};
use crate::dtype::ByteOrder;
use crate::header::Note;

/// Whether the four bytes behind the header announce extensions: nibabel looks at the first alone.
pub(super) fn announced(behind_header: &[u8]) -> bool {
    matches!(behind_header, [flag, _, _, _, ..] if *flag != 0)
}

/// Reads the extensions that fill `region`, and stops with a note at the first that does not fit.
///
/// nibabel would go on reading into the voxels, or fail; no extension is needed to read voxels. In a single file
/// fewer than 16 bytes before the voxels are padding.
pub(super) fn read(
    mut region: &[u8],
    container: Container,
    order: ByteOrder,
    notes: &mut Vec<Note>,
) -> Vec<Extension> {
    let mut extensions = Vec::new();
    let padding = match container {
        Container::Single => 16,
        Container::Pair => 1,
    };
    while region.len() >= padding {
        let (sizes, behind) = region.split_at_checked(8).unwrap_or((region, &[]));
        let (size, code) = sizes.split_at(sizes.len() / 2);
        let esize = Stored::I32.integer(size, order);
        let ecode = Stored::I32.integer(code, order);
        let content = usize::try_from(esize)
            .ok()
            .and_then(|esize| esize.checked_sub(8))
            .and_then(|length| behind.split_at_checked(length));
        let Some((content, rest)) = content else {
            notes.push(Note {
                field: "esize",
                message: format!(
                    "an extension of {esize} bytes where {} are left: the list ends before it",
                    region.len()
                ),
            });
            break;
        };
        if esize % 16 != 0 {
            notes.push(Note {
                field: "esize",
                message: format!("{esize} is not a multiple of 16: kept"),
            });
        }
        let end = content.iter().rposition(|&byte| byte != 0);
        extensions.push(Extension {
            code: ecode as i32,
            content: content
                .iter()
                .copied()
                .take(end.map_or(0, |last| last + 1))
                .collect(),
        });
        region = rest;
    }
    extensions
}

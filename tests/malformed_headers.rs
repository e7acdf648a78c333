//! Promise: the table of malformed headers that the parser is tested with gives the same errors end to end, from files.

use voxload::ByteOrder;
use voxload::format::nifti::{NiftiHeader, Version};

use crate::support::errors::outcome;
use crate::support::table::Row;
use crate::support::{folder, write};

#[path = "malformed/nifti.rs"]
mod table;

use table::{Expected, cases};

#[test]
fn the_table_of_headers_end_to_end() {
    let row = Row::new("malformed NIfTI-1 and NIfTI-2 headers, by name and cut at every byte");
    let mut refused = 0;
    for version in [Version::One, Version::Two] {
        let dir = folder();
        for case in cases(version) {
            let path = write(&dir, &format!("bad{}", case.ending), &case.bytes);
            let found = outcome(&voxload::load(&path));
            let expected = match case.expected {
                Expected::Header(field) => format!("Header({field})"),
                Expected::Truncated => "Truncated(header)".to_owned(),
                Expected::UnknownFormat => "UnknownFormat".to_owned(),
                Expected::Limit => "Limit(extension bytes)".to_owned(),
            };
            assert_eq!(found, expected, "{}", case.name);
            refused += 1;
        }
    }
    row.done_at_least(refused, 4 * (347 + 539) + 4 * 70);
}

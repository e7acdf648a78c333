//! Damaged MetaImage files.

use super::Table;
use crate::formats::seeds;

#[test]
fn malformed_files() {
    let (mut table, seed) = (Table::new("MetaImage", 40), seeds::mha());
    table.replaced(
        &seed,
        &[
            ("ObjectType = Image", "Object = Image", "unknown format"),
            ("NDims = 3\n", "", "header NDims"),
            ("NDims = 3", "NDims 3", "header header"),
            ("NDims = 3", "NDims = 0", "header NDims"),
            ("NDims = 3", "NDims = 11", "header NDims"),
            ("NDims = 3", "NDims = -3", "header NDims"),
            ("NDims = 3", "NDims = many", "header NDims"),
            ("NDims = 3", "NDims = 4", "header DimSize"),
            ("DimSize = 2 3 4\n", "", "header DimSize"),
            ("DimSize = 2 3 4", "DimSize = 2 3", "header DimSize"),
            ("DimSize = 2 3 4", "DimSize = 2 3 0", "header DimSize"),
            ("DimSize = 2 3 4", "DimSize = 2 3 -4", "header DimSize"),
            ("DimSize = 2 3 4", "DimSize = 2 3 4.5", "header DimSize"),
            ("DimSize = 2 3 4", "DimSize = 2 3 5", "truncated voxel data"),
            (
                "DimSize = 2 3 4",
                "DimSize = 4000000000 4000000000 4",
                "header dim",
            ),
            ("ElementType = MET_SHORT\n", "", "header ElementType"),
            (
                "ElementType = MET_SHORT",
                "ElementType = SHORT",
                "header ElementType",
            ),
            (
                "ElementType = MET_SHORT",
                "ElementType = MET_OTHER",
                "header ElementType",
            ),
            (
                "ElementType = MET_SHORT",
                "ElementType = MET_DOUBLE",
                "truncated voxel data",
            ),
            ("BinaryData = True", "BinaryData = False", "damaged text"),
            (
                "BinaryData = True",
                "BinaryData = Perhaps",
                "header BinaryData",
            ),
            (
                "OrderMSB = False",
                "OrderMSB = Little",
                "header BinaryDataByteOrderMSB",
            ),
            (
                "CompressedData = False",
                "CompressedData = Zip",
                "header CompressedData",
            ),
            (
                "CompressedData = False",
                "CompressedData = True",
                "damaged zlib",
            ),
            (
                "CompressedData = False",
                "CompressedData = ",
                "header CompressedData",
            ),
            (
                "1 0 0 0 1 0 0 0 1",
                "1 0 0 0 1 0 0 0",
                "header TransformMatrix",
            ),
            (
                "1 0 0 0 1 0 0 0 1",
                "1 0 0 0 1 0 0 0 1 1",
                "header TransformMatrix",
            ),
            (
                "1 0 0 0 1 0 0 0 1",
                "1 0 0 0 1 0 0 0 x",
                "header TransformMatrix",
            ),
            ("Offset = 1 2 3", "Offset = 1 2", "header Offset"),
            ("Offset = 1 2 3", "Position = 1 2 c", "header Position"),
            ("Offset = 1 2 3", "Origin =", "header Origin"),
            ("Spacing = 1 2 3", "Spacing = 1 2", "header ElementSpacing"),
            (
                "Spacing = 1 2 3",
                "Spacing = 1 2 3,5",
                "header ElementSpacing",
            ),
            (
                "Offset = 1 2 3",
                "ElementNumberOfChannels = 0",
                "header ElementNumberOfChannels",
            ),
            (
                "Offset = 1 2 3",
                "ElementNumberOfChannels = -1",
                "header ElementNumberOfChannels",
            ),
            (
                "Offset = 1 2 3",
                "ElementNumberOfChannels = 2",
                "truncated voxel data",
            ),
            ("Offset = 1 2 3", "HeaderSize = -2", "header HeaderSize"),
            ("Offset = 1 2 3", "HeaderSize = 1", "truncated voxel data"),
            ("Offset = 1 2 3", "HeaderSize = large", "header HeaderSize"),
            ("= LOCAL", "= LIST", "not found"),
            ("= LOCAL", "=", "header ElementDataFile"),
            ("= LOCAL", "= seed.none", "not found"),
            ("= LOCAL", "= s%d.raw 1 7 1", "header data file"),
            ("= LOCAL", "= s%d.raw 1 4 1", "not found"),
            ("= LOCAL", "= s%d.raw", "not found"),
            ("= LOCAL", "= s%x.raw 1 4 1", "header ElementDataFile"),
            ("= LOCAL", "= s%d.raw 4 1 1", "header ElementDataFile"),
        ],
    );
    let header = seeds::META.len() + "ElementDataFile = LOCAL\n".len();
    table.cut(
        &seed,
        &[
            (0, "empty"),
            (9, "unknown format"),
            (30, "header header"),
            (header - 24, "header ElementDataFile"),
        ],
    );
    table.cut(
        &seed,
        &[
            (header, "truncated voxel data"),
            (header + 47, "truncated voxel data"),
        ],
    );
    let mut apart = seeds::mhd();
    apart.files[1].1.truncate(47);
    table.check("voxels cut", &apart, "truncated voxel data");
    table.replaced(
        &apart,
        &[("Offset = 1 2 3", "HeaderSize = -1", "truncated voxel data")],
    );
    apart.files.remove(1);
    table.check("no voxels", &apart, "not found");
    table.done();
}

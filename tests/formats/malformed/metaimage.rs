//! Damaged MetaImage files.

use super::Table;
use crate::formats::seeds;

#[test]
fn malformed_files() {
    let (mut table, seed) = (Table::new("MetaImage", 40), seeds::mha());
    table.replaced(
        &seed,
        &[
            ("ObjectType = Image", "Object, Image", "UnknownFormat"),
            ("ObjectType = Image", "Object = Image", "Ok"),
            ("NDims = 3\n", "", "Header(NDims)"),
            ("NDims = 3", "NDims 3", "Header(header)"),
            ("NDims = 3", "NDims = 0", "Header(NDims)"),
            ("NDims = 3", "NDims = 11", "Header(NDims)"),
            ("NDims = 3", "NDims = -3", "Header(NDims)"),
            ("NDims = 3", "NDims = many", "Header(NDims)"),
            ("NDims = 3", "NDims = 4", "Header(DimSize)"),
            ("DimSize = 2 3 4\n", "", "Header(DimSize)"),
            ("DimSize = 2 3 4", "DimSize = 2 3", "Header(DimSize)"),
            ("DimSize = 2 3 4", "DimSize = 2 3 0", "Header(DimSize)"),
            ("DimSize = 2 3 4", "DimSize = 2 3 -4", "Header(DimSize)"),
            ("DimSize = 2 3 4", "DimSize = 2 3 4.5", "Header(DimSize)"),
            (
                "DimSize = 2 3 4",
                "DimSize = 2 3 5",
                "Truncated(voxel data)",
            ),
            (
                "DimSize = 2 3 4",
                "DimSize = 4000000000 4000000000 4",
                "Header(dim)",
            ),
            ("ElementType = MET_SHORT\n", "", "Header(ElementType)"),
            (
                "ElementType = MET_SHORT",
                "ElementType = SHORT",
                "Header(ElementType)",
            ),
            (
                "ElementType = MET_SHORT",
                "ElementType = MET_OTHER",
                "Header(ElementType)",
            ),
            (
                "ElementType = MET_SHORT",
                "ElementType = MET_DOUBLE",
                "Truncated(voxel data)",
            ),
            ("BinaryData = True", "BinaryData = False", "Integrity(text)"),
            (
                "BinaryData = True",
                "BinaryData = Perhaps",
                "Header(BinaryData)",
            ),
            (
                "OrderMSB = False",
                "OrderMSB = Little",
                "Header(BinaryDataByteOrderMSB)",
            ),
            (
                "CompressedData = False",
                "CompressedData = Zip",
                "Header(CompressedData)",
            ),
            (
                "CompressedData = False",
                "CompressedData = True",
                "Integrity(zlib)",
            ),
            (
                "CompressedData = False",
                "CompressedData = ",
                "Header(CompressedData)",
            ),
            (
                "1 0 0 0 1 0 0 0 1",
                "1 0 0 0 1 0 0 0",
                "Header(TransformMatrix)",
            ),
            ("1 0 0 0 1 0 0 0 1", "1 0 0 0 1 0 0 0 1 1", "Ok"),
            (
                "1 0 0 0 1 0 0 0 1",
                "1 0 0 0 1 0 0 0 x",
                "Header(TransformMatrix)",
            ),
            ("Offset = 1 2 3", "Offset = 1 2", "Header(Offset)"),
            ("Offset = 1 2 3", "Position = 1 2 c", "Header(Position)"),
            ("Offset = 1 2 3", "Origin =", "Header(Origin)"),
            ("Spacing = 1 2 3", "Spacing = 1 2", "Header(ElementSpacing)"),
            (
                "Spacing = 1 2 3",
                "Spacing = 1 2 3,5",
                "Header(ElementSpacing)",
            ),
            (
                "Offset = 1 2 3",
                "ElementNumberOfChannels = 0",
                "Header(ElementNumberOfChannels)",
            ),
            (
                "Offset = 1 2 3",
                "ElementNumberOfChannels = -1",
                "Header(ElementNumberOfChannels)",
            ),
            (
                "Offset = 1 2 3",
                "ElementNumberOfChannels = 2",
                "Truncated(voxel data)",
            ),
            ("Offset = 1 2 3", "HeaderSize = -2", "Header(HeaderSize)"),
            ("Offset = 1 2 3", "HeaderSize = 1", "Ok"),
            (
                "Offset = 1 2 3",
                "HeaderSize = 999",
                "Truncated(voxel data)",
            ),
            ("Offset = 1 2 3", "HeaderSize = large", "Header(HeaderSize)"),
            ("= LOCAL", "= LIST", "Header(ElementDataFile)"),
            ("= LOCAL", "=", "Header(ElementDataFile)"),
            ("= LOCAL", "= seed.none", "NotFound"),
            ("= LOCAL", "= s%d.raw 1 7 1", "NotFound"),
            ("= LOCAL", "= s%d.raw 1 3 1", "Header(ElementDataFile)"),
            ("= LOCAL", "= s%d.raw 1 4 1", "NotFound"),
            ("= LOCAL", "= s%d.raw", "NotFound"),
            ("= LOCAL", "= s%x.raw 1 4 1", "Header(ElementDataFile)"),
            ("= LOCAL", "= s%d.raw 4 1 1", "Header(ElementDataFile)"),
        ],
    );
    let header = seeds::META.len() + "ElementDataFile = LOCAL\n".len();
    table.cut(
        &seed,
        &[
            (0, "Empty"),
            (9, "UnknownFormat"),
            (30, "Header(header)"),
            (header - 24, "Header(ElementDataFile)"),
        ],
    );
    table.cut(
        &seed,
        &[
            (header, "Truncated(voxel data)"),
            (header + 47, "Truncated(voxel data)"),
        ],
    );
    let mut apart = seeds::mhd();
    apart.files[1].1.truncate(47);
    table.check("voxels cut", &apart, "Truncated(voxel data)");
    table.replaced(
        &apart,
        &[("Offset = 1 2 3", "HeaderSize = -1", "Truncated(voxel data)")],
    );
    apart.files.remove(1);
    table.check("no voxels", &apart, "NotFound");
    table.done();
}

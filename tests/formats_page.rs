//! The table of formats in doc/FORMATS.md is the code's.

use voxload::format::formats;

/// The rows between the markers.
fn page_rows() -> Vec<&'static str> {
    let page = include_str!("../doc/FORMATS.md");
    let (_, after) = page
        .split_once("<!-- formats: checked against the code's table -->")
        .unwrap();
    let (table, _) = after.split_once("<!-- end of formats -->").unwrap();
    let rows = table.lines().filter(|line| line.starts_with("| "));
    rows.skip(1).collect()
}

#[test]
fn the_table_of_formats_is_the_codes() {
    let code = |endings: &[&str]| {
        let texts: Vec<_> = endings.iter().map(|ending| format!("`{ending}`")).collect();
        texts.join(", ")
    };
    let expected: Vec<String> = formats()
        .map(|info| match info.image_endings {
            [] => format!("| {} | {} |", info.name, code(info.header_endings)),
            image => format!(
                "| {} | {} + {} |",
                info.name,
                code(info.header_endings),
                code(image)
            ),
        })
        .collect();
    // Built without the feature, the code has no MINC2.
    let rows = page_rows().into_iter();
    let rows = rows.filter(|row| cfg!(feature = "minc2") || !row.starts_with("| MINC2 |"));
    assert_eq!(rows.collect::<Vec<_>>().join("\n"), expected.join("\n"));
}

//! The JSON schema of `voxload info --json`.

use serde_json::{Value, json};

/// A member of an object: its name, its schema.
type Member = (&'static str, Value);

fn described(mut schema: Value, description: &str) -> Value {
    if let Value::Object(members) = &mut schema {
        members.insert("description".to_owned(), description.into());
    }
    schema
}

fn of(kind: &str) -> Value {
    json!({ "type": kind })
}

fn or_null(kind: &str) -> Value {
    json!({ "type": [kind, "null"] })
}

fn array(items: Value) -> Value {
    json!({ "type": "array", "items": items })
}

fn array_or_null(items: Value) -> Value {
    json!({ "type": ["array", "null"], "items": items })
}

/// An object with exactly these members, which are all required.
fn object(members: impl IntoIterator<Item = Member>) -> Value {
    let members: serde_json::Map<String, Value> = members
        .into_iter()
        .map(|(name, schema)| (name.to_owned(), schema))
        .collect();
    let names: Vec<&String> = members.keys().collect();
    json!({
        "type": "object",
        "required": names,
        "properties": members,
        "additionalProperties": false,
    })
}

pub(super) fn schema() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "voxload info --json",
        "description": "One object a file, in the order of the command line. JSON has no NaN and no infinity: they are null.",
        "type": "array",
        "items": { "anyOf": [image(), failure()] },
    })
}

fn image() -> Value {
    let file = object([
        ("role", json!({ "enum": ["image", "header", "mat"] })),
        ("path", of("string")),
        (
            "bytes",
            described(or_null("integer"), "null: the file is missing"),
        ),
        (
            "compression",
            json!({ "enum": ["gzip", "bzip2", "zstd", null] }),
        ),
    ]);
    let extension = object([
        ("code", of("integer")),
        (
            "name",
            described(or_null("string"), "null: an unknown code"),
        ),
        ("bytes", of("integer")),
        ("text", described(or_null("string"), "null: not text")),
    ]);
    let gradient = object([
        ("b_value", described(or_null("number"), "in s/mm2")),
        (
            "direction",
            described(
                array_or_null(or_null("number")),
                "along the three voxel axes; null: not stored",
            ),
        ),
    ]);
    let structure = object([
        ("structure", of("string")),
        (
            "surface",
            described(of("boolean"), "vertices of a surface, not voxels"),
        ),
        ("offset", of("integer")),
        ("count", of("integer")),
    ]);
    let series = object([
        ("start", or_null("number")),
        ("step", or_null("number")),
        ("unit", of("string")),
        ("points", of("integer")),
    ]);
    let kinds = [
        "brain models",
        "parcels",
        "scalars",
        "labels",
        "series",
        "other",
    ];
    let map = object([
        ("axes", array(of("integer"))),
        ("kind", json!({ "enum": kinds })),
        ("names", array_or_null(of("string"))),
        ("structures", array_or_null(structure)),
        ("series", json!({ "anyOf": [series, { "type": "null" }] })),
    ]);
    let cifti = object([("version", of("string")), ("maps", array(map))]);
    let single = ["number", "string", "null"];
    let field = json!({ "anyOf": [
        { "type": single },
        { "type": "array", "items": { "anyOf": [
            { "type": single },
            { "type": "array", "items": { "type": single } },
        ] } },
    ] });
    let unit = |description| described(or_null("string"), description);
    let members = [
        (
            "file",
            described(of("string"), "as it was named on the command line"),
        ),
        (
            "files",
            described(
                array(file),
                "the files of the volume; empty for standard input",
            ),
        ),
        ("format", of("string")),
        (
            "shape",
            described(
                array(of("integer")),
                "voxels along each axis, first axis first",
            ),
        ),
        (
            "axes",
            described(
                array(json!({ "enum": ["space", "time", "component", "other"] })),
                "the kind of each axis",
            ),
        ),
        (
            "zooms",
            described(
                array(or_null("number")),
                "step along each axis, in the units below",
            ),
        ),
        (
            "space_unit",
            unit("of the affine and of zooms in space: m, mm, um; null: not stated"),
        ),
        (
            "time_unit",
            unit("of zooms in time: s, ms, us; null: not stated"),
        ),
        (
            "time_step",
            described(
                or_null("number"),
                "the zoom of the axis of time (TR); null: none, or not stated",
            ),
        ),
        (
            "affine",
            described(
                array_or_null(array(or_null("number"))),
                "4 x 4, index along the axes of space to a place in RAS+",
            ),
        ),
        (
            "orientation",
            described(
                or_null("string"),
                "the direction of each axis of space: R or L, A or P, S or I; ? for none",
            ),
        ),
        (
            "tilt_degrees",
            described(
                or_null("number"),
                "largest angle between those directions and the voxel axes",
            ),
        ),
        (
            "dtype",
            described(of("string"), "the stored type, as numpy names it"),
        ),
        ("byte_order", json!({ "enum": ["little", "big"] })),
        (
            "slope",
            described(
                or_null("number"),
                "value = slope * stored + inter; null: not one for all voxels",
            ),
        ),
        ("inter", or_null("number")),
        (
            "data_offset",
            described(
                of("integer"),
                "byte at which the voxels begin, after decompression",
            ),
        ),
        (
            "intent",
            described(
                or_null("string"),
                "NIfTI: what the values mean; null: not stated",
            ),
        ),
        (
            "sform",
            described(
                or_null("string"),
                "NIfTI: the sform's space; null: no sform",
            ),
        ),
        (
            "qform",
            described(
                or_null("string"),
                "NIfTI: the qform's space; null: no qform",
            ),
        ),
        (
            "extensions",
            described(array_or_null(extension), "NIfTI's; null for other formats"),
        ),
        (
            "gradients",
            described(
                array_or_null(gradient),
                "PAR/REC: one a volume; null: no diffusion",
            ),
        ),
        (
            "cifti",
            described(
                json!({ "anyOf": [cifti, { "type": "null" }] }),
                "CIFTI-2: what the indices along each axis stand for; null for other formats",
            ),
        ),
        (
            "notes",
            described(
                array(of("string")),
                "faults that were repaired, and names that mislead",
            ),
        ),
        (
            "fields",
            json!({
                "type": "object",
                "description": "the format's own fields; of a key that occurs several times, an array of its values",
                "additionalProperties": field,
            }),
        ),
    ];
    described(object(members), "a volume")
}

fn failure() -> Value {
    let error = object([
        (
            "kind",
            described(
                of("string"),
                "the name of the variant of voxload::ErrorKind",
            ),
        ),
        ("message", described(of("string"), "in one line")),
    ]);
    described(
        object([("file", of("string")), ("error", error)]),
        "a file that could not be loaded",
    )
}

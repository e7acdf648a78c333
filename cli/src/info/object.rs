//! A volume as a JSON object; `schema.rs` describes it.

use serde_json::{Map, Value, json};
use voxload::Error;
use voxload::format::FieldValue;
use voxload::format::cifti::{BrainModel, Cifti, CiftiMap, CiftiMeaning};

use super::summary::Summary;

pub(super) fn of(summary: &Summary) -> Value {
    let header = summary.header;
    let files: Vec<Value> = summary
        .files
        .iter()
        .map(|file| {
            json!({
                "role": file.role.name(),
                "path": file.path.display().to_string(),
                "bytes": file.bytes,
                "compression": file.compression,
            })
        })
        .collect();
    let kinds: Vec<&str> = header.axes.iter().map(|kind| kind.name()).collect();
    let notes: Vec<String> = summary
        .image
        .notes()
        .iter()
        .map(ToString::to_string)
        .collect();
    let nifti = summary.nifti();
    let extensions: Option<Vec<Value>> = nifti.map(|nifti| {
        let object = |extension: &voxload::format::nifti::Extension| {
            json!({
                "code": extension.code,
                "name": extension.name(),
                "bytes": extension.content.len(),
                "text": extension.text(),
            })
        };
        nifti.extensions.iter().map(object).collect()
    });
    let gradients: Option<Vec<Value>> = summary.gradients.as_ref().map(|gradients| {
        let object = |gradient: &voxload::format::parrec::Gradient| {
            json!({ "b_value": gradient.b_value, "direction": gradient.direction })
        };
        gradients.iter().map(object).collect()
    });
    json!({
        "file": summary.name,
        "files": files,
        "format": header.format.name(),
        "shape": header.shape,
        "axes": kinds,
        "zooms": header.zooms,
        "space_unit": unit(header.space_unit.symbol()),
        "time_unit": unit(header.time_unit.symbol()),
        "time_step": summary.time_step(),
        "affine": summary.image.affine(),
        "orientation": summary.letters(),
        "tilt_degrees": summary.tilt(),
        "dtype": header.dtype.name(),
        "byte_order": header.byte_order.to_string(),
        "slope": header.scaling.slope(),
        "inter": header.scaling.inter(),
        "data_offset": header.data_offset,
        "intent": nifti.and_then(|nifti| nifti.intent()),
        "sform": nifti.and_then(|nifti| nifti.sform()),
        "qform": nifti.and_then(|nifti| nifti.qform()),
        "extensions": extensions,
        "gradients": gradients,
        "cifti": summary.cifti.as_ref().map(cifti),
        "notes": notes,
        "fields": fields(summary),
    })
}

/// The object of a file that could not be loaded.
pub(super) fn of_error(name: &str, error: &Error, message: &str) -> Value {
    // The name of the variant, without its fields.
    let kind = format!("{:?}", error.kind());
    let end = kind
        .find(|c: char| !c.is_alphanumeric())
        .unwrap_or(kind.len());
    json!({
        "file": name,
        "error": { "kind": &kind[..end], "message": message },
    })
}

fn cifti(cifti: &Cifti) -> Value {
    let map = |map: &CiftiMap| {
        let (mut names, mut structures, mut series) = (Value::Null, Value::Null, Value::Null);
        let kind = match &map.meaning {
            CiftiMeaning::BrainModels(models) => {
                let structure = |model: &BrainModel| {
                    json!({
                        "structure": model.structure,
                        "surface": model.is_surface,
                        "offset": model.offset,
                        "count": model.count,
                    })
                };
                structures = models.iter().map(structure).collect();
                "brain models"
            }
            CiftiMeaning::Parcels(list) => {
                names = json!(list);
                "parcels"
            }
            CiftiMeaning::Scalars(list) => {
                names = json!(list);
                "scalars"
            }
            CiftiMeaning::Labels(list) => {
                names = json!(list);
                "labels"
            }
            CiftiMeaning::Series(steps) => {
                series = json!({
                    "start": steps.start,
                    "step": steps.step,
                    "unit": steps.unit,
                    "points": steps.points,
                });
                "series"
            }
            _ => "other",
        };
        json!({ "axes": map.axes, "kind": kind, "names": names, "structures": structures, "series": series })
    };
    let maps: Vec<Value> = cifti.maps.iter().map(map).collect();
    json!({ "version": cifti.version, "maps": maps })
}

fn unit(symbol: &str) -> Option<&str> {
    Some(symbol).filter(|symbol| !symbol.is_empty())
}

/// The fields by name. If a name occurs several times, its value is an array of all values.
fn fields(summary: &Summary) -> Map<String, Value> {
    let mut fields: Map<String, Value> = Map::new();
    let mut repeated: Map<String, Value> = Map::new();
    for (name, value) in &summary.fields {
        let value = field(value);
        match (fields.get_mut(name), repeated.contains_key(name)) {
            (None, _) => {
                fields.insert(name.clone(), value);
            }
            (Some(Value::Array(values)), true) => values.push(value),
            (Some(first), _) => {
                *first = Value::Array(vec![first.take(), value]);
                repeated.insert(name.clone(), Value::Null);
            }
        }
    }
    fields
}

fn field(value: &FieldValue) -> Value {
    match value {
        FieldValue::Integer(number) => json!(number),
        FieldValue::Real(number) => json!(number),
        FieldValue::Integers(numbers) => json!(numbers),
        FieldValue::Reals(numbers) => json!(numbers),
        FieldValue::Text(text) => json!(text),
        other => json!(format!("{other:?}")),
    }
}

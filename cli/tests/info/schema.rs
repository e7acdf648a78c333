//! The output of `--json` is what `--schema` says: member by member, type by type.

use serde_json::{Value, json};

use super::{name, objects, printed, voxload};
use crate::support::files::{folder, write};
use crate::support::nifti::{Nifti, one, put_real};
use crate::support::seeds;

/// What of a value is not as a schema says. Of JSON Schema this knows the words that the schema uses, and refuses others.
fn faults(value: &Value, schema: &Value, place: &str) -> Vec<String> {
    let words = schema.as_object().expect("a schema is an object");
    let mut found = Vec::new();
    for (word, rule) in words {
        match word.as_str() {
            "$schema" | "title" | "description" => {}
            "type" => {
                let kinds = match rule {
                    Value::Array(kinds) => kinds.clone(),
                    one => vec![one.clone()],
                };
                if !kinds
                    .iter()
                    .any(|kind| is_of(value, kind.as_str().expect("a type")))
                {
                    found.push(format!("{place}: {value} is not of type {rule}"));
                }
            }
            "enum" => {
                if !rule.as_array().expect("values").contains(value) {
                    found.push(format!("{place}: {value} is not one of {rule}"));
                }
            }
            "anyOf" => {
                let rules = rule.as_array().expect("schemas");
                let all: Vec<Vec<String>> = rules
                    .iter()
                    .map(|rule| faults(value, rule, place))
                    .collect();
                if all.iter().all(|faults| !faults.is_empty()) {
                    found.extend(all.into_iter().flatten());
                }
            }
            "items" => {
                for (k, item) in value.as_array().into_iter().flatten().enumerate() {
                    found.extend(faults(item, rule, &format!("{place}[{k}]")));
                }
            }
            "required" => {
                for name in rule.as_array().expect("names") {
                    if value
                        .as_object()
                        .is_some_and(|object| !object.contains_key(name.as_str().expect("a name")))
                    {
                        found.push(format!("{place}: {name} is missing"));
                    }
                }
            }
            "properties" => {
                for (name, rule) in rule.as_object().expect("members") {
                    if let Some(member) = value.get(name) {
                        found.extend(faults(member, rule, &format!("{place}.{name}")));
                    }
                }
            }
            "additionalProperties" => {
                let known = words.get("properties").and_then(Value::as_object);
                let others = value.as_object().into_iter().flatten();
                let others = others
                    .filter(|(name, _)| !known.is_some_and(|known| known.contains_key(*name)));
                for (name, member) in others {
                    match rule {
                        Value::Bool(false) => found.push(format!("{place}: {name} is unknown")),
                        rule => found.extend(faults(member, rule, &format!("{place}.{name}"))),
                    }
                }
            }
            other => panic!("{place}: the word {other} is not known to this test"),
        }
    }
    found
}

fn is_of(value: &Value, kind: &str) -> bool {
    match kind {
        "array" => value.is_array(),
        "object" => value.is_object(),
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("the type {other}"),
    }
}

fn schema() -> Value {
    serde_json::from_str(&printed(&voxload(&["info", "--schema"]))).expect("JSON")
}

#[test]
fn every_format_and_failure_is_as_the_schema_says() {
    let schema = schema();
    let mut all = Vec::new();
    for seed in seeds::all() {
        let dir = folder();
        let path = seed.write(dir.path());
        all.extend(objects(&voxload(&["info", "--json", name(&path)])));
    }
    let dir = folder();
    let odd = Nifti::counting(&[4, 3, 2])
        .scl(f64::NAN, f64::NAN)
        .extension(6, b"text")
        .extension(99, &[0xff, 0]);
    let mut odd = odd.single();
    put_real(
        &mut odd,
        one::PIXDIM.nth(1),
        f64::INFINITY,
        voxload::ByteOrder::Little,
    );
    let (header, _) = Nifti::counting(&[4, 3, 2]).pair();
    for path in [
        write(&dir, "odd.nii", &odd),
        write(&dir, "half.hdr", &header),
        write(&dir, "bad.nii", b"bad"),
        dir.path().join("gone.nii"),
    ] {
        all.extend(objects(&voxload(&["info", "--json", name(&path)])));
    }
    let found = faults(&json!(all), &schema, "");
    assert_eq!(found, [""; 0]);
    assert!(all.len() >= 15, "{}", all.len());
    assert_eq!(
        all.iter()
            .filter(|object| !object["error"].is_null())
            .count(),
        2
    );
}

/// The check finds what is missing, what is too much, and what is of another type.
#[test]
fn the_check_can_fail() {
    let schema = schema();
    let dir = folder();
    let path = write(
        &dir,
        "a.nii",
        &Nifti::counting(&[4, 3, 2]).extension(6, b"text").single(),
    );
    let good = objects(&voxload(&["info", "--json", name(&path)]))[0].clone();
    let check = |object: Value| faults(&json!([object]), &schema, "");
    assert_eq!(check(good.clone()), [""; 0]);
    let members: Vec<String> = good
        .as_object()
        .expect("an object")
        .keys()
        .cloned()
        .collect();
    assert!(members.len() >= 24, "{members:?}");
    for member in &members {
        let mut object = good.clone();
        object.as_object_mut().expect("an object").remove(member);
        assert!(!check(object).is_empty(), "without {member}");
        let mut object = good.clone();
        object[member] = json!({ "never": true });
        if member != "fields" {
            assert!(!check(object).is_empty(), "{member} of another type");
        }
    }
    for (pointer, value) in [
        ("/fields/dim", json!({})),
        ("/shape/0", json!("4")),
        ("/axes/0", json!("place")),
        ("/affine/1/2", json!("0")),
        ("/extensions/0/code", json!(1.5)),
        ("/files/0/bytes", json!("352")),
    ] {
        let mut object = good.clone();
        *object.pointer_mut(pointer).expect("it is there") = value;
        assert!(!check(object).is_empty(), "{pointer}");
    }
    let mut object = good;
    object["more"] = json!(1);
    assert!(
        !check(object).is_empty(),
        "a member that the schema does not have"
    );
}

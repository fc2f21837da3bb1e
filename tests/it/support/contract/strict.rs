//! The document as strict as tests want it: members that it does not name are not allowed.

use serde_json::Value;

/// The document with every object closed: members that it does not name are not allowed.
pub(super) fn closed(document: &Value) -> Value {
    let mut document = document.clone();
    close_all(&mut document, false);
    document
}

/// Closes the schemas of bodies. A component is left open at its root, because it may be a part of another
/// schema: it is closed wherever it is used as a whole.
fn close_all(value: &mut Value, in_schemas: bool) {
    let Some(members) = value.as_object_mut() else {
        return;
    };
    for (name, inner) in members {
        match name.as_str() {
            "example" | "examples" => {}
            "schema" => close(inner),
            "schemas" if !in_schemas => {
                for component in inner.as_object_mut().unwrap().values_mut() {
                    close_below(component);
                }
            }
            _ => close_all(inner, false),
        }
    }
}

fn close(schema: &mut Value) {
    close_below(schema);
    let Some(members) = schema.as_object_mut() else {
        return;
    };
    let is_object = ["$ref", "properties", "allOf"]
        .iter()
        .any(|key| members.contains_key(*key));
    if is_object && !members.contains_key("additionalProperties") {
        members.insert("unevaluatedProperties".to_owned(), false.into());
    }
}

/// Closes what a schema holds, not the schema itself.
fn close_below(schema: &mut Value) {
    let Some(members) = schema.as_object_mut() else {
        return;
    };
    for (keyword, inner) in members {
        match keyword.as_str() {
            "properties" => inner.as_object_mut().unwrap().values_mut().for_each(close),
            "items" | "additionalProperties" => close(inner),
            "anyOf" | "oneOf" => inner.as_array_mut().unwrap().iter_mut().for_each(close),
            // The parts of an `allOf` judge the same object: it is closed around them.
            _ => {}
        }
    }
}

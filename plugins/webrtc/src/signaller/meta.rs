//! Metadata: a GStreamer structure on this side, JSON on the wire.
//!
//! | structure | JSON | and back |
//! |---|---|---|
//! | string | string | string |
//! | boolean | boolean | boolean |
//! | integers | number | `guint64`, or `gint64` if negative |
//! | float, double | number (a string, if it is not finite) | `gdouble` |
//! | structure | object | structure named `v` |
//! | array, list | array | `GstValueArray` |
//! | flags | `"a+b"` | string |
//! | NULL | null | left out |
//! | anything else | its serialised form, a string | string |
//!
//! JSON that comes from a peer is bounded here: depth, number of fields, length of their names, and, because
//! GStreamer keeps every field name it ever saw, the number of names that are new to the process.

use std::sync::atomic::{AtomicUsize, Ordering};

use gst::glib;
use gst::prelude::*;
use serde_json::{Map, Number, Value};

/// How deep structures and arrays may be nested; what is deeper is left out.
const MAX_DEPTH: usize = 16;
/// How many fields of an object, or elements of an array, are taken.
const MAX_ENTRIES: usize = 256;
/// The longest field name, in bytes.
const MAX_NAME: usize = 64;
/// How many field names that nobody has used before peers may introduce in the life of the process.
const MAX_NEW_NAMES: usize = 4096;

/// The structure as JSON. Its name is not part of it.
pub fn to_json(structure: &gst::StructureRef) -> Value {
    object(structure, 0)
}

/// The structure that a peer's JSON object describes; `None` if it is anything but an object.
pub fn from_json(value: &Value) -> Option<gst::Structure> {
    static NAMES: NewNames = NewNames(AtomicUsize::new(0));
    from_json_within(value, &NAMES)
}

fn from_json_within(value: &Value, names: &NewNames) -> Option<gst::Structure> {
    match value {
        Value::Object(object) => Some(structure(object, names, 0)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => None,
    }
}

fn object(structure: &gst::StructureRef, depth: usize) -> Value {
    let fields = structure
        .iter()
        .map(|(name, value)| (name.to_string(), json(value, depth)));
    Value::Object(fields.collect())
}

fn json(value: &glib::Value, depth: usize) -> Value {
    if depth >= MAX_DEPTH {
        return Value::Null;
    }
    let float =
        |float: f64| Number::from_f64(float).map_or_else(|| Value::from(float.to_string()), Value::Number);
    let array = |values: &[glib::SendValue]| values.iter().map(|value| json(value, depth + 1)).collect();
    let type_ = value.type_();
    match type_ {
        glib::Type::STRING => value
            .get::<Option<String>>()
            .ok()
            .flatten()
            .map_or(Value::Null, Value::from),
        glib::Type::BOOL => value.get::<bool>().map_or(Value::Null, Value::from),
        glib::Type::I8 => value.get::<i8>().map_or(Value::Null, Value::from),
        glib::Type::U8 => value.get::<u8>().map_or(Value::Null, Value::from),
        glib::Type::I32 => value.get::<i32>().map_or(Value::Null, Value::from),
        glib::Type::U32 => value.get::<u32>().map_or(Value::Null, Value::from),
        glib::Type::I64 => value.get::<i64>().map_or(Value::Null, Value::from),
        glib::Type::U64 => value.get::<u64>().map_or(Value::Null, Value::from),
        glib::Type::I_LONG => value
            .get::<glib::ILong>()
            .map_or(Value::Null, |long| Value::from(long.0)),
        glib::Type::U_LONG => value
            .get::<glib::ULong>()
            .map_or(Value::Null, |long| Value::from(long.0)),
        glib::Type::F32 => value
            .get::<f32>()
            .map_or(Value::Null, |value| float(value.into())),
        glib::Type::F64 => value.get::<f64>().map_or(Value::Null, float),
        _ if type_ == gst::Structure::static_type() => match value.get::<Option<gst::Structure>>() {
            Ok(Some(structure)) => object(&structure, depth + 1),
            Ok(None) | Err(_) => Value::Null,
        },
        _ if type_ == gst::Array::static_type() => value
            .get::<gst::ArrayRef>()
            .map_or(Value::Null, |values| array(values.as_slice())),
        _ if type_ == gst::List::static_type() => value
            .get::<gst::ListRef>()
            .map_or(Value::Null, |values| array(values.as_slice())),
        _ => other(value),
    }
}

fn other(value: &glib::Value) -> Value {
    if let Some((_, flags)) = glib::FlagsValue::from_value(value) {
        let names: Vec<_> = flags.iter().map(|flag| flag.nick()).collect();
        return Value::from(names.join("+"));
    }
    value
        .serialize()
        .map_or(Value::Null, |text| Value::from(text.to_string()))
}

fn structure(object: &Map<String, Value>, names: &NewNames, depth: usize) -> gst::Structure {
    let mut structure = gst::Structure::new_empty_from_static(glib::gstr!("v"));
    for (name, value) in object
        .iter()
        .filter(|(name, _)| names.is_usable(name))
        .take(MAX_ENTRIES)
    {
        if let Some(value) = glib_value(value, names, depth) {
            structure.set_value(name.as_str(), value);
        }
    }
    structure
}

fn glib_value(value: &Value, names: &NewNames, depth: usize) -> Option<glib::SendValue> {
    if depth >= MAX_DEPTH {
        return None;
    }
    match value {
        Value::Null => None,
        Value::Bool(value) => Some(value.to_send_value()),
        Value::Number(number) => number
            .as_u64()
            .map(|value| value.to_send_value())
            .or_else(|| number.as_i64().map(|value| value.to_send_value()))
            .or_else(|| number.as_f64().map(|value| value.to_send_value())),
        // A NUL would silently cut the string short.
        Value::String(text) => (!text.contains('\0')).then(|| text.to_send_value()),
        Value::Array(values) => {
            let values = &values[..values.len().min(MAX_ENTRIES)];
            Some(array(values, names, depth).to_send_value())
        }
        Value::Object(object) => Some(structure(object, names, depth + 1).to_send_value()),
    }
}

/// A `GstValueArray` has values of one type. Numbers are brought to one that holds them all; what differs from the
/// first value all the same is left out.
fn array(values: &[Value], names: &NewNames, depth: usize) -> gst::Array {
    let are_all = |is: fn(&Value) -> bool| values.iter().all(is);
    let values: Vec<_> = if are_all(Value::is_u64) || !are_all(Value::is_number) {
        values
            .iter()
            .filter_map(|value| glib_value(value, names, depth + 1))
            .collect()
    } else if are_all(Value::is_i64) {
        values
            .iter()
            .filter_map(Value::as_i64)
            .map(|value| value.to_send_value())
            .collect()
    } else {
        values
            .iter()
            .filter_map(Value::as_f64)
            .map(|value| value.to_send_value())
            .collect()
    };
    let type_ = values.first().map(|first| first.type_());
    gst::Array::from_values(values.into_iter().filter(|value| Some(value.type_()) == type_))
}

/// How many field names that are new to the process peers have introduced.
struct NewNames(AtomicUsize);

impl NewNames {
    /// Whether a peer's name for a field can be one of a structure's.
    fn is_usable(&self, name: &str) -> bool {
        if name.is_empty() || name.len() > MAX_NAME || name.contains(char::is_control) {
            return false;
        }
        glib::Quark::try_from_str(name).is_some() || self.0.fetch_add(1, Ordering::Relaxed) < MAX_NEW_NAMES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_structure_of_every_kind_of_value_becomes_json() {
        gst::init().unwrap();
        let structure = gst::Structure::builder("meta")
            .field("name", "camera \"1\"")
            .field("on", true)
            .field("int", -5i32)
            .field("uint64", u64::MAX)
            .field("double", 0.5f64)
            .field("nan", f64::NAN)
            .field("rate", gst::Fraction::new(30, 1))
            .field("inner", gst::Structure::builder("x").field("a", 1u32).build())
            .field("array", gst::Array::new([1i32, 2]))
            .field("list", gst::List::new(["a", "b"]))
            .field("flags", gst::PadFlags::BLOCKED | gst::PadFlags::FLUSHING)
            .field("none", None::<String>)
            .build();
        assert_eq!(
            to_json(&structure),
            serde_json::json!({
                "name": "camera \"1\"", "on": true, "int": -5, "uint64": u64::MAX, "double": 0.5, "nan": "NaN",
                "rate": "30/1", "inner": {"a": 1}, "array": [1, 2], "list": ["a", "b"], "flags": "blocked+flushing",
                "none": null,
            })
        );
    }

    #[test]
    fn what_json_can_say_survives_the_way_there_and_back() {
        gst::init().unwrap();
        let json = serde_json::json!({
            "text": "x", "yes": true, "big": u64::MAX, "negative": -1, "half": 0.5, "deep": {"deeper": {"a": [1, 2]}},
        });
        let structure = from_json(&json).unwrap();
        assert_eq!(structure.name(), "v");
        assert_eq!(structure.get::<u64>("big"), Ok(u64::MAX));
        assert_eq!(structure.get::<i64>("negative"), Ok(-1));
        assert_eq!(to_json(&structure), json);
    }

    #[test]
    fn an_array_gets_one_type() {
        gst::init().unwrap();
        let json = serde_json::json!({"a": [1, -1], "b": [1, 0.5], "c": ["x", 1, {"y": 1}, "z"], "d": [], "e": [[1], []]});
        assert_eq!(
            to_json(&from_json(&json).unwrap()),
            serde_json::json!({"a": [1, -1], "b": [1.0, 0.5], "c": ["x", "z"], "d": [], "e": [[1], []]})
        );
    }

    #[test]
    fn nulls_are_left_out_and_anything_but_an_object_is_refused() {
        gst::init().unwrap();
        let structure = from_json(&serde_json::json!({"a": null, "b": 1})).unwrap();
        assert_eq!(structure.n_fields(), 1);
        for json in [
            serde_json::json!(null),
            serde_json::json!([1]),
            serde_json::json!("x"),
        ] {
            assert!(from_json(&json).is_none(), "{json} is no object");
        }
    }

    #[test]
    fn hostile_names_and_strings_are_left_out() {
        gst::init().unwrap();
        let json =
            serde_json::json!({"": 1, "nul\u{0}": 1, "x".repeat(65): 1, "text": "nul\u{0}", "good": 1});
        let structure = from_json(&json).unwrap();
        assert_eq!(structure.fields().collect::<Vec<_>>(), ["good"]);
    }

    #[test]
    fn json_nested_too_deep_is_cut_at_the_limit() {
        gst::init().unwrap();
        let mut json = serde_json::json!({"leaf": 1});
        for _ in 0..100 {
            json = serde_json::json!({"d": json});
        }
        let mut depth = 0;
        let mut inner = from_json(&json).unwrap();
        while let Ok(next) = inner.get::<gst::Structure>("d") {
            inner = next;
            depth += 1;
        }
        assert_eq!(depth, MAX_DEPTH);
    }

    #[test]
    fn peers_cannot_introduce_names_without_end() {
        gst::init().unwrap();
        let names = NewNames(AtomicUsize::new(0));
        let mut taken = 0;
        for index in 0..2 * MAX_NEW_NAMES {
            let json = serde_json::json!({format!("flood-{index}"): 1});
            taken += from_json_within(&json, &names).unwrap().n_fields();
        }
        assert_eq!(taken, MAX_NEW_NAMES);
        let known = serde_json::json!({"name": 1});
        glib::Quark::from_str("name");
        assert_eq!(
            from_json_within(&known, &names).unwrap().n_fields(),
            1,
            "names that are in use cost nothing"
        );
    }
}

//! Places in the fields of an object.

use serde_json::{Map, Value};

type Fields = Map<String, Value>;

/// The fields below a path.
pub fn at<'f>(fields: &'f mut Fields, path: &[&str]) -> Option<&'f mut Fields> {
    let mut fields = fields;
    for name in path {
        fields = fields.get_mut(*name)?.as_object_mut()?;
    }
    Some(fields)
}

/// Changes each object of a list.
pub fn each(list: Option<&mut Value>, change: fn(&mut Fields)) {
    let list = list.and_then(Value::as_array_mut);
    let items = list.into_iter().flatten();
    items.filter_map(Value::as_object_mut).for_each(change);
}

/// Gives a field another name.
pub fn rename(fields: &mut Fields, from: &str, to: &str) {
    if let Some(value) = fields.shift_remove(from) {
        fields.insert(to.to_owned(), value);
    }
}

//! Rows of JSON: one array, or one object per line. Every verb that lists writes them here.

use std::io::{self, Write};

use serde_json::{Map, Value};

use crate::k8s::catalog::{Catalog, Location};
use crate::named::{NameField, key_text};

/// The form of the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// One JSON array.
    Array,
    /// A JSON object per line.
    Lines,
}

impl Form {
    /// An array if `is_array`, otherwise lines.
    #[must_use]
    pub fn array_if(is_array: bool) -> Self {
        if is_array { Self::Array } else { Self::Lines }
    }
}

/// Writes rows.
#[derive(Debug)]
pub struct JsonRows {
    form: Form,
    rows: usize,
}

impl JsonRows {
    /// A writer of rows.
    #[must_use]
    pub fn new(form: Form) -> Self {
        Self { form, rows: 0 }
    }

    /// Writes a row.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn row(&mut self, row: &Value, out: &mut dyn Write) -> io::Result<()> {
        self.begin(out)?;
        serde_json::to_writer(&mut *out, row)?;
        self.end_row(out)
    }

    /// Writes a row that is JSON already.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn text(&mut self, row: &[u8], out: &mut dyn Write) -> io::Result<()> {
        self.begin(out)?;
        out.write_all(row)?;
        self.end_row(out)
    }

    /// Writes what separates a row from the one before it.
    fn begin(&mut self, out: &mut dyn Write) -> io::Result<()> {
        let before: &[u8] = match (self.form, self.rows) {
            (Form::Array, 0) => b"[",
            (Form::Array, _) => b",\n",
            (Form::Lines, _) => b"",
        };
        self.rows = self.rows.saturating_add(1);
        out.write_all(before)
    }

    /// Ends a line after its row. A row of an array is ended by what comes next, a comma or the bracket.
    fn end_row(&self, out: &mut dyn Write) -> io::Result<()> {
        match self.form {
            Form::Array => Ok(()),
            Form::Lines => out.write_all(b"\n"),
        }
    }

    /// Writes what follows the last row: the bracket of an array, also of an empty one.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn finish(self, out: &mut dyn Write) -> io::Result<()> {
        match (self.form, self.rows) {
            (Form::Lines, _) => Ok(()),
            (Form::Array, 0) => out.write_all(b"[]\n"),
            (Form::Array, _) => out.write_all(b"]\n"),
        }
    }
}

/// Adds the object of a Kubernetes key to a row about this key: `resource`, `namespace`, `name`, and in kcp `identity`
/// and `cluster`. They follow the field of the key. A row about any other key stays as it is.
#[must_use]
pub fn with_object(row: Value, key: &[u8], catalog: &Catalog) -> Value {
    let Some(location) = catalog.locate(key) else {
        return row;
    };
    let Value::Object(fields) = row else {
        return row;
    };
    let shown = |field: NameField, text: &[u8]| field.shown(&key_text(text)).into_owned();
    // A new map, because the fields have to keep their order.
    let mut extended = Map::new();
    for (name, value) in fields {
        let is_key = name == "key" || name == "key_base64";
        extended.insert(name, value);
        if !is_key {
            continue;
        }
        let resource = location.resource.plural_with_group();
        extended.insert("resource".to_owned(), resource.into());
        for (part, text) in kcp_parts(&location) {
            extended.insert(part.to_owned(), text);
        }
        if let Some(namespace) = location.namespace {
            let namespace = shown(NameField::Namespace, namespace);
            extended.insert("namespace".to_owned(), namespace.into());
        }
        let name = shown(NameField::Name, location.name);
        extended.insert("name".to_owned(), name.into());
    }
    Value::Object(extended)
}

/// The additional parts of a key in kcp: `identity` and `cluster`, as far as the key has them.
pub fn kcp_parts(
    location: &Location<'_, '_>,
) -> impl Iterator<Item = (&'static str, Value)> + use<> {
    let text = |text: Option<&[u8]>| text.map(|text| Value::from(key_text(text)));
    let parts = [
        ("identity", text(location.identity)),
        ("cluster", text(location.cluster)),
    ];
    parts
        .into_iter()
        .filter_map(|(name, text)| Some((name, text?)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    fn written(form: Form, rows: &[Value]) -> String {
        let mut out = Vec::new();
        let mut writer = JsonRows::new(form);
        for row in rows {
            writer.row(row, &mut out).unwrap();
        }
        writer.finish(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn rows_are_an_array_or_lines() {
        let rows = [json!({"a": 1}), json!({"a": 2})];
        assert_eq!(written(Form::Array, &rows), "[{\"a\":1},\n{\"a\":2}]\n");
        assert_eq!(written(Form::Lines, &rows), "{\"a\":1}\n{\"a\":2}\n");
        assert_eq!(written(Form::Array, &[]), "[]\n");
        assert_eq!(written(Form::Lines, &[]), "");
    }

    #[test]
    fn a_row_about_a_kubernetes_key_names_its_object() {
        let catalog = Catalog::default();
        let row = |key: &str| {
            let row = json!({"main": 1, "key": key, "type": "create"});
            with_object(row, key.as_bytes(), &catalog).to_string()
        };
        assert_eq!(
            row("/registry/pods/shop/web-1"),
            r#"{"main":1,"key":"/registry/pods/shop/web-1","resource":"pods","namespace":"shop","name":"web-1","type":"create"}"#
        );
        assert_eq!(row("/foo"), r#"{"main":1,"key":"/foo","type":"create"}"#);
    }
}

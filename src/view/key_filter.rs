//! The error messages for a key filter (`FIELD=VALUE`) that cannot be parsed.

use crate::query::key_filter::BadKeyFilter;

/// The message for what is wrong in a filter.
#[must_use]
pub fn text(bad: &BadKeyFilter) -> String {
    match bad {
        BadKeyFilter::NotAConstraint(constraint) => format!("'{constraint}' is not FIELD=VALUE"),
        BadKeyFilter::NoField(field) => {
            format!("no field .{field}: there are .Key, .Version, .Value, .TypeMeta, .Stats")
        }
        BadKeyFilter::NoInnerField { field, inner } => format!("no field .{inner} in .{field}"),
        BadKeyFilter::InnerFieldNeeded { field, has } => {
            format!(".{field} has .{}", has.join(", ."))
        }
        BadKeyFilter::NotAField(field) => format!(
            "'{field}' is no field: expected a path such as .Value.metadata.namespace, or index PATH \"KEY\" \
             such as index .Value.metadata.labels \"app.kubernetes.io/name\""
        ),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::query::key_filter::KeyFilter;

    #[test]
    fn what_is_no_constraint_is_refused_with_a_sentence() {
        for (filter, sentence) in [
            ("", "'' is not FIELD=VALUE"),
            (".Key", "'.Key' is not FIELD=VALUE"),
            (".Key==a", "'.Key==a' is not FIELD=VALUE"),
            (".Key=a,", "'' is not FIELD=VALUE"),
            (".Nope=1", "no field .Nope"),
            (".Key.x=1", "no field .x in .Key"),
            (".Stats=1", ".Stats has .VersionCount"),
            (".TypeMeta.kind=Pod", "no field .kind in .TypeMeta"),
            (".Value.a-b=1", "'.Value.a-b' is no field"),
            ("len .Value=1", "'len .Value' is no field"),
            (".=1", "'.' is no field"),
            ("Value.a=1", "'Value.a' is no field"),
            ("index .Value=1", "is no field"),
            ("index .Value x=1", "is no field"),
            ("index .Value \"x=1", "is no field"),
        ] {
            let error = text(&KeyFilter::parse(filter).unwrap_err());
            assert!(error.contains(sentence), "{filter}: {error}");
        }
    }
}

//! The sentences of `decode` about its input: in which form it is, or why no value was found in it.

use crate::query::pasted::{Fault, Form, NotRecognised, Pasted, PastedValue};

use super::record::key_text;

/// What `decode` takes.
pub const TAKEN: &str = "decode takes a value as etcd stores it, base64, hexadecimal, hexdump, xxd, od, Go's %q, \
     `etcdctl get` with -w simple, json or fields, and `kubectl get --raw`";

/// A form with its article.
fn form_text(form: Form) -> &'static str {
    match form {
        Form::Utf16 => "a UTF-16 text",
        Form::Hexdump => "a dump of hexdump",
        Form::Xxd => "a dump of xxd",
        Form::Od => "a dump of od",
        Form::Quoted => "a quoted text",
        Form::Escapes => "a text with escapes",
        Form::Hex => "hexadecimal digits",
        Form::Base64 => "base64",
        Form::EtcdctlSimple => "the output of etcdctl get",
        Form::EtcdctlValues => "the output of etcdctl get --print-value-only",
        Form::EtcdctlJson => "etcd's JSON, as of etcdctl get -w json",
        Form::EtcdctlFields => "the output of etcdctl get -w fields",
        Form::Unmarked => "a Kubernetes protobuf without its mark k8s\\0",
    }
}

/// The forms, each in the one before it.
fn forms_text(forms: &[Form]) -> String {
    let texts: Vec<_> = forms.iter().copied().map(form_text).collect();
    texts.join(", in it ")
}

/// How many values there are.
#[must_use]
pub fn count(values: &[PastedValue]) -> String {
    match values.len() {
        1 => "1 value".to_owned(),
        several => format!("{several} values"),
    }
}

/// What was recognised. None for a value as it is stored.
#[must_use]
pub fn recognised(pasted: &Pasted) -> Option<String> {
    if pasted.forms.is_empty() {
        return None;
    }
    let forms = forms_text(&pasted.forms);
    let what = match pasted.values.as_slice() {
        [PastedValue { key: Some(key), .. }] => format!("the value of {}", key_text(key)),
        values => count(values),
    };
    Some(format!("recognised {forms}: {what}"))
}

/// Why no value was recognised.
#[must_use]
pub fn not_recognised(no: &NotRecognised) -> String {
    let forms = forms_text(&no.forms);
    match &no.fault {
        Fault::Unknown { kind } => {
            let kind = kind.map_or_else(String::new, |kind| format!("; it is {kind}"));
            if no.forms.is_empty() {
                format!("the input is no Kubernetes object in a form that is known{kind}")
            } else {
                format!(
                    "the input is {forms}, but its content is no Kubernetes object in a form that is known{kind}"
                )
            }
        }
        Fault::DumpLine(line) => format!(
            "line {line} of the dump does not continue it: a line is missing, altered, or not of the dump"
        ),
        Fault::NoValues => format!("the input is {forms}, and has no value"),
        Fault::Encoding(form) => format!(
            "the input is {}, but a key or a value in it is damaged",
            form_text(*form)
        ),
        Fault::TooManyForms => format!("too many forms are around each other: {forms}"),
    }
}

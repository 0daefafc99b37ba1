//! Encryption at rest: what is encrypted by what, and one encrypted value.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use crate::diag::shown;
use crate::etcd::Record;
use crate::k8s::audit::{Encryption, Protection};
use crate::k8s::encrypt::value::Kms;
use crate::k8s::encrypt::{DecryptError, EncryptedValue};

use super::answer_part::AnswerPart;
use super::record::{insert_text, key_text, record_json};
use super::rows::Rows;

/// How many keys of Secrets the text names.
const NAMED: usize = 3;

/// The audit. None if the store has no encrypted value and no Secret.
pub fn parts(encryption: &Encryption) -> Option<Vec<AnswerPart>> {
    if encryption.rows.is_empty() {
        return None;
    }
    let mut rows = Rows::new(&["ENCRYPTION OF", "STORED AS", "LIVE VALUES"], &[2]);
    for row in &encryption.rows {
        rows.add(&[
            row.resource.clone(),
            way_text(&row.protection),
            row.values.to_string(),
        ]);
    }
    let mut parts = vec![AnswerPart::Table(rows)];
    if let Some(text) = in_the_clear(encryption) {
        parts.push(AnswerPart::line(""));
        parts.extend(AnswerPart::lines(&text));
    }
    Some(parts)
}

/// Which Secrets are stored in the clear, as lines of text.
fn in_the_clear(encryption: &Encryption) -> Option<String> {
    let keys = &encryption.clear_secret_keys;
    let named: Vec<_> = keys.iter().take(NAMED).map(|key| key_text(key)).collect();
    let (count, rest) = (
        encryption.clear_secrets,
        encryption.clear_secrets.saturating_sub(named.len() as u64),
    );
    let older = match encryption.older_clear_secrets {
        0 => String::new(),
        1 => "1 older or deleted version of a Secret is retained in the clear\n".to_owned(),
        more => format!("{more} older or deleted versions of Secrets are retained in the clear\n"),
    };
    let what = match count {
        0 if older.is_empty() => return None,
        0 => return Some(older),
        1 => "1 Secret is in the clear".to_owned(),
        _ => format!("{count} Secrets are in the clear"),
    };
    let more = match rest {
        0 => String::new(),
        _ => format!(" and {rest} more (-o json names them)"),
    };
    Some(format!("{what}: {}{more}\n{older}", named.join(", ")))
}

/// How values are stored: in the clear, or by which provider and key they are encrypted.
fn way_text(way: &Protection) -> String {
    let Protection::Encrypted {
        provider,
        version,
        key_name,
        key_id,
    } = way
    else {
        return match way {
            Protection::Clear => "in the clear".to_owned(),
            _ => "encrypted, its head damaged".to_owned(),
        };
    };
    let what = if provider == "kms" { "plugin" } else { "key" };
    let [provider, version, key_name] = [provider, version, key_name].map(|n| shown(n.as_bytes()));
    let id = key_id
        .as_ref()
        .map_or_else(String::new, |id| format!(", key id {}", shown(id)));
    format!("{provider} {version}, {what} {key_name}{id}")
}

fn insert_protection(fields: &mut Map<String, Value>, protection: &Protection) {
    match protection {
        Protection::Clear => drop(fields.insert("stored_as".to_owned(), "clear".into())),
        Protection::Damaged => drop(fields.insert("stored_as".to_owned(), "damaged".into())),
        Protection::Encrypted {
            provider,
            version,
            key_name,
            key_id,
        } => {
            fields.insert("stored_as".to_owned(), "encrypted".into());
            fields.insert("provider".to_owned(), provider.as_str().into());
            fields.insert("version".to_owned(), version.as_str().into());
            fields.insert("key_name".to_owned(), key_name.as_str().into());
            if let Some(id) = key_id {
                insert_text(fields, "key_id", id);
            }
        }
    }
}

/// A protection as JSON.
pub fn protection_json(protection: &Protection) -> Value {
    let mut fields = Map::new();
    insert_protection(&mut fields, protection);
    Value::Object(fields)
}

/// The audit as JSON. Null if the store has no encrypted value and no Secret.
pub fn json(encryption: &Encryption) -> Value {
    if encryption.rows.is_empty() {
        return Value::Null;
    }
    let resources = encryption.rows.iter().map(|row| {
        let mut fields = Map::new();
        fields.insert("resource".to_owned(), row.resource.as_str().into());
        insert_protection(&mut fields, &row.protection);
        fields.insert("values".to_owned(), row.values.into());
        Value::Object(fields)
    });
    let keys = encryption.clear_secret_keys.iter().map(|key| {
        let mut fields = Map::new();
        insert_text(&mut fields, "key", key);
        Value::Object(fields)
    });
    json!({
        "resources": resources.collect::<Vec<_>>(),
        "secrets_in_the_clear": encryption.clear_secrets,
        "older_secret_versions_in_the_clear": encryption.older_clear_secrets,
        "secrets_in_the_clear_keys": keys.collect::<Vec<_>>(),
    })
}

/// The record of a value that is still encrypted: the object as its key shows it, how it is encrypted, and why it was not
/// decrypted.
pub fn encrypted_json(record: &Record<'_>, error: &DecryptError, object_from_key: Value) -> Value {
    let mut value = object_from_key;
    if let (Some(fields), Value::Object(record_fields)) =
        (value.as_object_mut(), record_json(record))
    {
        fields.extend(record_fields);
        if let Some(sealed) = EncryptedValue::parse(record.value) {
            fields.insert("encrypted".to_owned(), sealed_json(&sealed));
        }
        fields.insert("reason".to_owned(), error.to_string().into());
    }
    value
}

/// What an encrypted value shows without a key.
pub fn sealed_json(sealed: &EncryptedValue<'_>) -> Value {
    let head = sealed.head;
    let mut fields = Map::new();
    let texts = [
        ("provider", head.provider),
        ("version", head.version),
        ("key_name", head.key_name),
    ];
    for (name, text) in texts {
        fields.insert(name.to_owned(), text.into());
    }
    let mut insert = |name: &str, value: Value| drop(fields.insert(name.to_owned(), value));
    match &sealed.kms {
        None => {}
        Some(Kms::Unreadable(reason)) => insert("unreadable", reason.to_string().into()),
        Some(Kms::V1 { encrypted_dek, .. }) => {
            insert(
                "encrypted_dek_base64",
                STANDARD.encode(encrypted_dek).into(),
            );
        }
        Some(Kms::V2(object)) => {
            let source = STANDARD.encode(object.encrypted_dek_source);
            insert("encrypted_dek_source_base64", source.into());
            let source_type = object.source_type.name().into_owned();
            insert("encrypted_dek_source_type", source_type.into());
            let annotations = object.annotations.iter().map(|(name, value)| {
                let mut annotation = Map::new();
                insert_text(&mut annotation, "name", name);
                annotation.insert("value_base64".to_owned(), STANDARD.encode(value).into());
                Value::Object(annotation)
            });
            insert("annotations", annotations.collect());
            insert_text(&mut fields, "key_id", object.key_id);
        }
    }
    Value::Object(fields)
}

/// What to do about a value that is still encrypted.
#[must_use]
pub fn encryption_hint(error: &DecryptError) -> Option<&'static str> {
    match error {
        DecryptError::NoConfig(_) => Some(
            "`--encryption-config FILE` takes the file that kube-apiserver has as `--encryption-provider-config`",
        ),
        DecryptError::NoKey { .. } | DecryptError::WrongKey { .. } => Some(
            "`--encryption-config` can be given more than once: another configuration may have the key",
        ),
        DecryptError::NoDataKey(_) => Some(
            "have the KMS unwrap the data key, which `get -o json` prints as encrypted_dek_source_base64, and give the 32 bytes by `--kms-key FILE`",
        ),
        DecryptError::Head
        | DecryptError::UnknownProvider(_)
        | DecryptError::Altered { .. }
        | DecryptError::Cut { .. }
        | DecryptError::Kms { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::answer_part;
    use super::*;
    use crate::k8s::audit::Row;

    fn encryption() -> Encryption {
        let row = |way, values| Row {
            resource: "/registry/secrets".to_owned(),
            protection: way,
            values,
        };
        let encrypted = |provider: &str, key_id: Option<&[u8]>| Protection::Encrypted {
            provider: provider.to_owned(),
            version: "v1".to_owned(),
            key_name: "a\nb".to_owned(),
            key_id: key_id.map(<[u8]>::to_vec),
        };
        Encryption {
            older_clear_secrets: 1,
            rows: vec![
                row(encrypted("aescbc", None), 3),
                row(encrypted("kms", Some(b"\xff")), 1),
                row(Protection::Clear, 5),
            ],
            clear_secrets: 5,
            clear_secret_keys: ["a", "b", "c", "d"].map(|k| k.as_bytes().to_vec()).to_vec(),
            is_used: true,
        }
    }

    #[test]
    fn the_block_says_what_is_stored_how_and_names_secrets_in_the_clear() {
        assert_eq!(
            answer_part::text(&parts(&encryption()).unwrap()),
            "ENCRYPTION OF      STORED AS                         LIVE VALUES\n\
             /registry/secrets  aescbc v1, key a\\nb                         3\n\
             /registry/secrets  kms v1, plugin a\\nb, key id \\xff            1\n\
             /registry/secrets  in the clear                                5\n\
             \n\
             5 Secrets are in the clear: a, b, c and 2 more (-o json names them)\n\
             1 older or deleted version of a Secret is retained in the clear\n"
        );
        assert!(parts(&Encryption::default()).is_none());
    }

    #[test]
    fn the_json_form_is_exact() {
        let found = json(&encryption());
        assert_eq!(
            found["resources"][1],
            json!({"resource": "/registry/secrets", "stored_as": "encrypted", "provider": "kms", "version": "v1", "key_name": "a\nb", "key_id_base64": "/w==", "values": 1})
        );
        assert_eq!(
            found["resources"][2],
            json!({"resource": "/registry/secrets", "stored_as": "clear", "values": 5})
        );
        assert_eq!(found["secrets_in_the_clear"], 5);
        assert_eq!(found["secrets_in_the_clear_keys"][3], json!({"key": "d"}));
        assert_eq!(json(&Encryption::default()), Value::Null);
    }

    #[test]
    fn an_encrypted_value_tells_what_a_kms_must_unwrap() {
        let value =
            b"k8s:enc:kms:v2:vault:\x12\x02k1\x1a\x03abc\x22\x08\x0a\x03a.b\x12\x01\xff\x28\x01";
        assert_eq!(
            sealed_json(&EncryptedValue::parse(value).unwrap()),
            json!({
                "provider": "kms", "version": "v2", "key_name": "vault",
                "encrypted_dek_source_base64": "YWJj",
                "encrypted_dek_source_type": "HKDF_SHA256_XNONCE_AES_GCM_SEED",
                "annotations": [{"name": "a.b", "value_base64": "/w=="}],
                "key_id": "k1",
            })
        );
        let value = b"k8s:enc:kms:v1:vault:\x00\x03abcxyz";
        assert_eq!(
            sealed_json(&EncryptedValue::parse(value).unwrap()),
            json!({"provider": "kms", "version": "v1", "key_name": "vault", "encrypted_dek_base64": "YWJj"})
        );
    }
}

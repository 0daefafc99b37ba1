//! No view of a Secret holds its values, unless it is asked to.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation
)]

use crate::support::{full_or, random};

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use etcdive::k8s::catalog::Catalog;
use etcdive::k8s::diff::{FieldChange, Scope};
use etcdive::k8s::redact::{Masker, is_mask};
use etcdive::view::diff::{
    Change, ObjectChange, Side, Style, TextSide, write_object, write_unified,
};
use random::Random;
use serde_json::{Map, Value, json};

/// A secret value of letters that occur nowhere else, so that a search for it finds only a leak.
fn secret_text(r: &mut Random) -> String {
    (0..4 + r.below(30))
        .map(|_| char::from(b"QXZJK0189"[r.below(9)]))
        .collect()
}

fn secret(r: &mut Random, pool: &[String]) -> Value {
    let mut data = Map::new();
    for key in ["a", "b", "tls.key"] {
        if !r.one_in(4) {
            data.insert(
                key.into(),
                STANDARD.encode(&pool[r.below(pool.len())]).into(),
            );
        }
    }
    let plain = &pool[r.below(pool.len())];
    let mut object = json!({
        "apiVersion":"v1","kind":"Secret","type":"Opaque",
        "metadata":{"name":"s","annotations":{
            "team":"a",
            "kubectl.kubernetes.io/last-applied-configuration":json!({"data":data,"stringData":{"p":plain}}).to_string(),
            "kapp.k14s.io/original":json!({"stringData":{"p":plain}}).to_string(),
        }},
    });
    match r.below(8) {
        0 => object["data"] = json!([{"name":plain}, plain]),
        1 => object["data"] = json!(plain),
        2 => object["data"] = json!({"a":{"b":plain},"c":plain}),
        3 => {}
        _ => object["data"] = data.into(),
    }
    if r.one_in(3) {
        object["stringData"] = json!({"p":plain});
    }
    if r.one_in(8) {
        object["$unknownFields"] = json!([{"field":9,"string":plain}]);
    }
    if r.one_in(8) {
        object["metadata"]["annotations"] = json!(plain);
    }
    object
}

fn everything_printed(old: &Value, new: &Value, masker: &mut Masker, as_secret: bool) -> String {
    let fields = masker.diff(old, new, Scope::ALL, as_secret);
    let (a, b) = (masker.mask(old, as_secret), masker.mask(new, as_secret));
    let mut out = Vec::new();
    let side = |mod_revision| {
        Some(Side {
            create_revision: 1,
            mod_revision,
            version: 1,
        })
    };
    for change in [
        Change::Changed,
        Change::Recreated,
        Change::Created,
        Change::Deleted,
    ] {
        let object = ObjectChange {
            change,
            key: b"/k",
            old: side(1),
            new: side(2),
            deleted_at: None,
            fields: &fields,
        };
        for style in [
            Style::default(),
            Style {
                width: Some(60),
                ..Style::coloured()
            },
        ] {
            write_object(&mut out, &object, &style).unwrap();
        }
        out.extend(etcdive::view::diff::json(&object, &Catalog::default()).unwrap());
        out.push(b'\n');
    }
    let (a, b) = (format!("{a:#}"), format!("{b:#}"));
    let (a, b) = (
        TextSide {
            mod_revision: 1,
            text: &a,
        },
        TextSide {
            mod_revision: 2,
            text: &b,
        },
    );
    write_unified(&mut out, "/k", Some(a), Some(b), &Style::default()).unwrap();
    write_unified(&mut out, "/k", None, Some(b), &Style::default()).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn no_output_holds_a_secret_or_its_base64_or_its_hash() {
    let mut masks = 0;
    for seed in 0..full_or(3000, 1000) {
        let mut r = Random::new(seed);
        let pool: Vec<String> = (0..6).map(|_| secret_text(&mut r)).collect();
        let (mut old, mut new) = (secret(&mut r, &pool), secret(&mut r, &pool));
        let mut as_secret = false;
        match r.below(6) {
            0 => {
                (old, new) = (
                    json!({"apiVersion":"v1","kind":"List","items":[old, new]}),
                    json!({"apiVersion":"v1","kind":"List","items":[new]}),
                )
            }
            1 => {
                for object in [&mut old, &mut new] {
                    object
                        .as_object_mut()
                        .unwrap()
                        .retain(|key, _| key != "kind" && key != "apiVersion");
                    *object =
                        json!({"apiVersion":"v1","kind":"SecretList","items":[object.take()]});
                }
            }
            2 => {
                as_secret = true;
                old.as_object_mut().unwrap().retain(|key, _| key != "kind");
                if r.one_in(2) {
                    new = json!(pool[0]);
                }
            }
            3 => old = Value::Null,
            _ => {}
        }
        let text = everything_printed(&old, &new, &mut Masker::new(false), as_secret);
        for value in &pool {
            let base64 = STANDARD.encode(value);
            assert!(!text.contains(value.as_str()), "{value} in {text}");
            assert!(
                !text.contains(base64.trim_end_matches('=')),
                "{base64} in {text}"
            );
        }
        assert!(!text.contains("sealed"), "{text}");
        masks += text.matches("<masked #").count();
        if seed < 50 {
            let open = everything_printed(&old, &new, &mut Masker::new(true), as_secret);
            assert!(!open.contains("<masked"), "reveal masks nothing");
            assert!(
                pool.iter().any(|value| open.contains(value.as_str())),
                "reveal shows"
            );
        }
    }
    assert!(masks > full_or(10_000, 3000), "{masks}");
}

fn secret_with(data: &Value) -> Value {
    json!({"apiVersion":"v1","kind":"Secret","metadata":{"name":"s"},"data":data})
}

#[test]
fn equal_values_share_a_number_and_different_ones_never_do() {
    // Each base64 text, bad ones too, and each other value is equal to itself only.
    let values = [
        json!("YWJj"),
        json!("YWJk"),
        json!("YWJjZA=="),
        json!("YWJjZA"),
        json!("YWJjZB=="),
        json!("abc"),
        json!(" YWJj"),
        json!(""),
        json!("\u{0}sealed 00 3"),
        json!(1),
        json!(1.0),
        json!([]),
        json!({}),
        json!(true),
    ];
    let mut masker = Masker::new(false);
    let mut masks = BTreeMap::new();
    for round in 0..2 {
        for value in &values {
            let masked = masker
                .mask(&secret_with(&json!({"k":value})), false)
                .into_owned();
            let mask = masked["data"]["k"].as_str().unwrap().to_owned();
            let number: String = mask.split(['#', ',']).nth(1).unwrap().to_owned();
            let first = masks.entry(number).or_insert_with(|| value.clone());
            assert_eq!(first, value, "{mask} in round {round}");
        }
    }
    assert_eq!(masks.len(), values.len());
    assert_eq!(
        masker.mask_bytes(b"abc").as_deref(),
        Some("<masked #1, 3 bytes>"),
        "the secret behind YWJj"
    );
    assert_eq!(
        masker.mask_bytes(b"x").as_deref(),
        Some("<masked #15, 1 byte>")
    );
    assert_eq!(Masker::new(true).mask_bytes(b"x"), None);
}

#[test]
fn masks_are_numbered_as_they_appear_in_the_changes() {
    let mut masker = Masker::new(false);
    let b64 = |text: &str| STANDARD.encode(text);
    let old = secret_with(
        &json!({"same":b64("unchanged value!"),"user":b64("0123456789abcdef"),"gone":b64("x")}),
    );
    let new = secret_with(
        &json!({"same":b64("unchanged value!"),"user":b64("0123456789abcdefghij"),"new":b64("0123456789abcdef")}),
    );
    let rows: Vec<String> = masker
        .diff(&old, &new, Scope::ALL, false)
        .iter()
        .map(FieldChange::to_json)
        .collect();
    assert_eq!(
        rows,
        [
            r#"{"path":"data.user","op":"replace","old":"<masked #1, 16 bytes>","new":"<masked #2, 20 bytes>"}"#,
            r#"{"path":"data.gone","op":"remove","old":"<masked #3, 1 byte>"}"#,
            r#"{"path":"data.new","op":"add","new":"<masked #1, 16 bytes>"}"#,
        ]
    );
    let whole = masker.mask(&new, false).into_owned();
    assert_eq!(
        whole["data"],
        json!({"same":"<masked #4, 16 bytes>","user":"<masked #2, 20 bytes>","new":"<masked #1, 16 bytes>"})
    );
    assert_eq!(whole["metadata"], json!({"name":"s"}));
}

#[test]
fn what_is_no_secret_is_not_masked() {
    let config =
        json!({"apiVersion":"v1","kind":"ConfigMap","data":{"a":"YWJj","b":"\u{0}sealed 00 3"}});
    assert_eq!(*Masker::new(false).mask(&config, false), config);
    let other = json!({"apiVersion":"example.com/v1","kind":"Secret","data":{"a":"YWJj"}});
    assert_eq!(*Masker::new(false).mask(&other, false), other);
    let null = secret_with(&json!({"a":null}));
    assert_eq!(*Masker::new(false).mask(&null, false), null);
}

#[test]
fn a_mask_is_written_without_quotes_in_the_text() {
    let old = secret_with(&json!({"k":"YWJj"}));
    let new = secret_with(&json!({"k":"YWJjZA=="}));
    let text = everything_printed(&old, &new, &mut Masker::new(false), false);
    assert!(
        text.contains("    data.k: <masked #1, 3 bytes> -> <masked #2, 4 bytes>\n"),
        "{text}"
    );
    for no_mask in [
        "",
        "<masked>",
        "<masked #, 3 bytes>",
        "<masked #1, bytes>",
        "<masked #1, 3 bytes> ",
        "<masked #-1, 3 bytes>",
    ] {
        assert!(!is_mask(no_mask), "{no_mask}");
    }
}

/// A Secret with this metadata, masked.
fn masked_metadata(metadata: &Value) -> Value {
    let object = json!({"apiVersion":"v1","kind":"Secret","metadata":metadata});
    let masked = Masker::new(false).mask(&object, false).into_owned();
    masked["metadata"].clone()
}

#[test]
fn every_annotation_of_a_secret_is_masked_and_its_key_is_not() {
    let manifest = "stringData:\n  password: hunter2\n";
    let masked = masked_metadata(&json!({"annotations":{
        "objectset.rio.cattle.io/applied":"H4sIAAAAAAAA", "example.com/manifest":manifest, "team":"a",
    }}));
    assert_eq!(
        masked["annotations"],
        json!({
            "objectset.rio.cattle.io/applied":"<masked #1, 12 bytes>",
            "example.com/manifest":format!("<masked #2, {} bytes>", manifest.len()),
            "team":"<masked #3, 1 byte>",
        })
    );
}

#[test]
fn metadata_of_a_secret_that_is_as_it_should_be_stays_readable() {
    let metadata = json!({
        "name":"web-tls-x7z","namespace":"shop","generateName":"web-tls-","selfLink":"/api/v1/namespaces/shop/secrets/web",
        "uid":"0a1b2c3d-0000-4000-8000-0123456789ab","resourceVersion":"12","generation":3,
        "creationTimestamp":"2026-11-20T21:11:12Z","deletionTimestamp":null,"deletionGracePeriodSeconds":30,
        "labels":{"app.kubernetes.io/name":"web","empty":""},
        "finalizers":["example.com/protect","orphan"],
        "ownerReferences":[{"apiVersion":"cert-manager.io/v1","kind":"Certificate","name":"web",
            "uid":"0a1b2c3d-0000-4000-8000-0123456789ab","controller":true,"blockOwnerDeletion":false}],
        "managedFields":[{"manager":"kubectl-apply","operation":"Update","apiVersion":"v1","time":"2026-11-20T21:11:12Z",
            "fieldsType":"FieldsV1","fieldsV1":{"f:data":{".":{},"f:tls.key":{}}}}],
    });
    assert_eq!(masked_metadata(&metadata), metadata);
}

#[test]
fn what_damage_has_made_metadata_is_masked_at_any_depth() {
    let leak = "\n\u{8}password\u{12}\u{7}hunter2";
    let damaged = json!([
        {"$malformed":"aHVudGVyMg=="},
        {"$unknownFields":[{"field":2,"wire":2,"string":"hunter2"}]},
        {"name":leak,"namespace":leak,"uid":"hunter2","selfLink":leak,"resourceVersion":"hunter2","extra":"hunter2"},
        {"name":"password","generateName":"hunter2"},
        {"labels":{"$malformed":["aHVudGVyMg=="],"a":leak,(leak):"","b":"aHVudGVyMg=="}},
        {"annotations":{"$malformed":["aHVudGVyMg=="],(leak):""}},
        {"creationTimestamp":{"$malformed":"aHVudGVyMg=="},"finalizers":[leak,"hunter2"]},
        {"ownerReferences":[{"kind":leak,"$unknownFields":[{"field":2,"string":"hunter2"}]}, leak]},
        {"managedFields":[{"manager":leak,"fieldsV1":{"f:data":{"f:a":"hunter2"}},"$malformed":"aHVudGVyMg=="}]},
        {"managedFields":[{"fieldsV1":{"hunter2":{}}}]},
    ]);
    for metadata in damaged.as_array().unwrap() {
        let text = masked_metadata(metadata).to_string();
        assert!(!text.contains("hunter2"), "{metadata} gives {text}");
        assert!(!text.contains("aHVudGVy"), "{metadata} gives {text}");
        assert!(text.contains("<masked #1, "), "{metadata} gives {text}");
    }
}

#[test]
fn apiversion_and_kind_are_readable_only_where_they_are_those_of_a_secret() {
    let mask = |object: Value| Masker::new(false).mask(&object, true).into_owned();
    let list = json!({"apiVersion":"v1","kind":"SecretList"});
    assert_eq!(mask(list.clone()), list);
    assert_eq!(
        mask(json!({"apiVersion":"v1hunter2","kind":"hunter2","type":"hunter2 ","immutable":true})),
        json!({"apiVersion":"<masked #1, 9 bytes>","kind":"<masked #2, 7 bytes>","type":"<masked #3, 8 bytes>","immutable":true})
    );
}

#[test]
fn a_key_that_can_be_none_is_masked_in_trees_and_in_paths() {
    let leak = "pass\u{12}\u{7}hunter2";
    let (old, new) = (
        secret_with(&json!({})),
        secret_with(&json!({(leak):"YWJj"})),
    );
    let mut masker = Masker::new(false);
    let rows = masker.diff(&old, &new, Scope::ALL, false);
    assert_eq!(
        rows.iter().map(FieldChange::to_json).collect::<Vec<_>>(),
        [r#"{"path":"data[\"<masked #1, 13 bytes>\"]","op":"add","new":"<masked #2, 3 bytes>"}"#]
    );
    assert_eq!(
        masker.mask(&new, false)["data"],
        json!({"<masked #1, 13 bytes>":"<masked #2, 3 bytes>"})
    );
}

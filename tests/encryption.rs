//! Encryption at rest: what the API server's own code encrypted opens, and nothing else does.

use std::path::{Path, PathBuf};

use aes_gcm::aead::{Aead, KeyInit};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use etcdive::cli::failure::Failure;
use etcdive::cli::keys::Keys;
use etcdive::diag::Diagnostics;
use etcdive::etcd::{Keyspace, Store};
use etcdive::k8s::encrypt::value::Kms;
use etcdive::k8s::encrypt::{Config, DataKey, DecryptError, EncryptedValue, Keyring};
use etcdive::k8s::object::{as_kubectl_shows, tree_of};
use etcdive::source::Source;
use etcdive::view::encryption::encryption_hint as hint;
use serde_json::Value;

use crate::support::random::Random;
use crate::support::synth::etcd::{Store as Synth, Version};
use crate::support::truth::{Encrypted, assert_served, config_of, databases_with_truth};
use crate::support::{Scratch, etcdive, testdata};

const HEAD: usize = "k8s:enc:".len();

/// A value that the API server's code encrypted, with what that code says of altered ones.
struct Vector {
    name: String,
    config: Option<Vec<u8>>,
    data_keys: Vec<Vec<u8>>,
    etcd_key: Vec<u8>,
    plain: Vec<u8>,
    value: Vec<u8>,
    cut_opens: Vec<usize>,
    flip_opens: Vec<usize>,
    moved_opens: bool,
}

impl Vector {
    fn is_cbc(&self) -> bool {
        self.moved_opens && !self.name.starts_with("secretbox")
    }

    fn is_kms(&self) -> bool {
        self.name.starts_with("kms")
    }

    fn keyring(&self) -> Keyring {
        let mut keyring = Keyring::default();
        if let Some(config) = &self.config {
            keyring.add_config(Config::parse(config).unwrap());
        }
        for key in &self.data_keys {
            keyring.add_data_key(DataKey::parse(key).unwrap());
        }
        keyring
    }
}

fn vectors() -> Vec<Vector> {
    let text = std::fs::read_to_string(testdata("k8s/encrypt/vectors.jsonl")).unwrap();
    let bytes = |value: &Value| STANDARD.decode(value.as_str().unwrap()).unwrap();
    let numbers = |value: &Value| serde_json::from_value(value.clone()).unwrap();
    let vectors: Vec<Vector> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .map(|line: Value| Vector {
            name: line["name"].as_str().unwrap().to_owned(),
            config: line.get("config").map(|config| config.to_string().into()),
            data_keys: line["kms_keys_b64"]
                .as_array()
                .into_iter()
                .flatten()
                .map(bytes)
                .collect(),
            etcd_key: line["etcd_key"].as_str().unwrap().into(),
            plain: bytes(&line["plain_b64"]),
            value: bytes(&line["value_b64"]),
            cut_opens: numbers(&line["cut_opens"]),
            flip_opens: numbers(&line["flip_opens"]),
            moved_opens: line["moved_opens"].as_bool().unwrap(),
        })
        .collect();
    assert_eq!(vectors.len(), 14);
    vectors
}

/// A keyring with the names of this one's keys, and other bytes.
fn other_keys(vector: &Vector) -> Keyring {
    let mut keyring = Keyring::default();
    if let Some(config) = &vector.config {
        let mut config: Value = serde_json::from_slice(config).unwrap();
        let provider = &mut config["resources"][0]["providers"][0];
        let (_, provider) = provider.as_object_mut().unwrap().iter_mut().next().unwrap();
        for key in provider["keys"].as_array_mut().unwrap() {
            let mut secret = STANDARD.decode(key["secret"].as_str().unwrap()).unwrap();
            secret[0] ^= 1;
            key["secret"] = STANDARD.encode(secret).into();
        }
        keyring.add_config(Config::parse(config.to_string().as_bytes()).unwrap());
    }
    for key in &vector.data_keys {
        let mut key = key.clone();
        key[31] ^= 0x80;
        keyring.add_data_key(DataKey::parse(&key).unwrap());
    }
    keyring
}

#[test]
fn what_the_api_server_encrypted_opens_with_its_keys_and_not_with_others() {
    for vector in vectors() {
        let opened = vector.keyring().decrypt(&vector.etcd_key, &vector.value);
        assert_eq!(opened.as_deref(), Ok(&vector.plain[..]), "{}", vector.name);
        let error = other_keys(&vector)
            .decrypt(&vector.etcd_key, &vector.value)
            .unwrap_err();
        match error {
            DecryptError::WrongKey { .. } if !vector.is_kms() => {}
            DecryptError::NoDataKey(wrapped) if vector.is_kms() => assert_eq!(wrapped.tried, 1),
            error => panic!("{}: {error:?}", vector.name),
        }
    }
}

#[test]
fn a_value_under_another_etcd_key_opens_only_where_the_cipher_does_not_bind_it() {
    for vector in vectors() {
        let elsewhere = b"/registry/secrets/shop/other";
        let opened = vector.keyring().decrypt(elsewhere, &vector.value);
        if vector.moved_opens {
            assert_eq!(opened.as_deref(), Ok(&vector.plain[..]), "{}", vector.name);
            continue;
        }
        let error = opened.unwrap_err();
        assert!(
            matches!(&error, DecryptError::Altered { place: Some(place), .. } if place == elsewhere),
            "{}: {error:?}",
            vector.name
        );
        assert!(
            error
                .to_string()
                .contains("the key fits, but the value was altered or cut, or was stored under another key than /registry/secrets/shop/other"),
            "{error}"
        );
    }
}

#[test]
fn a_value_cut_at_any_length_opens_only_where_the_api_server_opens_it() {
    for vector in vectors() {
        let keyring = vector.keyring();
        for length in 0..vector.value.len() {
            let cut = &vector.value[..length];
            let opened = keyring.decrypt(&vector.etcd_key, cut);
            if length < HEAD {
                assert_eq!(opened.as_deref(), Ok(cut), "not an encrypted value");
            } else if vector.cut_opens.contains(&length) {
                assert_eq!(opened.as_deref(), Ok(&vector.plain[..]), "{}", vector.name);
            } else if let Ok(opened) = opened {
                // Of KMS v2 the API server stores more than it needs: the key id, and the wrapped key.
                assert!(
                    vector.name.starts_with("kms v2"),
                    "{} {length}",
                    vector.name
                );
                assert_eq!(&*opened, &vector.plain[..], "{} {length}", vector.name);
            }
        }
    }
}

#[test]
fn an_altered_byte_never_gives_other_bytes_where_the_cipher_authenticates() {
    for vector in vectors() {
        let (keyring, mut refused) = (vector.keyring(), 0);
        for at in HEAD..vector.value.len() {
            let mut altered = vector.value.clone();
            altered[at] ^= 1;
            match keyring.decrypt(&vector.etcd_key, &altered) {
                Err(_) => refused += 1,
                // What is not the cipher's: the wrapped key, the key id, the name of a plugin.
                Ok(opened) if *opened == *vector.plain => {}
                Ok(_) => assert!(
                    vector.is_cbc() && vector.flip_opens.contains(&at),
                    "{}: byte {at}",
                    vector.name
                ),
            }
        }
        assert!(refused > 30, "{}: {refused}", vector.name);
    }
}

#[test]
fn damaged_values_of_any_kind_do_no_harm() {
    let (vectors, mut random) = (vectors(), Random::new(11));
    let mut everything = Keyring::default();
    for vector in &vectors {
        if let Some(config) = &vector.config {
            everything.add_config(Config::parse(config).unwrap());
        }
        for key in &vector.data_keys {
            everything.add_data_key(DataKey::parse(key).unwrap());
        }
    }
    let mut opened = 0;
    for _ in 0..20_000 {
        let mut value = vectors[random.below(vectors.len())].value.clone();
        for _ in 0..=random.below(4) {
            let at = random.below(value.len());
            match random.below(4) {
                0 => value[at] = random.below(256) as u8,
                1 => value.truncate(at.max(1)),
                2 => drop(value.remove(at)),
                _ => value.insert(at, b":\xff\0k"[random.below(4)]),
            }
            if value.is_empty() {
                value.push(b'k');
            }
        }
        match everything.decrypt(b"/registry/secrets/shop/db", &value) {
            Ok(_) => opened += 1,
            Err(error) => assert!(!error.to_string().contains('\u{fffd}'), "{error}"),
        }
        drop(
            EncryptedValue::parse(&value)
                .map(|sealed| etcdive::view::encryption::sealed_json(&sealed)),
        );
    }
    assert!(opened > 0);
}

#[test]
fn what_is_not_encrypted_is_borrowed_and_one_layer_is_taken_off() {
    let keyring = Keyring::default();
    for value in [&b""[..], b"k8s\0\x0a", b"{}", b"k8s:en", b"\xff"] {
        let opened = keyring.decrypt(b"/k", value).unwrap();
        assert!(matches!(opened, std::borrow::Cow::Borrowed(same) if same == value));
    }
    // Encrypted twice by hand: what the API server's code encrypted, once more by secretbox.
    let vector = vectors()
        .into_iter()
        .find(|v| v.name == "secretbox")
        .unwrap();
    let config: Value = serde_json::from_slice(vector.config.as_ref().unwrap()).unwrap();
    let key = &config["resources"][0]["providers"][0]["secretbox"]["keys"][0]["secret"];
    let key = STANDARD.decode(key.as_str().unwrap()).unwrap();
    let twice = seal_by_secretbox(&key, &vector.value);
    let once = vector
        .keyring()
        .decrypt(&vector.etcd_key, &twice)
        .unwrap()
        .into_owned();
    assert_eq!(once, vector.value);
    let plain = vector
        .keyring()
        .decrypt(&vector.etcd_key, &once)
        .unwrap()
        .into_owned();
    assert_eq!(plain, vector.plain);
}

fn seal_by_secretbox(key: &[u8], plain: &[u8]) -> Vec<u8> {
    use salsa20::cipher::{KeyIvInit as _, StreamCipher as _};
    let nonce = [7; 24];
    let mut cipher = salsa20::XSalsa20::new_from_slices(key, &nonce).unwrap();
    let mut mac_key = [0; 32];
    cipher.apply_keystream(&mut mac_key);
    let mut text = plain.to_vec();
    cipher.apply_keystream(&mut text);
    let mac = poly1305::Poly1305::new_from_slice(&mac_key).unwrap();
    let tag = mac.compute_unpadded(&text);
    [
        b"k8s:enc:secretbox:v1:box:",
        &nonce[..],
        tag.as_slice(),
        &text,
    ]
    .concat()
}

#[test]
fn keys_of_one_name_are_all_tried() {
    let vector = &vectors()[0];
    let mut keyring = other_keys(vector);
    assert!(keyring.decrypt(&vector.etcd_key, &vector.value).is_err());
    keyring.add_config(Config::parse(vector.config.as_ref().unwrap()).unwrap());
    let opened = keyring.decrypt(&vector.etcd_key, &vector.value);
    assert_eq!(opened.as_deref(), Ok(&vector.plain[..]));
}

#[test]
fn each_reason_why_a_value_is_still_encrypted_is_distinguished() {
    let config = |text: &str| {
        let mut keyring = Keyring::default();
        keyring.add_config(Config::parse(text.as_bytes()).unwrap());
        keyring
    };
    let identity =
        config("{kind: EncryptionConfiguration, resources: [{providers: [{identity: {}}]}]}");
    let secret = STANDARD.encode([7; 32]);
    let with_key = config(&format!(
        "{{kind: EncryptionConfiguration, resources: [{{providers: [{{aescbc: {{keys: [{{name: key2, secret: {secret}}}]}}}}]}}]}}"
    ));
    let none = Keyring::default();
    let kms = b"k8s:enc:kms:v2:vault:\x0a\x02xy\x12\x02k1\x1a\x03abc\x22\x08\x0a\x03a.b\x12\x01\xff\x28\x01";
    let cases: [(&Keyring, &[u8], &str); 10] = [
        (
            &none,
            b"k8s:enc:aescbc:v1:key1:xx",
            "encrypted at rest by aescbc v1, key \"key1\", and no EncryptionConfiguration was given",
        ),
        (
            &identity,
            b"k8s:enc:aescbc:v1:key1:xx",
            "encrypted at rest by aescbc v1, key \"key1\", and the given EncryptionConfiguration has no such key: it has no keys",
        ),
        (
            &with_key,
            b"k8s:enc:aesgcm:v1:key2:xx",
            "encrypted at rest by aesgcm v1, key \"key2\", and the given EncryptionConfiguration has no such key: it has aescbc \"key2\"",
        ),
        (
            &with_key,
            b"k8s:enc:aescbc:v1:key2:0123456789abcdef0123456789abcdef",
            "encrypted at rest by aescbc v1, key \"key2\", but the given key does not decrypt it: a wrong key of that name, or an altered value",
        ),
        (
            &with_key,
            b"k8s:enc:aescbc:v1:key2:0123456789abcdef0",
            "encrypted at rest by aescbc v1, key \"key2\", but the value is cut off: 17 bytes follow the key name",
        ),
        (
            &none,
            b"k8s:enc:aescbc:v1",
            "the value starts with k8s:enc:, but the provider, version or key name after it is damaged or cut off",
        ),
        (
            &none,
            b"k8s:enc:aessiv:v1:key1:xx",
            "encrypted at rest by aessiv v1, key \"key1\": an unknown provider",
        ),
        (
            &none,
            b"k8s:enc:kms:v9:pass word:xx",
            "encrypted at rest by kms v9, KMS plugin <9 bytes, not a name>: an unknown provider",
        ),
        (
            &none,
            kms,
            "encrypted at rest by kms v2, KMS plugin \"vault\", key id \"k1\", annotations \"a.b\": the KMS must unwrap its data key first (3 bytes of encryptedDEKSource, a seed of data keys)",
        ),
        (
            &none,
            b"k8s:enc:kms:v1:vault:\x00\x09xx",
            "encrypted at rest by kms v1, KMS plugin \"vault\", but the value is cut or damaged: cut off at byte 2: 9 bytes needed, 2 left",
        ),
    ];
    for (keyring, value, message) in cases {
        let error = keyring
            .decrypt(b"/registry/secrets/a/b", value)
            .unwrap_err();
        assert_eq!(error.to_string(), message);
    }
    let hint_of = |value: &[u8]| hint(&none.decrypt(b"/k", value).unwrap_err());
    assert!(
        hint_of(b"k8s:enc:aescbc:v1:key1:xx")
            .unwrap()
            .starts_with("`--encryption-config FILE")
    );
    assert!(hint_of(kms).unwrap().contains("--kms-key FILE"));
    assert!(!format!("{with_key:?}").contains('7'), "{with_key:?}");
}

/// The keyring of a database of the corpus: its configuration, and for KMS what the test's own plugin
/// wrapped, nonce (12 bytes) and AES-256-GCM under the key in the file beside it.
fn keyring_of(db: &Path, values: &[&[u8]]) -> Keyring {
    let mut keyring = Keyring::default();
    keyring.add_config(Config::parse(&std::fs::read(config_of(db)).unwrap()).unwrap());
    let Ok(kek) = std::fs::read(db.with_extension("kek.bin")) else {
        return keyring;
    };
    let kek = aes_gcm::Aes256Gcm::new_from_slice(&kek).unwrap();
    for value in values {
        if let Some(Kms::V2(object)) = EncryptedValue::parse(value).and_then(|sealed| sealed.kms) {
            let (nonce, wrapped) = object.encrypted_dek_source.split_at(12);
            let key = kek.decrypt(nonce.try_into().unwrap(), wrapped).unwrap();
            keyring.add_data_key(DataKey::parse(&key).unwrap());
        }
    }
    keyring
}

#[test]
fn every_live_object_of_an_encrypted_database_is_what_the_api_server_answers() {
    for (db, truth) in databases_with_truth(Encrypted::Yes) {
        let (source, diagnostics) = (Source::open(&db).unwrap(), Diagnostics::new());
        let store = Store::open(&source, &diagnostics).unwrap();
        let keyspace = Keyspace::at(&store, store.at(None).unwrap(), |_| true);
        let live = keyspace.live.iter();
        let live = live.filter(|entry| entry.key.starts_with(b"/registry/"));
        let live: Vec<_> = live.map(|entry| (&entry.key, entry.record)).collect();
        let values: Vec<&[u8]> = live.iter().map(|(_, record)| record.value).collect();
        let keyring = keyring_of(&db, &values);
        let mut decrypted = 0;
        let objects = live.iter().map(|(key, record)| {
            let plain = keyring.decrypt(key, record.value).unwrap();
            decrypted += usize::from(plain != record.value);
            let (mut tree, notes) = tree_of(&plain).unwrap();
            assert!(notes.is_empty(), "{notes:?}");
            as_kubectl_shows(&mut tree, record.mod_revision, true);
            tree
        });
        let same = assert_served(&db.display().to_string(), &truth, objects);
        println!("{}: {decrypted} decrypted", db.display());
        assert!(same > 100 && decrypted >= 6);
        assert!(!diagnostics.found_damage());
    }
}

fn fails(config: Option<PathBuf>, kms_key: Option<PathBuf>) -> (String, String) {
    let keys = Keys {
        encryption_config: config.into_iter().collect(),
        kms_key: kms_key.into_iter().collect(),
    };
    match keys.keyring() {
        Err(Failure::CannotAnswer { message, hint }) => (message, hint.unwrap_or_default()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_file_that_is_no_configuration_or_key_is_named() {
    let scratch = Scratch::new("encryption-keys");
    let config = |name: &str, text: &str| Some(scratch.file(name, text.as_bytes()));
    let cases = [
        (
            Some(scratch.path().join("none")),
            "cannot be read: No such file",
            "",
        ),
        (
            Some(testdata("healthy/k8s/after.db")),
            "it is a database, not an EncryptionConfiguration",
            "",
        ),
        (
            config("empty", ""),
            "it is an empty file, not an EncryptionConfiguration",
            "",
        ),
        (
            Some(scratch.file("zip", b"PK\x03\x04\xff\xff")),
            "it is a zip archive, not an EncryptionConfiguration",
            "",
        ),
        (
            config("secret", "kind: Secret\ndata: {a: hunter2}"),
            "it is not an EncryptionConfiguration but of kind \"Secret\"",
            "decode that field",
        ),
        (
            config("text", "hunter2: [hunter2"),
            "it is neither YAML nor JSON: line 2",
            "--encryption-provider-config",
        ),
        (
            config(
                "base64",
                "kind: EncryptionConfiguration\nresources: [{providers: [{aescbc: {keys: [{name: k, secret: hunter2}]}}]}]",
            ),
            "resources[0].providers[0].aescbc.keys[0]: the secret of key \"k\" is not base64",
            "",
        ),
    ];
    for (path, message, hint) in cases {
        let name = path.clone().unwrap().display().to_string();
        let (told, advice) = fails(path, None);
        assert!(told.starts_with(&format!("{name}: {message}")), "{told}");
        assert!(
            advice.contains(hint) && advice.is_empty() == hint.is_empty(),
            "{advice}"
        );
        assert!(!told.contains("hunter2"), "{told}");
    }
    let (told, advice) = fails(None, Some(scratch.file("short", &[1; 16])));
    assert!(
        told.ends_with("no data key of KMS: it is neither 32 bytes nor hex or base64 of 32 bytes")
            && advice.contains("32 bytes"),
        "{told}"
    );
    let (told, _) = fails(None, Some(scratch.file("long", &[0xfe; 33])));
    assert!(
        told.ends_with("no data key of KMS: it has 33 bytes, but a data key has 32"),
        "{told}"
    );
}

#[test]
fn a_configuration_of_kms_alone_is_enough_with_a_data_key() {
    let scratch = Scratch::new("encryption-kms");
    let vector = vectors()
        .into_iter()
        .find(|v| v.name == "kms v2, seed")
        .unwrap();
    let config = "kind: EncryptionConfiguration\nresources: [{providers: [{kms: {apiVersion: v2, name: vault}}]}]";
    let keys = Keys {
        encryption_config: vec![scratch.file("config", config.as_bytes())],
        kms_key: vec![scratch.file("key", STANDARD.encode(&vector.data_keys[0]).as_bytes())],
    };
    let keyring = keys.keyring().unwrap();
    assert!(!keyring.is_empty());
    let opened = keyring.decrypt(&vector.etcd_key, &vector.value);
    assert_eq!(opened.as_deref(), Ok(&vector.plain[..]));
}

#[test]
fn status_shows_what_is_encrypted_and_which_secrets_are_not() {
    let db = testdata("healthy/k8s-encrypted/mixed.db");
    let run = etcdive(["status", db.to_str().unwrap()]);
    assert_eq!(run.code, 0);
    let block = run.text().split_once("ENCRYPTION OF").unwrap().1;
    let lines: Vec<Vec<&str>> = block
        .lines()
        .map(|line| {
            line.split("  ")
                .map(str::trim)
                .filter(|cell| !cell.is_empty())
                .collect()
        })
        .collect();
    assert_eq!(
        lines,
        [
            vec!["STORED AS", "LIVE VALUES"],
            vec!["/registry/configmaps", "aescbc v1, key key1", "3"],
            vec!["/registry/secrets", "aescbc v1, key key1", "4"],
            vec!["/registry/secrets", "aescbc v1, key key2", "1"],
            vec!["/registry/secrets", "aesgcm v1, key gcm1", "1"],
            vec!["/registry/secrets", "in the clear", "1"],
            vec![],
            vec!["1 Secret is in the clear: /registry/secrets/vault-aescbc/plain-written"],
        ]
    );
    let run = etcdive(["status", "-o", "json", db.to_str().unwrap()]);
    let status: Value = serde_json::from_str(run.text()).unwrap();
    let encryption = &status["encryption"];
    assert_eq!(encryption["secrets_in_the_clear"], 1);
    assert_eq!(encryption["resources"][3]["key_name"], "gcm1");
    assert_eq!(encryption["resources"][4]["stored_as"], "clear");
    assert_eq!(encryption["resources"].as_array().unwrap().len(), 5);
}

#[test]
fn status_of_other_stores_shows_secrets_in_the_clear_or_nothing() {
    let of = |path: &Path| {
        etcdive(["status", path.to_str().unwrap()])
            .text()
            .to_owned()
    };
    let plain = of(&testdata("healthy/k8s/before.db"));
    assert!(plain.contains(
        "\nENCRYPTION OF      STORED AS     LIVE VALUES\n/registry/secrets  in the clear "
    ));
    assert!(plain.contains(" Secrets are in the clear: /registry/secrets/"));
    let scratch = Scratch::new("encryption-status");
    let mut store = Synth::new(Version::V3_6);
    store.put("/app/secrets/x", "hunter2");
    let other = scratch.file("other.db", &store.builder().build().bytes);
    assert!(!of(&other).contains("ENCRYPTION"));
    let json = etcdive(["status", "-o", "json", other.to_str().unwrap()]);
    assert!(!json.text().contains("encryption\":"));
    // A Secret that was in the clear once and is encrypted now, and one that is deleted.
    store.put(
        "/registry/secrets/a/x",
        *b"k8s\0\x0a\x0c\x0a\x02v1\x12\x06Secret",
    );
    store.put(
        "/registry/secrets/a/gone",
        *b"k8s\0\x0a\x0c\x0a\x02v1\x12\x06Secret",
    );
    store.put("/registry/secrets/a/x", "k8s:enc:secretbox:v1:box:x");
    store.delete("/registry/secrets/a/gone");
    let migrated = of(&scratch.file("migrated.db", &store.builder().build().bytes));
    let block = migrated.split_once("ENCRYPTION OF").unwrap().1;
    assert_eq!(
        block,
        "      STORED AS              LIVE VALUES\n/registry/secrets  secretbox v1, key box            1\n\n2 older or deleted versions of Secrets are retained in the clear\n"
    );
}

#[test]
fn an_encrypted_definition_makes_its_names_known() {
    let key = [7; 32];
    let mut store = Synth::new(Version::V3_6);
    store.put(
        "/registry/apiextensions.k8s.io/customresourcedefinitions/books.a.com",
        seal_by_secretbox(&key, br#"{"kind":"CustomResourceDefinition","spec":{"group":"a.com","scope":"Namespaced","names":{"plural":"books","kind":"Book","shortNames":["bk"]},"versions":[{"name":"v1"}]}}"#),
    );
    let book = "/registry/a.com/books/shop/dune";
    store.put(book, seal_by_secretbox(&key, br#"{"kind":"Book"}"#));
    let scratch = Scratch::new("encrypted-definition");
    let db = scratch.file("db", &store.builder().build().bytes);
    let config = format!(
        "kind: EncryptionConfiguration\nresources:\n- providers:\n  - secretbox: {{keys: [{{name: box, secret: {}}}]}}\n",
        STANDARD.encode(key)
    );
    let config = scratch.file("config.yaml", config.as_bytes());
    let ls = |arguments: &[&str]| {
        let arguments = arguments.iter().map(std::ffi::OsStr::new);
        etcdive(
            [std::ffi::OsStr::new("ls"), db.as_ref()]
                .into_iter()
                .chain(arguments),
        )
    };
    let config = ["--encryption-config", config.to_str().unwrap()];
    assert_eq!(
        ls(&[&["bk"], &config[..]].concat()).text(),
        format!("{book}\n")
    );
    assert_eq!(ls(&["bk"]).code, 1);
}

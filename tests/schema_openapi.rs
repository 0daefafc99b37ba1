//! The schema table against k8s-openapi, whose types come from OpenAPI and not from Go.
//!
//! What a type of k8s-openapi looks like is learnt by deserializing it: a type asks the
//! deserializer for what it needs, a struct with the JSON names of its fields, and the recorder
//! gives and writes down whatever is asked for. Nobody has to list fields here.

use std::collections::{BTreeMap, BTreeSet};

use etcdive::k8s::schema::{self, Card, Kind, Message, Slot};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::serde::de::value::{Error, StrDeserializer};
use k8s_openapi::serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error as _, Expected, MapAccess, SeqAccess, Visitor,
};
use k8s_openapi::serde::forward_to_deserialize_any;
use k8s_openapi::{Metadata, Resource};

/// Where the two may differ: field, what differs, and why it must.
const DIFFERENCES: &[(&str, &str, &str)] = &[
    ("DeleteOptions.apiVersion", ONLY_OPENAPI, TYPE_META),
    ("DeleteOptions.kind", ONLY_OPENAPI, TYPE_META),
    ("PersistentVolumeClaim.apiVersion", ONLY_OPENAPI, TYPE_META),
    ("PersistentVolumeClaim.kind", ONLY_OPENAPI, TYPE_META),
];
const ONLY_OPENAPI: &str = "only OpenAPI has it";
const TYPE_META: &str = "a kind within another: TypeMeta is not in the message of a kind, and the \
                         envelope, which has it, is only around the outermost one";

/// What k8s-openapi calls the values which the table has special kinds for.
const SPECIAL: &[(Kind, &str)] = &[
    (Kind::Bytes, "a base64-encoded string"),
    (Kind::Time, "Time"),
    (Kind::MicroTime, "MicroTime"),
    (Kind::Quantity, "Quantity"),
    (Kind::IntOrString, "IntOrString"),
    (Kind::Embedded, "RawExtension"),
    (Kind::Embedded, "FieldsV1"),
    (Kind::Embedded, "JSON"),
    (Kind::SchemaOrBool, "JSONSchemaPropsOrBool"),
    (Kind::SchemaOrArray, "JSONSchemaPropsOrArray"),
    (Kind::SchemaOrStrings, "JSONSchemaPropsOrStringArray"),
];

type Answer<T> = Result<T, Error>;

macro_rules! records_of {
    ($($($module:ident)::+ { $($kind:ident)+ })+) => {
        fn records() -> Vec<Record> {
            let mut all = Vec::new();
            $({
                use k8s_openapi::$($module)::+ as module;
                $(all.push(record::<module::$kind>());)+
            })+
            all
        }
    };
}

// Every type that is a Resource and has ObjectMeta.
records_of! {
    api::admissionregistration::v1 {
        MutatingAdmissionPolicy MutatingAdmissionPolicyBinding MutatingWebhookConfiguration
        ValidatingAdmissionPolicy ValidatingAdmissionPolicyBinding ValidatingWebhookConfiguration
    }
    api::admissionregistration::v1alpha1 { MutatingAdmissionPolicy MutatingAdmissionPolicyBinding }
    api::admissionregistration::v1beta1 { MutatingAdmissionPolicy MutatingAdmissionPolicyBinding }
    api::apiserverinternal::v1alpha1 { StorageVersion }
    api::apps::v1 { ControllerRevision DaemonSet Deployment ReplicaSet StatefulSet }
    api::authentication::v1 { SelfSubjectReview TokenRequest TokenReview }
    api::authorization::v1 {
        LocalSubjectAccessReview SelfSubjectAccessReview SelfSubjectRulesReview SubjectAccessReview
    }
    api::autoscaling::v1 { HorizontalPodAutoscaler Scale }
    api::autoscaling::v2 { HorizontalPodAutoscaler }
    api::batch::v1 { CronJob Job }
    api::certificates::v1 { CertificateSigningRequest ClusterTrustBundle PodCertificateRequest }
    api::certificates::v1beta1 { ClusterTrustBundle PodCertificateRequest }
    api::coordination::v1 { Lease }
    api::coordination::v1alpha2 { LeaseCandidate }
    api::coordination::v1beta1 { LeaseCandidate }
    api::core::v1 {
        Binding ComponentStatus ConfigMap Endpoints Event LimitRange Namespace Node PersistentVolume
        PersistentVolumeClaim Pod PodTemplate ReplicationController ResourceQuota Secret Service
        ServiceAccount
    }
    api::discovery::v1 { EndpointSlice }
    api::events::v1 { Event }
    api::flowcontrol::v1 { FlowSchema PriorityLevelConfiguration }
    api::lifecycle::v1alpha1 { Eviction EvictionRequest }
    api::networking::v1 { Ingress IngressClass IPAddress NetworkPolicy ServiceCIDR }
    api::node::v1 { RuntimeClass }
    api::policy::v1 { Eviction PodDisruptionBudget }
    api::rbac::v1 { ClusterRole ClusterRoleBinding Role RoleBinding }
    api::resource::v1 {
        DeviceClass DeviceTaintRule ResourceClaim ResourceClaimTemplate ResourceSlice
    }
    api::resource::v1alpha3 { DeviceTaintRule ResourcePoolStatusRequest }
    api::resource::v1beta1 { DeviceClass ResourceClaim ResourceClaimTemplate ResourceSlice }
    api::resource::v1beta2 {
        DeviceClass DeviceTaintRule ResourceClaim ResourceClaimTemplate ResourceSlice
    }
    api::scheduling::v1 { PriorityClass }
    api::scheduling::v1alpha3 { CompositePodGroup PodGroup Workload }
    api::scheduling::v1beta1 { PodGroup Workload }
    api::storage::v1 {
        CSIDriver CSINode CSIStorageCapacity StorageClass VolumeAttachment VolumeAttributesClass
    }
    api::storagemigration::v1 { StorageVersionMigration }
    api::storagemigration::v1beta1 { StorageVersionMigration }
    apiextensions_apiserver::pkg::apis::apiextensions::v1 { CustomResourceDefinition }
    kube_aggregator::pkg::apis::apiregistration::v1 { APIService }
}

// ---- what a type asks for ----

/// A value which a type of k8s-openapi asked for.
#[derive(Debug, Default, PartialEq)]
enum Shape {
    #[default]
    Unasked,
    Bool,
    Int,
    Float,
    Text,
    /// A type that reads its value itself: its name, or what its visitor says it expects.
    Special(String),
    List(Box<Shape>),
    Map(Box<Shape>),
    Struct(&'static str, Vec<(&'static str, Shape)>),
    /// A struct within itself.
    Again(&'static str),
}

impl Shape {
    fn brief(&self) -> String {
        match self {
            Self::List(value) => format!("List of {}", value.brief()),
            Self::Map(value) => format!("Map of {}", value.brief()),
            Self::Struct(name, _) => (*name).to_owned(),
            other => format!("{other:?}"),
        }
    }
}

/// The apiVersion of a kind, the kind, and what it looks like.
struct Record(&'static str, &'static str, Shape);

fn record<T>() -> Record
where
    T: Resource + Metadata<Ty = ObjectMeta> + for<'de> Deserialize<'de>,
{
    let mut shape = Shape::default();
    let recorder = Recorder {
        shape: &mut shape,
        text: T::API_VERSION,
        open: None,
    };
    if let Err(e) = T::deserialize(recorder) {
        panic!("{}, {}: {e}", T::API_VERSION, T::KIND);
    }
    Record(T::API_VERSION, T::KIND, shape)
}

/// A struct whose fields are being recorded, and the one it is in.
struct Open<'r> {
    name: &'static str,
    fields: &'static [&'static str],
    outer: Option<&'r Open<'r>>,
}

/// Gives a type what it asks for, and records what that was.
struct Recorder<'r> {
    shape: &'r mut Shape,
    /// What a text is here; of the outermost struct, what its apiVersion is.
    text: &'static str,
    open: Option<&'r Open<'r>>,
}

impl<'r> Recorder<'r> {
    fn element(self, whole: Shape) -> Element<'r> {
        *self.shape = whole;
        let (Shape::List(shape) | Shape::Map(shape)) = self.shape else {
            return Element(None);
        };
        let (text, open) = ("", self.open);
        Element(Some(Recorder { shape, text, open }))
    }
}

macro_rules! scalar {
    ($ask:ident, $give:ident($value:expr), $shape:expr) => {
        fn $ask<V: Visitor<'de>>(self, visitor: V) -> Answer<V::Value> {
            *self.shape = $shape;
            visitor.$give($value)
        }
    };
}

impl<'de> Deserializer<'de> for Recorder<'_> {
    type Error = Error;

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Answer<V::Value> {
        visitor.visit_some(self)
    }

    scalar! { deserialize_bool, visit_bool(false), Shape::Bool }
    scalar! { deserialize_i32, visit_i32(0), Shape::Int }
    scalar! { deserialize_i64, visit_i64(0), Shape::Int }
    scalar! { deserialize_f64, visit_f64(0.0), Shape::Float }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Answer<V::Value> {
        *self.shape = Shape::Text;
        visitor.visit_str(self.text)
    }

    /// Only `ByteString` needs a borrowed text; none is good base64.
    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Answer<V::Value> {
        *self.shape = Shape::Special(expected(&visitor));
        visitor.visit_str("")
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Answer<V::Value> {
        visitor.visit_seq(self.element(Shape::List(Box::default())))
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Answer<V::Value> {
        visitor.visit_map(self.element(Shape::Map(Box::default())))
    }

    /// Times parse their text; all others take any JSON, so a time will do for them too.
    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Answer<V::Value> {
        *self.shape = Shape::Special(name.to_owned());
        visitor.visit_newtype_struct(StrDeserializer::new("2001-02-03T04:05:06Z"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Answer<V::Value> {
        let mut around = std::iter::successors(self.open, |o| o.outer);
        if around.any(|o| o.name == name && o.fields == fields) {
            *self.shape = Shape::Again(name);
            return visitor.visit_map(Element(None));
        }
        let mut record = Vec::new();
        let value = visitor.visit_map(Fields {
            record: &mut record,
            api_version: if self.open.is_none() { self.text } else { "v1" },
            open: &Open {
                name,
                fields,
                outer: self.open,
            },
        });
        *self.shape = Shape::Struct(name, record);
        value
    }

    /// The types that take values of several shapes ask for any; their visitors bear their names.
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Answer<V::Value> {
        let name = expected(&visitor);
        let is_schema = name.starts_with("JSONSchemaPropsOr");
        *self.shape = Shape::Special(name);
        if is_schema {
            visitor.visit_map(Element(None))
        } else {
            visitor.visit_str(self.text)
        }
    }

    forward_to_deserialize_any! {
        i8 i16 u8 u16 u32 u64 f32 char bytes byte_buf unit unit_struct tuple tuple_struct enum
        identifier ignored_any
    }
}

fn expected(visitor: &dyn Expected) -> String {
    visitor.to_string()
}

/// The only element of a list or map, or none.
struct Element<'r>(Option<Recorder<'r>>);

impl<'de> SeqAccess<'de> for Element<'_> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Answer<Option<T::Value>> {
        self.0.take().map(|r| seed.deserialize(r)).transpose()
    }
}

impl<'de> MapAccess<'de> for Element<'_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Answer<Option<K::Value>> {
        let key = self.0.as_ref().map(|_| StrDeserializer::new("key"));
        key.map(|k| seed.deserialize(k)).transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Answer<V::Value> {
        let value = self.0.take().ok_or_else(|| Error::custom("no element"))?;
        seed.deserialize(value)
    }
}

/// Every field of a struct, once.
struct Fields<'r> {
    record: &'r mut Vec<(&'static str, Shape)>,
    api_version: &'static str,
    open: &'r Open<'r>,
}

impl<'de> MapAccess<'de> for Fields<'_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Answer<Option<K::Value>> {
        let Some(name) = self.open.fields.get(self.record.len()) else {
            return Ok(None);
        };
        self.record.push((name, Shape::default()));
        seed.deserialize(StrDeserializer::new(name)).map(Some)
    }

    /// Kinds, also within kinds, insist on their apiVersion and kind; the struct is named by the
    /// kind, and those within others are in v1.
    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Answer<V::Value> {
        let Some((name, shape)) = self.record.last_mut() else {
            return Err(Error::custom("a value before its key"));
        };
        seed.deserialize(Recorder {
            shape,
            text: match *name {
                "apiVersion" => self.api_version,
                "kind" => self.open.name,
                _ => "",
            },
            open: Some(self.open),
        })
    }
}

// ---- the comparison ----

/// What was compared, and what differs.
#[derive(Default)]
struct Comparison {
    messages: BTreeSet<*const Message>,
    fields: BTreeSet<(*const Message, &'static str)>,
    /// Field and difference, and a kind in which it was seen.
    differences: BTreeMap<(String, String), String>,
    /// The structs around the one being compared, and their messages.
    open: Vec<(&'static str, *const Message)>,
    root: String,
}

impl Comparison {
    fn differs(&mut self, of: &str, field: &str, what: &str) {
        self.differences
            .entry((format!("{of}.{field}"), what.to_owned()))
            .or_insert_with(|| self.root.clone());
    }

    fn kind(&mut self, Record(api_version, kind, shape): &Record) {
        self.root = format!("{api_version} {kind}");
        let Some(message) = schema::root(api_version, kind) else {
            return self.differs(api_version, kind, ONLY_OPENAPI);
        };
        let Shape::Struct(name, fields) = shape else {
            panic!("{} is no struct", self.root);
        };
        assert_eq!(fields[0].0, "apiVersion");
        assert_eq!(fields[1].0, "kind");
        // They are in the envelope around an object, so its message has no slots for them.
        self.structure(name, &fields[2..], message);
    }

    fn structure(
        &mut self,
        name: &'static str,
        fields: &[(&'static str, Shape)],
        message: &'static Message,
    ) {
        self.messages.insert(message);
        self.open.push((name, message));
        for (field, shape) in fields {
            let what = match message.slots().iter().find(|s| s.name() == *field) {
                None => ONLY_OPENAPI.to_owned(),
                Some(slot) if slot.is_removed() => "removed in the table".to_owned(),
                Some(slot) if self.agrees(slot, shape) => {
                    self.fields.insert((message, slot.name()));
                    continue;
                }
                Some(slot) => format!("{:?} {:?}, not {}", slot.card, slot.kind, shape.brief()),
            };
            self.differs(name, field, &what);
        }
        for slot in message.slots().iter().filter(|s| !s.is_removed()) {
            if fields.iter().all(|(field, _)| *field != slot.name()) {
                self.differs(name, slot.name(), "only the table has it");
            }
        }
        self.open.pop();
    }

    /// Is the slot what OpenAPI has? Goes on into a message.
    fn agrees(&mut self, slot: &Slot, shape: &Shape) -> bool {
        let value = match (slot.card, shape) {
            (Card::List, Shape::List(value)) | (Card::Map, Shape::Map(value)) => value,
            (Card::One | Card::Pointer, value) => value,
            _ => return false,
        };
        let message = schema::message(slot.message_type).unwrap();
        match (slot.kind, value) {
            (Kind::Message, Shape::Struct(name, fields)) => {
                self.structure(name, fields, message);
                true
            }
            (Kind::Message, Shape::Again(name)) => self.is_open(name, message),
            // A struct without fields is to OpenAPI an object of any kind.
            (Kind::Message, Shape::Special(name)) => {
                self.messages.insert(message);
                message.slots().iter().all(Slot::is_removed) && SPECIAL.iter().all(|s| s.1 != name)
            }
            (kind, Shape::Special(name)) => {
                let schema = name.starts_with("JSONSchemaPropsOr");
                SPECIAL.contains(&(kind, name))
                    && (!schema || self.is_open("JSONSchemaProps", message))
            }
            (Kind::Strings, Shape::List(value)) => **value == Shape::Text,
            (Kind::Bool, Shape::Bool)
            | (Kind::Int, Shape::Int)
            | (Kind::Float, Shape::Float)
            | (Kind::Str, Shape::Text) => true,
            _ => false,
        }
    }

    fn is_open(&self, name: &str, message: *const Message) -> bool {
        self.open.iter().any(|o| o.0 == name && o.1 == message)
    }
}

#[test]
fn the_schema_table_and_the_types_of_openapi_agree_field_by_field() {
    let records = records();
    let mut comparison = Comparison::default();
    for r in &records {
        comparison.kind(r);
    }
    let kinds = records.len();
    let (messages, fields) = (comparison.messages.len(), comparison.fields.len());
    println!("{kinds} kinds, {messages} messages, {fields} fields are the same");
    assert!(kinds >= 103 && messages > 700 && fields > 2700);
    let mut wrong = Vec::new();
    for ((field, what), root) in &comparison.differences {
        if !DIFFERENCES.iter().any(|d| d.0 == field && d.1 == what) {
            wrong.push(format!("{field} ({root}): {what}"));
        }
    }
    for (field, what, why) in DIFFERENCES {
        let key = ((*field).to_owned(), (*what).to_owned());
        if !comparison.differences.contains_key(&key) {
            wrong.push(format!("{field} no longer differs, though {why}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

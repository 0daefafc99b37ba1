//! Decodes two versions of an object side by side, and leaves out the fields that both have in the same bytes.
//!
//! A comparison of the two results finds what a comparison of the whole objects finds: in a map, a member that is equal
//! in both is no difference, and members do not depend on each other. That holds for the fields of a message and for the
//! entries of a map field. A list is left out if all of it is the same bytes.
//!
//! The items of other lists are matched by their members. If both versions of a list have the same number of messages, the
//! messages at the same place are decoded side by side, with all members that may identify them ([`may_identify`]). So
//! both results have the names of the whole lists. The comparison has to find that the names are the same in both, one by
//! one ([`pruned_diff`](crate::k8s::diff::pruned_diff)); otherwise the lists are needed as a whole.
//!
//! Example: of two versions of a Lease that differ in `spec.renewTime`, both results are
//! `{kind, apiVersion, spec: {renewTime}}`.

use std::cmp::Ordering;

use serde_json::Value;

use crate::k8s::decode::{Options, TypeMeta, Walker, Work};
use crate::k8s::diff::Scope;
use crate::k8s::diff::lists::may_identify;
use crate::k8s::envelope::{PROTOBUF_MAGIC, Unknown};
use crate::k8s::schema::{self, Card, Kind, Message, Slot};
use crate::k8s::sink::{Order, Sink};
use crate::k8s::tree::TreeSink;

use super::super::{ABSENT, Span};
use super::Found;
use super::entries::{Entries, Entry, entries, items};

/// The depth to which messages are compared field by field. A message below is decoded as a whole. It is far below the
/// depth and the length of names at which a comparison replaces a value as a whole.
const MAX_LEVELS: usize = 16;

/// How a list is decoded that differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::k8s) enum Lists {
    /// Without what is the same in items at the same place.
    Pruned,
    /// As a whole.
    Whole,
}

/// The two values as trees, each without the fields that are the same bytes in both, and without the fields that the
/// scope excludes. apiVersion and kind stay in them. None if that is not possible: then the values are to be decoded.
pub(in crate::k8s) fn differing(
    old: &[u8],
    new: &[u8],
    scope: Scope,
    lists: Lists,
) -> Option<(Value, Value)> {
    let old = Unknown::parse(old.strip_prefix(PROTOBUF_MAGIC)?).ok()?;
    let new = Unknown::parse(new.strip_prefix(PROTOBUF_MAGIC)?).ok()?;
    let is_usual = |unknown: &Unknown<'_>| {
        unknown.content_encoding.is_empty()
            && !unknown.api_version.is_empty()
            && !unknown.kind.is_empty()
    };
    let is_same_type = old.api_version == new.api_version && old.kind == new.kind;
    if !is_usual(&old) || !is_usual(&new) || !is_same_type {
        return None;
    }
    let (api_version, kind) = (&*new.api_version, &*new.kind);
    let message = schema::root(api_version, kind)?;
    let meta = TypeMeta { api_version, kind };
    let (old, new) = (old.raw?, new.raw?);
    let (mut old_work, mut new_work) = (Work::spare(), Work::spare());
    let (mut old_sink, mut new_sink) = (TreeSink::new(), TreeSink::new());
    let options = Options::from(Order::Declared);
    let mut pair = Pair {
        old: Walker::new(&mut old_sink, &mut old_work, options),
        new: Walker::new(&mut new_sink, &mut new_work, options),
        scope,
        lists,
    };
    let is_written = pair.message(message, (old, new), At::ROOT, Some(meta));
    old_work.keep();
    new_work.keep();
    let trees = (old_sink.into_value(), new_sink.into_value());
    is_written.map(|()| trees)
}

/// The walks over both versions, which take the same steps.
struct Pair<'s> {
    old: Walker<'s, TreeSink>,
    new: Walker<'s, TreeSink>,
    scope: Scope,
    lists: Lists,
}

/// A message in the object.
#[derive(Clone, Copy)]
struct At {
    /// How many messages it is in.
    level: usize,
    /// Whether it is the metadata of the object.
    is_metadata: bool,
    /// Whether it is an item of a list.
    is_item: bool,
}

impl At {
    const ROOT: Self = Self {
        level: 0,
        is_metadata: false,
        is_item: false,
    };

    /// A message in this one.
    fn inner(self) -> Self {
        Self {
            level: self.level.saturating_add(1),
            ..Self::ROOT
        }
    }

    /// The depth as [`Walker::message`] counts it.
    fn depth(self) -> u16 {
        u16::try_from(self.level).unwrap_or(u16::MAX)
    }
}

/// The positions of the fields of a message in both versions.
struct Scanned {
    bases: (usize, usize),
    found: (Found, Found),
}

impl Pair<'_> {
    /// Writes the fields of a message that differ. None, and nothing is written, if that is not possible.
    fn message(
        &mut self,
        ty: &'static Message,
        bytes: (&[u8], &[u8]),
        at: At,
        meta: Option<TypeMeta<'_>>,
    ) -> Option<()> {
        let bases = (
            self.old.work.open(ty.slots().len()),
            self.new.work.open(ty.slots().len()),
        );
        let scanned = self.scan(ty, bytes, bases);
        if let Some(scanned) = &scanned {
            self.begin(meta);
            self.fields(ty, bytes, scanned, at);
            self.old.sink.end_map();
            self.new.sink.end_map();
        }
        self.old.work.close(bases.0);
        self.new.work.close(bases.1);
        scanned.map(|_| ())
    }

    /// Finds the fields of a message in both versions. None if one of them is unusual: it cannot be scanned, has fields
    /// without a name, or has a message field in several parts.
    fn scan(
        &mut self,
        ty: &'static Message,
        (old, new): (&[u8], &[u8]),
        bases: (usize, usize),
    ) -> Option<Scanned> {
        let mut found = (Found::default(), Found::default());
        let order = Order::Declared;
        let (old_work, new_work) = (&mut *self.old.work, &mut *self.new.work);
        old_work.scan(ty, old, order, bases.0, &mut found.0).ok()?;
        new_work.scan(ty, new, order, bases.1, &mut found.1).ok()?;
        let is_usual = |found: &Found| !found.unknown && !found.parts;
        (is_usual(&found.0) && is_usual(&found.1)).then_some(Scanned { bases, found })
    }

    /// Begins a map in both results. The outermost one begins with the type.
    fn begin(&mut self, meta: Option<TypeMeta<'_>>) {
        for sink in [&mut *self.old.sink, &mut *self.new.sink] {
            sink.begin_map();
            if let Some(TypeMeta { api_version, kind }) = meta {
                sink.key("kind");
                sink.string(kind);
                sink.key("apiVersion");
                sink.string(api_version);
            }
        }
    }

    /// Writes the fields of a scanned message that differ, in the order of their declaration.
    fn fields(
        &mut self,
        ty: &'static Message,
        (old, new): (&[u8], &[u8]),
        scanned: &Scanned,
        at: At,
    ) {
        let (in_old, in_new) = (scanned.found.0.present, scanned.found.1.present);
        // An item may be identified by a member that is null in both.
        let null = if at.is_item { ty.null_when_absent() } else { 0 };
        let mut left = in_old | in_new | null;
        while left != 0 {
            let place = left.trailing_zeros();
            left &= left.wrapping_sub(1);
            let Some(slot) = ty.slots().get(place as usize) else {
                return;
            };
            let bit = 1_u64.wrapping_shl(place);
            let (old_span, new_span) = (
                self.old.span_of(scanned.bases.0, place),
                self.new.span_of(scanned.bases.1, place),
            );
            let (is_in_old, is_in_new) = (in_old & bit != 0, in_new & bit != 0);
            if is_in_old && is_in_new {
                self.both(slot, (old, old_span), (new, new_span), at);
            } else {
                let old = is_in_old.then_some((old, old_span));
                let new = is_in_new.then_some((new, new_span));
                self.whole(slot, old, new, at);
            }
        }
    }

    /// Writes all of a field of each version, or what is written for a field that it does not have.
    fn whole(
        &mut self,
        slot: &Slot,
        old: Option<(&[u8], Span)>,
        new: Option<(&[u8], Span)>,
        at: At,
    ) {
        for (walker, field) in [(&mut self.old, old), (&mut self.new, new)] {
            match field {
                Some((bytes, span)) => walker.present(slot, bytes, span, at.depth()),
                None => walker.absent(slot, at.depth()),
            }
        }
    }

    /// Writes a field that is in both versions, or what differs in it.
    fn both(&mut self, slot: &Slot, old: (&[u8], Span), new: (&[u8], Span), at: At) {
        let bytes = (slice(old.0, old.1), slice(new.0, new.1));
        let is_identity = at.is_item && may_identify(slot.name());
        // A map with an apiVersion and a kind may be a Secret, whose values are masked.
        let is_kept = is_identity || matches!(slot.name(), "kind" | "apiVersion");
        let is_left_out = (bytes.0 == bytes.1 && !is_kept) || self.is_excluded(slot, at);
        let is_written = is_left_out
            || (!is_identity
                && (self.nested(slot, bytes, at)
                    || self.map(slot, old, new, at.depth())
                    || self.list(slot, old, new, at)));
        if !is_written {
            self.whole(slot, Some(old), Some(new), at);
        }
    }

    /// Writes a field that is one message in both versions. Returns false, and writes nothing, if it is anything else.
    fn nested(&mut self, slot: &Slot, bytes: (&[u8], &[u8]), at: At) -> bool {
        let is_one = matches!(slot.card, Card::One | Card::Pointer);
        let may_be_left_out = slot.card == Card::One && slot.omit_zero();
        let ty = schema::message(slot.message_type);
        let Some(ty) = ty.filter(|_| slot.kind == Kind::Message && is_one && !may_be_left_out)
        else {
            return false;
        };
        if at.level >= MAX_LEVELS {
            return false;
        }
        self.old.key(slot);
        self.new.key(slot);
        let inner = At {
            is_metadata: at.level == 0 && slot.name() == "metadata",
            ..at.inner()
        };
        self.message_or_whole(ty, bytes, at, inner);
        true
    }

    /// Writes the fields of a message that differ, or all of it if that is not possible.
    fn message_or_whole(
        &mut self,
        ty: &'static Message,
        bytes: (&[u8], &[u8]),
        outer: At,
        inner: At,
    ) {
        if self.message(ty, bytes, inner, None).is_none() {
            for (walker, bytes) in [(&mut self.old, bytes.0), (&mut self.new, bytes.1)] {
                walker.message(ty, bytes, outer.depth());
            }
        }
    }

    /// Writes what differs in a list of messages, and the members that identify them. Returns false, and writes nothing, if
    /// it is anything else, or if the versions have different numbers of items.
    fn list(
        &mut self,
        slot: &Slot,
        (old, old_span): (&[u8], Span),
        (new, new_span): (&[u8], Span),
        at: At,
    ) -> bool {
        let is_list = slot.card == Card::List && slot.kind == Kind::Message;
        let Some(ty) = schema::message(slot.message_type).filter(|_| is_list) else {
            return false;
        };
        let (of_old, of_new) = (items(slot, old, old_span), items(slot, new, new_span));
        if self.lists == Lists::Whole
            || at.level >= MAX_LEVELS
            || of_old.clone().count() != of_new.clone().count()
        {
            return false;
        }
        self.old.key(slot);
        self.new.key(slot);
        self.old.sink.begin_list();
        self.new.sink.begin_list();
        let inner = At {
            is_item: true,
            ..at.inner()
        };
        for bytes in of_old.zip(of_new) {
            self.message_or_whole(ty, bytes, at, inner);
        }
        self.old.sink.end_list();
        self.new.sink.end_list();
        true
    }

    /// Writes the entries of a map field that differ. Returns false, and writes nothing, if it is no map field, or if the
    /// entries of a version are malformed or not sorted, or have keys that are not UTF-8: such keys may become equal.
    fn map(
        &mut self,
        slot: &Slot,
        (old, old_span): (&[u8], Span),
        (new, new_span): (&[u8], Span),
        depth: u16,
    ) -> bool {
        let of_old = entries(slot, old, old_span);
        let of_new = entries(slot, new, new_span);
        let are_usual = |entries: &Entries<'_>| {
            let mut keys = entries.clone().flatten().map(|entry| entry.key);
            entries.clone().are_in_order(Order::Declared)
                && keys.all(|key| std::str::from_utf8(key).is_ok())
        };
        if slot.card != Card::Map || !are_usual(&of_old) || !are_usual(&of_new) {
            return false;
        }
        self.old.key(slot);
        self.new.key(slot);
        self.old.sink.begin_map();
        self.new.sink.begin_map();
        let mut of_old = of_old.flatten().peekable();
        let mut of_new = of_new.flatten().peekable();
        loop {
            let order = match (of_old.peek(), of_new.peek()) {
                (None, None) => break,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(a), Some(b)) => a.key.cmp(b.key),
            };
            let a = of_old.next_if(|_| order.is_le());
            let b = of_new.next_if(|_| order.is_ge());
            // A map with an apiVersion and a kind may be a Secret, whose values are masked.
            let is_type = |entry: &Entry<'_>| matches!(entry.key, b"kind" | b"apiVersion");
            if let (Some(a), Some(b)) = (&a, &b)
                && a.value == b.value
                && !is_type(a)
            {
                continue;
            }
            for (walker, entry) in [(&mut self.old, a), (&mut self.new, b)] {
                if let Some(entry) = entry {
                    walker.entry(slot, entry, depth);
                }
            }
        }
        self.old.sink.end_map();
        self.new.sink.end_map();
        true
    }

    /// Whether the scope excludes a field.
    fn is_excluded(&self, slot: &Slot, at: At) -> bool {
        (!self.scope.managed_fields && at.is_metadata && slot.name() == "managedFields")
            || (!self.scope.status && at.level == 0 && slot.name() == "status")
    }
}

impl<S: Sink> Walker<'_, S> {
    /// The position of a field that a scan has found.
    fn span_of(&mut self, base: usize, place: u32) -> Span {
        self.work.span(base, place).map_or(ABSENT, |span| *span)
    }
}

/// The bytes of a field.
fn slice(message: &[u8], span: Span) -> &[u8] {
    message
        .get(span.start as usize..span.end as usize)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::k8s::object::tree_of;
    use crate::wire::put_bytes;

    use super::*;

    /// A message of these fields.
    fn message(fields: &[(u32, &[u8])]) -> Vec<u8> {
        let mut out = Vec::new();
        for (number, bytes) in fields {
            put_bytes(&mut out, *number, bytes);
        }
        out
    }

    /// A pod with containers of these names and images, and with a node.
    fn pod(containers: &[[&str; 2]], node: &str) -> Vec<u8> {
        let container = |[name, image]: &[&str; 2]| {
            let lists = message(&[(3, b"/bin/sh"), (3, b"-c")]);
            [
                message(&[(1, name.as_bytes()), (2, image.as_bytes())]),
                lists,
            ]
            .concat()
        };
        let containers: Vec<Vec<u8>> = containers.iter().map(container).collect();
        let mut spec: Vec<(u32, &[u8])> = containers.iter().map(|one| (2, &**one)).collect();
        spec.push((10, node.as_bytes()));
        let spec = message(&spec);
        let meta = message(&[(1, b"v1"), (2, b"Pod")]);
        let raw = message(&[(2, &spec)]);
        [PROTOBUF_MAGIC, &message(&[(1, &meta), (2, &raw)])].concat()
    }

    fn texts(old: &[u8], new: &[u8], lists: Lists) -> [String; 2] {
        let (old, new) = differing(old, new, Scope::ALL, lists).unwrap();
        [old, new].map(|tree| tree.pointer("/spec").unwrap().to_string())
    }

    #[test]
    fn items_of_a_list_have_what_differs_and_what_identifies_them() {
        let old = pod(&[["a", "x:1"], ["b", "y:1"]], "n");
        let new = pod(&[["a", "x:1"], ["b", "y:2"]], "n");
        let pruned = |image| {
            format!(r#"{{"containers":[{{"name":"a"}},{{"name":"b","image":"{image}"}}]}}"#)
        };
        let expected = [pruned("y:1"), pruned("y:2")];
        assert_eq!(texts(&old, &new, Lists::Pruned), expected);
        let [whole, _] = texts(&old, &new, Lists::Whole);
        assert!(whole.contains(r#""command":["/bin/sh","-c"]"#), "{whole}");
    }

    #[test]
    fn lists_of_different_lengths_are_whole() {
        let old = pod(&[["a", "x:1"]], "n");
        let new = pod(&[["a", "x:1"], ["b", "y:2"]], "n");
        let found = texts(&old, &new, Lists::Pruned);
        assert_eq!(found, texts(&old, &new, Lists::Whole));
    }

    /// A definition with one version, whose schema has so many messages inside each other, each in two parts.
    fn definition(parts: usize, version: &str) -> Vec<u8> {
        let mut at = schema::root("apiextensions.k8s.io/v1", "CustomResourceDefinition");
        let mut number = |name: &str| {
            let slot = at.unwrap().slots().iter().find(|slot| slot.name() == name);
            at = schema::message(slot.unwrap().message_type);
            u32::from(slot.unwrap().number)
        };
        let [spec, versions, schema, root] =
            ["spec", "versions", "schema", "openAPIV3Schema"].map(&mut number);
        let not = number("not");
        let mut nested = message(&[(number("description"), b"a text of some length")]);
        for _ in 0..parts {
            nested = message(&[(not, &nested), (not, b"")]);
        }
        let of_version = message(&[
            (1, version.as_bytes()),
            (schema, &message(&[(root, &nested)])),
        ]);
        let raw = message(&[(spec, &message(&[(versions, &of_version)]))]);
        let meta = message(&[
            (1, b"apiextensions.k8s.io/v1"),
            (2, b"CustomResourceDefinition"),
        ]);
        [PROTOBUF_MAGIC, &message(&[(1, &meta), (2, &raw)])].concat()
    }

    #[test]
    fn parts_of_a_message_are_joined_whatever_the_length_of_the_value() {
        let schema_of = |parts, version: &str| {
            let (tree, _) = tree_of(&definition(parts, version)).unwrap();
            let schema = tree.pointer("/spec/versions/0/schema");
            schema.unwrap().to_string()
        };
        for parts in 0..8 {
            let short = schema_of(parts, "v1");
            assert_eq!(short, schema_of(parts, &"v".repeat(100_000)));
            assert_eq!(
                short.contains("a text of some length"),
                parts <= 4,
                "{short}"
            );
        }
    }
}

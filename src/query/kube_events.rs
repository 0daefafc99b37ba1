//! The Events of Kubernetes: those about an object, and those of a type, the oldest first.

use crate::arrange::Arrange as _;
use crate::etcd::{AtRevision, KeyEntry};
use crate::k8s::catalog::Catalog;
use crate::k8s::columns::EventFacts;

use super::filters::Filter;
use super::live_objects::{LiveObjects, ObjectFilters};
use super::no_answer::NoAnswer;
use super::not_found::{Missing, NameKind, Why};
use super::objects::ReadValue;
use super::question::{Answer, Question};
use super::select::Which;

/// The object that Events are about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// The kinds that its word names, such as `Pod`.
    pub kinds: Vec<String>,
    /// Its name.
    pub name: String,
    /// Its namespace, if only Events about objects in it are asked for.
    pub namespace: Option<String>,
}

impl About {
    /// The object of a word for its resource and a name.
    ///
    /// # Errors
    /// If the word names no resource.
    pub fn new(question: &Question<'_>, types: &str, name: &str) -> Result<Self, NoAnswer> {
        let catalog: &Catalog = question.catalog();
        let found = catalog.resolve(types);
        if found.is_empty() {
            let why = Why::Unknown {
                kind: NameKind::Resource,
                names: vec![types.to_owned()],
                near: catalog.near(types),
            };
            return Err(Missing { address: None, why }.into());
        }
        Ok(Self {
            kinds: found.iter().map(|one| one.kind.to_string()).collect(),
            name: name.to_owned(),
            namespace: None,
        })
    }

    /// Whether an Event is about it.
    #[must_use]
    pub fn is_of(&self, event: &EventFacts<'_>) -> bool {
        let kind = event.of_object("kind");
        let namespace = self.namespace.as_deref();
        event.of_object("name") == self.name
            && self.kinds.iter().any(|known| known == kind)
            && namespace.is_none_or(|namespace| event.of_object("namespace") == namespace)
    }
}

/// Which Events.
#[derive(Debug, Clone, Default)]
pub struct EventsRequest {
    /// Only those about this object.
    pub about: Option<About>,
    /// Only those of these types, such as `Warning`; all if empty.
    pub types: Vec<String>,
    /// The most Events in the answer; the newest are kept.
    pub limit: Option<usize>,
}

/// Events of a store.
#[derive(Debug)]
pub struct KubeEvents<'q, 'a> {
    /// All Events of the namespaces.
    pub live: LiveObjects<'q, 'a>,
    /// Those that were asked for, by the time at which they were seen last.
    pub entries: Vec<KeyEntry<'a>>,
}

impl<'q, 'a> KubeEvents<'q, 'a> {
    /// Reads the Events that `which` selects as of a revision.
    ///
    /// # Errors
    /// As [`LiveObjects::read`].
    pub fn read(
        question: &'q Question<'a>,
        which: &Which,
        at: AtRevision,
        filters: &'q ObjectFilters,
        request: &EventsRequest,
    ) -> Result<Self, NoAnswer> {
        let live = LiveObjects::read(question, which, at, filters)?;
        let mut timed = Vec::new();
        for entry in live.entries().iter() {
            let Some(ReadValue::Object(object, _)) = live.selected(&entry.record, false) else {
                continue;
            };
            let facts = EventFacts::read(&object);
            let about = request.about.as_ref();
            let is_about = about.is_none_or(|about| about.is_of(&facts));
            let mut types = request.types.iter();
            let is_type = request.types.is_empty()
                || types.any(|known| known.eq_ignore_ascii_case(facts.event_type));
            let counted = question.filters();
            if counted.test(Filter("--for"), is_about) && counted.test(Filter("--types"), is_type) {
                timed.push((facts.last_seen_at(), entry));
            }
        }
        // Stable: Events of one time stay in the order of their keys.
        timed.arrange_by_key(|(time, _)| *time);
        let mut entries: Vec<KeyEntry<'a>> = timed.into_iter().map(|(_, entry)| entry).collect();
        let left_out = request
            .limit
            .map_or(0, |limit| entries.len().saturating_sub(limit));
        entries.drain(..left_out);
        Ok(Self { live, entries })
    }

    /// Ends the answer.
    ///
    /// # Errors
    /// If nothing was found: why.
    pub fn finish(self) -> Result<Answer, NoAnswer> {
        let any = !self.entries.is_empty();
        self.live.finish(any, false)
    }
}

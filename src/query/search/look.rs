//! Searches one value, in two steps. The first runs in parallel. The second runs in the order of output: masks are
//! numbered as they are printed, and a value that is still encrypted is reported once.

use crate::etcd::Record;
use crate::k8s::DecodeError;
use crate::k8s::encrypt::Keyring;
use crate::k8s::object::{is_object, is_secret_key};
use crate::k8s::redact::Masker;
use crate::k8s::search::{Document, MatchedLine, Matcher};
use crate::k8s::selector::LabelSelector;
use crate::query::objects::Objects;

/// Looks into values; from any thread.
#[derive(Debug, Clone, Copy)]
pub struct Looker<'r> {
    /// What is looked for.
    pub matcher: &'r Matcher,
    /// The keys of encrypted values.
    pub keyring: &'r Keyring,
    /// The labels that an object must have.
    pub labels: Option<&'r LabelSelector>,
    /// Secrets are shown.
    pub reveal: bool,
    /// Keys are searched.
    pub in_keys: bool,
}

/// What there is in a record.
#[derive(Debug)]
pub(super) struct Seen {
    /// The key matches.
    pub(super) in_key: bool,
    pub(super) value: SeenValue,
}

/// What there is in a value.
#[derive(Debug)]
pub(super) enum SeenValue {
    Nothing,
    /// It is encrypted, and no key opens it.
    Closed,
    /// It begins like an object, and cannot be decoded; whether its bytes match.
    Undecodable(DecodeError, bool),
    /// These lines match.
    Lines(Vec<MatchedLine>),
    /// Something matches, and there are secrets in it.
    Secret(Box<Document<'static>>),
}

impl Looker<'_> {
    /// Whether the stored bytes show that a value may match. Then it is decoded.
    pub(super) fn may_match(&self, record: &Record<'_>) -> bool {
        let in_key = || self.in_keys && !self.matcher.lines(record.key).is_empty();
        let value = self.keyring.decrypt(record.key, record.value);
        // A value that is still encrypted has to be reported.
        value.map_or(true, |value| self.matcher.may_match(&value)) || in_key()
    }

    /// Looks into a record.
    pub(super) fn look(&self, record: &Record<'_>) -> Seen {
        let nothing = |in_key| Seen {
            in_key,
            value: SeenValue::Nothing,
        };
        if record.tombstone {
            return nothing(false);
        }
        let in_key = self.in_keys && !self.matcher.lines(record.key).is_empty();
        let Ok(value) = self.keyring.decrypt(record.key, record.value) else {
            return Seen {
                in_key: in_key && self.labels.is_none(),
                value: SeenValue::Closed,
            };
        };
        let needs_labels = in_key && self.labels.is_some();
        if !self.matcher.may_match(&value) && !needs_labels {
            return nothing(in_key);
        }
        // Most values that are decoded do not match. In a Secret what is searched may be moved first.
        let is_plain = self.labels.is_none() && !is_secret_key(record.key);
        if is_plain && !self.matcher.may_match_lines(&value) {
            return nothing(in_key);
        }
        match Document::read(&value) {
            Ok(document) => {
                let labelled = |labels: &LabelSelector| {
                    is_object(&document.tree) && labels.matches(&document.tree)
                };
                if !self.labels.is_none_or(labelled) {
                    return nothing(false);
                }
                Seen {
                    in_key,
                    value: self.search(record, &value, document),
                }
            }
            Err(_) if self.labels.is_some() => nothing(false),
            Err(error) => {
                let matches = !self.matcher.lines(&value).is_empty();
                Seen {
                    in_key,
                    value: SeenValue::Undecodable(error, matches),
                }
            }
        }
    }

    fn search(
        &self,
        record: &Record<'_>,
        value: &[u8],
        mut document: Document<'static>,
    ) -> SeenValue {
        let is_secret = is_secret_key(record.key);
        let is_masked = is_secret && !self.reveal;
        // The second step masks again, in order. Here the result only shows whether there is a value to mask.
        let mut masker = Masker::new(self.reveal);
        if !is_object(&document.tree)
            && !is_masked
            && !masker.has_masked_parts(&document.tree, false)
        {
            return SeenValue::Lines(self.matcher.lines(value));
        }
        if is_secret && let Ok(tree) = masker.tree_of(value, true) {
            document.tree = std::borrow::Cow::Owned(tree);
        }
        if !self.matcher.is_in(&document) {
            return SeenValue::Nothing;
        }
        if let std::borrow::Cow::Owned(_) = masker.mask(&document.tree, is_secret) {
            return SeenValue::Secret(Box::new(document));
        }
        SeenValue::Lines(self.matcher.search(&document, &document.tree))
    }
}

/// Makes lines of what was seen, record by record, in order.
#[derive(Debug)]
pub(super) struct Reader<'r> {
    looker: &'r Looker<'r>,
    objects: &'r Objects<'r>,
    masker: Masker,
}

impl<'r> Reader<'r> {
    pub(super) fn new(looker: &'r Looker<'r>, objects: &'r Objects<'r>) -> Self {
        Self {
            looker,
            objects,
            masker: Masker::new(looker.reveal),
        }
    }

    /// The lines that match in a record's value, secrets masked.
    pub(super) fn lines(&mut self, record: &Record<'_>, seen: SeenValue) -> Vec<MatchedLine> {
        let matcher = self.looker.matcher;
        match seen {
            SeenValue::Nothing => Vec::new(),
            SeenValue::Lines(lines) => lines,
            SeenValue::Closed => {
                // The reason is counted for a notice: the value may contain a match.
                if let Err(error) = self.objects.open(record) {
                    self.objects.report_encrypted(record, &error);
                }
                Vec::new()
            }
            SeenValue::Undecodable(error, matches) => {
                self.objects.report_undecodable(record, &error);
                if !matches {
                    return Vec::new();
                }
                let value = self.objects.open(record).unwrap_or_default();
                // It cannot be decoded, so any of its bytes may be secret.
                match self.masker.mask_bytes(&value) {
                    None => matcher.lines(&value),
                    Some(mask) => vec![MatchedLine {
                        path: crate::k8s::diff::Path::default(),
                        line: None,
                        text: mask.into_bytes(),
                        ranges: Vec::new(),
                        matches: 1,
                        decoded: false,
                        masked: true,
                    }],
                }
            }
            SeenValue::Secret(document) => {
                let is_secret = is_secret_key(record.key);
                let shown = self.masker.mask(&document.tree, is_secret);
                matcher.search(&document, &shown)
            }
        }
    }
}

//! Decides what is written: the revision, what is missing, and whether that is a reason to refuse.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use crate::arrange::Arrange as _;
use crate::bbolt::{Direction, MetaChoice};
use crate::diag::{Code, Damage};
use crate::etcd::carve::freed_leases;
use crate::etcd::check::report_out_of_order;
use crate::etcd::survey::{Survey, SurveyRequest, SurveyedKeys, Use};
use crate::etcd::write::{StoredPair, for_each_record, unwritable_buckets};
use crate::etcd::{Revision, Store, schema};
use crate::query::NoAnswer;
use crate::query::directory::log_of;
use crate::query::log_contradictions::LogContradictions;
use crate::query::question::Question;
use crate::query::replayed::{LogFault, Replayed};
use crate::query::resolve::resolve;
use crate::query::revision::RevisionExpr;
use crate::query::select::Which;
use crate::query::verdict::{Torn, torn};
use crate::source::TrailerCheck;

use super::leases::{self, LeaseWritten, TtlSource};
use super::refusal::{RecordsAfter, Refusal, RefusalDetails, Refused, RestoreError};
use super::request::{History, RestoreRequest};
use super::small::{Authentication, SmallBuckets};
use super::{Dropped, Restore, TimeAsked};

/// The prefix of the keys of Kubernetes.
const KUBERNETES: &[u8] = b"/registry/";

/// How many keys a refusal names.
const NAMED: usize = 5;

impl<'q, 'a> Restore<'q, 'a> {
    /// Surveys the source and decides.
    ///
    /// # Errors
    /// [`RestoreError`]: why nothing is written.
    pub fn read(question: &'q Question<'a>, request: RestoreRequest) -> Result<Self, RestoreError> {
        let store = question.store();
        if question.evidence().deltas_alone().is_some() {
            return Err(Refusal::NoDatabase.into());
        }
        if request.selects_keys() && request.history == History::All {
            return Err(Refusal::HistoryOfSomeKeys.into());
        }
        let small = SmallBuckets::read(store);
        let knows_compaction =
            store.bucket(schema::META).is_some() && !small.is_damaged(schema::META);
        let compacted = match knows_compaction {
            true => store.compact_revision(),
            false => compaction_by_numbers(store, &request),
        };
        let (asked, time) = asked(question, &request, compacted)?;
        let mut decision = Decision {
            question,
            request,
            small,
            compacted,
            asked,
            reasons: Vec::new(),
        };
        let (at, survey, cut) = decision.survey();
        decision.judge(at, &survey, knows_compaction, time.as_ref());
        decision.refuse(&survey)?;
        Ok(decision.finish(at, survey, cut, time))
    }
}

/// A restore that is not decided yet.
struct Decision<'q, 'a> {
    question: &'q Question<'a>,
    request: RestoreRequest,
    small: SmallBuckets,
    compacted: i64,
    /// The revision asked for; none for the newest.
    asked: Option<i64>,
    /// The reasons against it.
    reasons: Vec<Refusal>,
}

impl<'q, 'a> Decision<'q, 'a> {
    fn store(&self) -> &'q Store<'a> {
        self.question.store()
    }

    /// Surveys the records. Returns the revision, the survey, and the transactions that are left out.
    ///
    /// The first survey is made at a guess: it shows the newest revision and the transactions known only in part. If
    /// the guess was wrong, or such transactions are left out, a second survey counts without them.
    fn survey(&self) -> (i64, Survey<'a>, BTreeSet<i64>) {
        let none = BTreeSet::new();
        let guess = self
            .asked
            .unwrap_or_else(|| self.store().current_revision());
        let survey = self.survey_at(guess, &none);
        let at = self
            .asked
            .unwrap_or_else(|| survey.newest.max(self.compacted).max(1));
        let cut: BTreeSet<i64> = match self.request.allow_loss {
            true => survey.partial_transactions(),
            false => BTreeSet::new(),
        };
        // Before the compaction a part of a transaction is normal: the other records were compacted.
        let floor = self.compacted.min(at);
        let cut: BTreeSet<i64> = cut
            .into_iter()
            .filter(|main| *main > floor && *main <= at)
            .collect();
        if at == guess && cut.is_empty() {
            return (at, survey, cut);
        }
        let lost = survey.lost;
        let mut survey = self.survey_at(at, &cut);
        // The first survey has the lost ranges of the source. In the second one, what was cut off would be a further
        // gap.
        survey.lost = lost;
        (at, survey, cut)
    }

    /// Surveys the records as of a main revision, without the transactions `cut`.
    fn survey_at(&self, at: i64, cut: &BTreeSet<i64>) -> Survey<'a> {
        let covers = |key: &[u8]| self.request.covers(key);
        let request = SurveyRequest {
            at,
            compacted: self.compacted.min(at),
            numbers_from: match at < self.compacted {
                true => 1,
                false => self.compacted,
            },
            uses_salvaged: self.request.carve,
            covers: &covers,
            cut,
            prefix: KUBERNETES,
        };
        Survey::read(self.store(), &request)
    }

    /// Collects all reasons against a restore. Whether a flag overrules them is decided in [`Self::refuse`].
    fn judge(
        &mut self,
        at: i64,
        survey: &Survey<'_>,
        knows_compaction: bool,
        time: Option<&TimeAsked>,
    ) {
        if let Some(refusal) = self.revision_fault(at, survey) {
            self.reasons.push(refusal);
        }
        if let Some(time) = time {
            self.judge_time(time);
        }
        let leads_to_none = survey.oldest_record.is_none_or(|oldest| oldest > at);
        if leads_to_none && survey.unused > 0 {
            self.reasons.push(Refusal::Unreached(survey.unused));
        } else if self.request.selects_keys() && survey.keys.is_empty() {
            self.reasons.push(Refusal::NoKeys);
        }
        self.judge_log();
        self.judge_buckets(knows_compaction);
        if !self.is_log_alone() {
            self.judge_file();
        }
        // Before the compaction there is a reason already, and records are always missing.
        let lost = survey.lost_up_to(at).filter(|_| at >= self.compacted);
        let ranges: Vec<_> = lost.copied().collect();
        if let Some(first) = ranges.iter().map(|range| range.from.main).min() {
            self.reasons.push(match first <= self.compacted {
                true => Refusal::LostBelowCompaction {
                    compacted: self.compacted,
                    elsewhere: survey.unused,
                },
                false => Refusal::Lost {
                    at,
                    ranges,
                    elsewhere: survey.unused,
                },
            });
        }
        self.judge_damage(at, survey);
    }

    /// Why the revision cannot be restored, even if no record is lost: it was never written, or is compacted.
    fn revision_fault(&self, at: i64, survey: &Survey<'_>) -> Option<Refusal> {
        let current = survey.newest.max(self.compacted).max(1);
        let in_jump = survey
            .jumps
            .iter()
            .find(|jump| (jump.0..=jump.1).contains(&at));
        if let Some(jump) = in_jump {
            return Some(Refusal::InJump {
                asked: at,
                jump: *jump,
            });
        }
        if at > current {
            return Some(Refusal::Future { asked: at, current });
        }
        (at < self.compacted).then_some(Refusal::Compacted {
            asked: at,
            compacted: self.compacted,
        })
    }

    /// Adds a reason if several revisions fit the time, and a key was created or deleted between them. If only values
    /// were changed between them, the most likely revision is used.
    fn judge_time(&mut self, time: &TimeAsked) {
        let oldest = time.at.certain.unwrap_or_default();
        let newest = time.at.possible;
        let mut keys: BTreeSet<Vec<u8>> = BTreeSet::new();
        for record in self.store().records(Direction::Forward) {
            let is_between = record.revision.main > oldest && record.revision.main <= newest;
            let changes_keys = record.tombstone || record.version == 1;
            if is_between && changes_keys && self.request.covers(record.key) {
                keys.insert(record.key.to_vec());
            }
        }
        if !keys.is_empty() {
            self.reasons.push(Refusal::SeveralRevisions {
                revisions: (oldest.max(1), newest),
                count: keys.len(),
                keys: keys.into_iter().take(NAMED).collect(),
            });
        }
    }

    /// The result of the replay of the write-ahead log, if it is read.
    fn log(&self) -> Option<&'a Replayed> {
        self.question.evidence().replayed()
    }

    /// The same, if its requests were applied.
    fn applied_log(&self) -> Option<&'a Replayed> {
        self.log().filter(|log| log.is_applied())
    }

    /// Whether all records come from the write-ahead log, and the database is not used.
    fn is_log_alone(&self) -> bool {
        self.log().is_some_and(|log| log.alone.is_some())
    }

    /// Adds the fault of the write-ahead log as a reason. A log that ends early is no reason against a revision that
    /// it reaches.
    fn judge_log(&mut self) {
        let Some(log) = self.log() else {
            self.judge_log_beside();
            return;
        };
        let reaches = self.asked.is_some_and(|at| at <= log.revision);
        if let Some(fault) = log
            .fault
            .filter(|fault| !reaches || fault.is_about_database())
            .filter(|fault| !self.asked.is_some_and(|at| fault.is_after(at)))
        {
            self.reasons.push(Refusal::Log {
                fault,
                until: log.until,
                revision: log.revision,
            });
        }
    }

    /// Adds a reason if the database contradicts the log of its data directory, although the log is not used: the member
    /// skipped entries, so its later revisions are not those of the cluster.
    fn judge_log_beside(&mut self) {
        let Some(logs) = log_of(self.question.evidence()) else {
            return;
        };
        let contradictions = LogContradictions::of_directory(&logs, self.store());
        let Some((index, main)) = contradictions.first() else {
            return;
        };
        let fault = LogFault::Skipped { index, main };
        if !self.asked.is_some_and(|at| fault.is_after(at)) {
            self.reasons.push(Refusal::Log {
                fault,
                until: index,
                revision: main,
            });
        }
    }

    /// Judges the small buckets: the compacted revision, authentication and CORRUPT alarms.
    fn judge_buckets(&mut self, knows_compaction: bool) {
        if !knows_compaction {
            self.reasons.push(Refusal::Meta);
        }
        let is_on = match self.small.authentication {
            Authentication::Off | Authentication::On => None,
            Authentication::OnDamaged => Some(true),
            Authentication::Unknown => Some(false),
        };
        let may_switch_off = self.request.auth_off && self.request.allow_loss;
        if let Some(is_on) = is_on.filter(|_| !may_switch_off) {
            self.reasons.push(Refusal::Auth { is_on });
        }
        let is_corrupt = match self.applied_log() {
            Some(log) => log.has_corrupt_alarm,
            None => self.small.alarms.iter().any(|alarm| alarm.alarm == 2),
        };
        if is_corrupt && !self.request.drop_corrupt_alarm {
            self.reasons.push(Refusal::CorruptAlarm);
        }
    }

    /// Judges the file as a whole: its trailer, its meta pages, and whether it is a copy taken while etcd was writing.
    fn judge_file(&mut self) {
        let evidence = self.question.evidence();
        let db = self.store().db();
        let diagnostics = db.diagnostics();
        let is_wrong = matches!(evidence.trailer(), Some(TrailerCheck::Bad { .. }))
            || diagnostics.count(Code::TrailerMismatch) > 0;
        if is_wrong && !self.request.skip_hash_check {
            self.reasons.push(Refusal::Trailer);
        }
        report_out_of_order(db);
        if matches!(torn(evidence), Some(Torn::TwoStates | Torn::OutOfOrder)) {
            self.reasons.push(Refusal::Torn);
        }
        let is_searched = [
            Code::RootSearched,
            Code::BucketMissing,
            Code::RootNotBuckets,
        ]
        .iter()
        .any(|code| diagnostics.count(*code) > 0);
        let (index, choice) = db.choice();
        let is_older = matches!(
            choice,
            MetaChoice::OnlyValid | MetaChoice::OnlyUsable | MetaChoice::Neither
        );
        // The states of both meta pages have the same records up to a revision that was asked for and that both reach.
        let is_accepted = self.request.meta_is_chosen || self.asked.is_some();
        if is_searched || choice == MetaChoice::Neither || (is_older && !is_accepted) {
            let index = index.filter(|_| !is_searched);
            self.reasons.push(Refusal::OlderMeta { index });
        }
    }

    /// If there is no other reason: adds one for a finding that may mean altered records, and that no other check
    /// covers.
    fn judge_damage(&mut self, at: i64, survey: &Survey<'_>) {
        if !self.reasons.is_empty() {
            return;
        }
        let unexplained = [
            Code::ReadError,
            Code::ArchiveDamaged,
            Code::FileChanged,
            Code::RecordContradiction,
            Code::FormerNewer,
            Code::RecordsUnreached,
            Code::DeltaChecksum,
            Code::DeltaEvent,
            Code::DeltaGap,
            Code::MetaInitial,
        ];
        self.question.evidence().collect_read_errors();
        let diagnostics = self.store().db().diagnostics();
        let found = diagnostics.by_code().into_iter();
        let found = found.filter(|(code, ..)| unexplained.contains(code));
        // A finding about a later revision does not matter. If not all findings of a code are kept, any of them may
        // matter.
        let is_later = |finding: &Damage| {
            let revision = finding.locus.revision;
            revision.is_some_and(|(main, _)| main > at)
        };
        let mut relevant = found
            .filter(|(_, count, kept)| *count > kept.len() as u64 || !kept.iter().all(is_later));
        let found = relevant.next().map(|(code, ..)| code);
        let altered = (survey.altered_up_to > 0).then_some(Code::RecordMismatch);
        self.reasons.extend(found.or(altered).map(Refusal::Damage));
    }

    /// Refuses, if any reason is not overruled by a flag. The refusal has all reasons, and the newest complete
    /// revision if `--at` with it would be accepted.
    fn refuse(&self, survey: &Survey<'_>) -> Result<(), RestoreError> {
        let is_overruled = |reason: &Refusal| {
            let can_carve = self.request.allow_loss && self.request.carve;
            (self.request.allow_loss && reason.is_loss())
                || (can_carve && matches!(reason, Refusal::Compacted { .. }))
        };
        if self.reasons.iter().all(is_overruled) {
            return Ok(());
        }
        let mut reasons: Vec<Refusal> = self.reasons.clone();
        // Reasons that the flags do not overrule come first: false is before true.
        reasons.arrange_by_key(is_overruled);
        // An earlier revision helps only against these reasons.
        let is_offered = self.reasons.iter().all(|reason| {
            matches!(
                reason,
                Refusal::Lost { .. }
                    | Refusal::Future { .. }
                    | Refusal::OlderMeta { index: Some(_) }
                    | Refusal::Log {
                        fault: LogFault::Stopped(_)
                            | LogFault::EndsBefore(_)
                            | LogFault::Skipped { .. },
                        ..
                    }
            )
        });
        let complete = self.newest_complete(survey).filter(|_| is_offered);
        Err(RestoreError::Refused(Box::new(Refused {
            details: RefusalDetails {
                complete,
                after: complete.map_or_else(RecordsAfter::default, |complete| RecordsAfter {
                    revisions: survey.newest.saturating_sub(complete).max(0),
                    readable: self.readable_after(complete),
                }),
                newest: survey.newest,
                compacted: self.compacted,
            },
            reasons,
        })))
    }

    /// The newest main revision with a complete state that is also the state of the cluster.
    fn newest_complete(&self, survey: &Survey<'_>) -> Option<i64> {
        let complete = survey.newest_complete(self.compacted)?;
        let before_skipped = self.reasons.iter().filter_map(|reason| match reason {
            Refusal::Log {
                fault: LogFault::Skipped { main, .. },
                ..
            } => Some(main.saturating_sub(1)),
            _ => None,
        });
        let complete = before_skipped
            .min()
            .map_or(complete, |main| main.min(complete));
        (complete >= self.compacted.max(1)).then_some(complete)
    }

    /// How many records after a main revision can be read and would be used.
    fn readable_after(&self, main: i64) -> u64 {
        let mut count = 0_u64;
        for_each_record(self.store(), |record, stored| {
            let carve = self.request.carve;
            let is_after = record.revision.main > main;
            if is_after
                && Use::decide(self.store(), record, stored, carve, self.compacted) == Use::Used
            {
                count = count.saturating_add(1);
            }
        });
        count
    }

    /// The leases that keys name, and that do not exist at the revision.
    fn missing_leases(&self, survey: &Survey<'_>) -> Vec<LeaseWritten> {
        let present: HashSet<i64> = match self.applied_log() {
            Some(log) => log.leases.keys().copied().collect(),
            None => self.small.leases.iter().copied().collect(),
        };
        let none = BTreeMap::new();
        let granted = self.log().map_or(&none, |log| &log.granted);
        let mut missing = leases::missing(&survey.keys, &present, granted, self.request.lease_ttl);
        let is_guessed = |lease: &LeaseWritten| lease.source == TtlSource::Flag;
        if self.request.carve && missing.iter().any(is_guessed) {
            let freed = freed_leases(self.store().state());
            for lease in missing.iter_mut().filter(|lease| is_guessed(lease)) {
                if let Some(ttl) = freed.get(&lease.id) {
                    (lease.ttl, lease.source) = (*ttl, TtlSource::FreedPage);
                }
            }
        }
        missing
    }

    /// Determines everything else that follows from the revision: the records, the leases, and what is left out.
    fn finish(
        self,
        at: i64,
        mut survey: Survey<'a>,
        cut: BTreeSet<i64>,
        time: Option<TimeAsked>,
    ) -> Restore<'q, 'a> {
        let judged = at;
        // Revisions after the newest record are lost, so the new store ends with that record.
        let at = at.min(survey.newest_record.max(self.compacted).max(1));
        let is_below = at < self.compacted;
        let writes_state = self.request.history == History::None || is_below;
        let kept = writes_state.then(|| state_records(&survey));
        let log = self.applied_log();
        // Clients have also seen the revisions of a database that is not used.
        let unused = log.map_or(0, |log| log.unused_revision);
        let leases = self.missing_leases(&survey);
        let dropped = self.dropped(&survey, at, writes_state);
        let added = match kept {
            Some(_) => Vec::new(),
            None => tombstones(&survey),
        };
        let live_keys = survey.keys.live_keys();
        // The keys take most of the memory, and are not needed any more.
        survey.keys = SurveyedKeys::default();
        Restore {
            question: self.question,
            at,
            judged,
            newest: survey.newest.max(self.compacted).max(unused).max(1),
            compacted: self.compacted,
            new_compacted: match writes_state {
                true => at,
                false => self.compacted,
            },
            time,
            live_keys,
            dropped,
            survey,
            accepted: self.reasons,
            leases,
            damaged_buckets: self.small.damaged,
            authentication: self.small.authentication,
            cut,
            kept,
            added,
            log,
            request: self.request,
        }
    }
}

impl Decision<'_, '_> {
    /// What is left out of the new store besides records.
    fn dropped(&self, survey: &Survey<'_>, at: i64, writes_state: bool) -> Dropped {
        // 1 is NOSPACE, 2 is CORRUPT (etcdserverpb.AlarmType).
        let members_with = |kind: i32| {
            let alarms = self.small.alarms.iter();
            let alarms = alarms.filter(move |alarm| alarm.alarm == kind);
            alarms.map(|alarm| alarm.member_id).collect()
        };
        let has_record_at = survey.keys.has_newest_of(at);
        Dropped {
            no_space: members_with(1),
            corrupt: members_with(2),
            downgrade: self.small.has_downgrade,
            storage_version: writes_state && !has_record_at,
            buckets: unwritable_buckets(self.store()),
            authentication: matches!(
                self.small.authentication,
                Authentication::OnDamaged | Authentication::Unknown
            ),
        }
    }
}

/// The revisions of the records of the state alone: the newest put of each key that exists, and the deletions at
/// exactly the revision, which etcd 3.6 keeps in a compaction too. Ascending.
fn state_records(survey: &Survey<'_>) -> Vec<Revision> {
    let mut revisions = survey.keys.live_revisions();
    revisions.extend(&survey.deletions_at);
    revisions.sort_unstable();
    revisions
}

/// The tombstones that are written in place of lost ones, in the order of revisions.
fn tombstones(survey: &Survey<'_>) -> Vec<StoredPair> {
    let pairs = survey.missing.iter().filter_map(|missing| {
        let revision = missing.tombstone?;
        Some(StoredPair::tombstone(revision, &missing.key))
    });
    let mut pairs: Vec<StoredPair> = pairs.collect();
    pairs.sort_by_key(|pair| pair.revision);
    pairs.dedup_by_key(|pair| pair.revision);
    pairs
}

/// A compacted revision for a source in which it cannot be read: the first main revision after the last gap in the
/// numbers. Up to a compaction gaps are normal. Above it a gap is a lost record.
fn compaction_by_numbers(store: &Store<'_>, request: &RestoreRequest) -> i64 {
    let covers = |_: &[u8]| false;
    let cut = BTreeSet::new();
    let survey = Survey::read(
        store,
        &SurveyRequest {
            at: 0,
            compacted: 0,
            numbers_from: 0,
            uses_salvaged: request.carve,
            covers: &covers,
            cut: &cut,
            prefix: KUBERNETES,
        },
    );
    let ends = survey.lost.iter().filter_map(|lost| lost.until);
    ends.map(|until| until.main).max().unwrap_or_default()
}

/// The revision that was asked for, none for the newest, and the time that was asked for. If a log was applied, the
/// replay has already determined both.
fn asked(
    question: &Question<'_>,
    request: &RestoreRequest,
    compacted: i64,
) -> Result<(Option<i64>, Option<TimeAsked>), NoAnswer> {
    let log = question.evidence().replayed();
    if let Some(asked) = log.filter(|log| log.is_applied()).and_then(|log| log.asked) {
        return Ok((Some(asked.revision), asked.time));
    }
    if let Some(text) = &request.at_time {
        let time = TimeAsked::read(question.timeline(), text)?;
        return Ok((Some(time.at.revision), Some(time)));
    }
    let at = request.at;
    let revision = at.map(|at| asked_revision(question, at, compacted));
    Ok((revision.transpose()?, None))
}

/// The main revision that an expression means. Whether it can be restored is decided later.
fn asked_revision(
    question: &Question<'_>,
    at: RevisionExpr,
    compacted: i64,
) -> Result<i64, NoAnswer> {
    let store = question.store();
    match at {
        RevisionExpr::Main(main) => Ok(main),
        RevisionExpr::Head(back) => {
            let newest = store.current_revision().max(compacted);
            Ok(newest.saturating_sub(back).max(1))
        }
        other => resolve(other, question, &Which::default()).map(|at| at.0),
    }
}

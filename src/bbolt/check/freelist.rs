//! Compares the freelist with the pages that the trees use.

use std::ops::Range;

use crate::diag::{Code, Diagnostic, Locus};
use crate::plural::counted;

use super::super::db::Db;
use super::super::freelist::Freelist;
use super::super::page::Pgid;
use super::super::page_set::PageSet;
use super::super::page_use::PageUse;

/// Checks the stored freelist, and reports pages that are neither in a tree nor in the list.
pub(super) fn check(db: &Db<'_>, page_use: &PageUse<'_>) {
    let freelist = match Freelist::read(&db.pages(), Pgid(db.meta().freelist)) {
        Ok(freelist) => freelist,
        Err(finding) => return db.diagnostics().report(finding),
    };
    let first = freelist.page.pgid.0;
    let further = u64::from(freelist.page.overflow);
    let own = first..first.saturating_add(further).saturating_add(1);
    if freelist.is_cut() {
        report_cut(db, &freelist);
    }
    check_own_pages(db, page_use, &freelist, &own);
    let listed = check_ids(db, page_use, &freelist);
    if !freelist.is_cut() {
        let is_known =
            |pgid| page_use.is_in_tree(pgid) || listed.contains(pgid) || own.contains(&pgid);
        for_each_run(
            page_use.page_count(),
            |pgid| !is_known(pgid),
            |run| report_leaked(db, &run),
        );
    }
}

fn report_cut(db: &Db<'_>, freelist: &Freelist<'_>) {
    let room = freelist.len();
    db.diagnostics().report(
        Diagnostic::new(Code::FreelistInvalid, freelist.page.locus())
            .expected(
                format!("at most {room} ids in its pages"),
                freelist.stated_count.to_string(),
            )
            .effect("the missing free pages are not known; the list has no records"),
    );
}

/// Checks that the pages of the list itself are below the high-water mark and in no tree.
fn check_own_pages(db: &Db<'_>, page_use: &PageUse<'_>, freelist: &Freelist<'_>, own: &Range<u64>) {
    let end = page_use.page_count();
    let shared = (own.start..own.end.min(end)).find(|pgid| page_use.is_in_tree(*pgid));
    let found = match shared {
        Some(pgid) => format!("its page {pgid} in a tree too"),
        None if own.end > end => {
            let pages = own.end.saturating_sub(own.start);
            format!(
                "{} up to {}",
                counted(pages, "page", "pages"),
                own.end.saturating_sub(1)
            )
        }
        None => return,
    };
    db.diagnostics().report(
        Diagnostic::new(Code::FreelistInvalid, freelist.page.locus())
            .expected(format!("pages of its own below {end}"), found)
            .effect("its ids cannot be trusted; the list has no records"),
    );
}

/// Checks that the listed ids ascend, are inside the file and in no tree. Returns the ids inside the file.
fn check_ids(db: &Db<'_>, page_use: &PageUse<'_>, freelist: &Freelist<'_>) -> PageSet {
    let (end, high_water_mark) = (page_use.page_count(), db.meta().high_water_mark);
    let mut listed = PageSet::default();
    let mut previous = 1_u64;
    for (index, id) in freelist.ids().enumerate() {
        let locus = || Locus {
            offset: Some(freelist.offset_of(index)),
            ..freelist.page.locus().element(index)
        };
        if id.0 <= previous || id.0 >= high_water_mark {
            let (least, most) = (
                previous.saturating_add(1),
                high_water_mark.saturating_sub(1),
            );
            db.diagnostics().report(
                Diagnostic::new(Code::FreelistId, locus())
                    .expected(format!("ids that ascend, from {least} to {most}"), id.to_string())
                    .effect("a server that trusts the list would use a page twice or outside the file; no record is affected"),
            );
        } else {
            previous = id.0;
        }
        if id.0 >= end {
            continue;
        }
        listed.insert(id.0);
        if page_use.is_in_tree(id.0) {
            db.diagnostics().report(
                Diagnostic::new(Code::FreelistInUse, locus())
                    .found(format!("page {id}, which a tree uses"))
                    .effect("a server that trusts the list overwrites this page; here it is read"),
            );
        }
    }
    listed
}

fn report_leaked(db: &Db<'_>, run: &Range<u64>) {
    let (first, count) = (run.start, run.end.saturating_sub(run.start));
    let locus = Locus::page(first, db.pages().offset_of(Pgid(first)));
    db.diagnostics().report(
        Diagnostic::new(Code::PageLeaked, locus)
            .found(format!(
                "{} from here on that no tree uses and the freelist does not list",
                counted(count, "page", "pages")
            ))
            .effect(
                "wasted space, or pages that a tree lost: a scan of the pages shows their records",
            ),
    );
}

/// Calls `visit` with each run of pages, after the metas, for which `is_meant` holds.
fn for_each_run(end: u64, is_meant: impl Fn(u64) -> bool, mut visit: impl FnMut(Range<u64>)) {
    let mut start = None;
    for pgid in 2..end {
        match (is_meant(pgid), start) {
            (true, None) => start = Some(pgid),
            (false, Some(first)) => {
                visit(first..pgid);
                start = None;
            }
            _ => {}
        }
    }
    if let Some(first) = start {
        visit(first..end);
    }
}

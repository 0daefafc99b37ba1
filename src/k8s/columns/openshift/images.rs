//! Images and image streams.

use crate::arrange::Arrange as _;

use std::cmp::Reverse;

use serde_json::Value;

use super::super::fields::{list, name, text};
use super::super::times::Instant;
use super::{Builtin, Column, ago};

/// The tables of image.openshift.io.
pub(super) fn table(kind: &str) -> Option<&'static Builtin> {
    match kind {
        "Image" => Some(&IMAGE),
        "ImageStream" => Some(&IMAGE_STREAM),
        _ => None,
    }
}

static IMAGE: Builtin = Builtin {
    columns: &[Column::new("Name"), Column::new("Image Reference")],
    cells: |object, _| {
        vec![
            name(object),
            text(object, "dockerImageReference").to_owned(),
        ]
    },
};

static IMAGE_STREAM: Builtin = Builtin {
    columns: &[
        Column::new("Name"),
        Column::new("Image Repository"),
        Column::new("Tags"),
        Column::new("Updated"),
    ],
    cells: |object, clock| {
        let repositories = [
            "status.publicDockerImageRepository",
            "spec.dockerImageRepository",
            "status.dockerImageRepository",
        ];
        let mut repositories = repositories.into_iter().map(|path| text(object, path));
        let repository = repositories.find(|text| !text.is_empty());
        let tags = list(object, "status.tags");
        let newest = tags.iter().filter_map(created).max_by_key(|(at, _)| *at);
        vec![
            name(object),
            repository.unwrap_or_default().to_owned(),
            tags_within(tags),
            ago(newest.map(|(_, text)| text), clock),
        ]
    },
};

/// When the newest image of a tag was pushed or imported.
fn created(tag: &Value) -> Option<(Instant, &str)> {
    let created = text(list(tag, "items").first()?, "created");
    Some((Instant::parse(created)?, created))
}

/// The tags of a stream, the newest first: as many as fit into 40 characters, or a few more to fill them better.
fn tags_within(tags: &[Value]) -> String {
    const WIDTH: i64 = 40;
    const MARGIN: i64 = WIDTH / 4;
    let mut sorted: Vec<(&str, Option<Instant>)> = tags
        .iter()
        .map(|tag| (text(tag, "tag"), created(tag).map(|(at, _)| at.rounded())))
        .collect();
    sorted.arrange_by(|a, b| Reverse(a.1).cmp(&Reverse(b.1)).then_with(|| a.0.cmp(b.0)));
    let mut remaining = WIDTH;
    let mut shown = sorted.len();
    for (index, (tag, _)) in sorted.iter().enumerate() {
        let length = i64::try_from(tag.len()).unwrap_or(WIDTH);
        remaining = remaining.saturating_sub(length).saturating_sub(1);
        let fills_better = MARGIN < remaining.saturating_add(length) && MARGIN >= -remaining;
        if remaining >= 0 || (index > 0 && fills_better) {
            continue;
        }
        shown = index.max(1);
        break;
    }
    let names: Vec<&str> = sorted.iter().take(shown).map(|(tag, _)| *tag).collect();
    match sorted.len().saturating_sub(shown) {
        0 => names.join(","),
        hidden => format!("{} + {hidden} more...", names.join(",")),
    }
}

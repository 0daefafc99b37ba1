//! Clients of OpenShift's OAuth server, and their tokens.

use serde_json::Value;

use super::super::fields::{flag, given_int, given_text, int, name, object_age, text, texts};
use super::super::times::Instant;
use super::{Builtin, Column, joined};
use crate::k8s::special::write_duration;

/// The tables of oauth.openshift.io.
pub(super) fn table(kind: &str) -> Option<&'static Builtin> {
    match kind {
        "OAuthClient" => Some(&CLIENT),
        "OAuthClientAuthorization" => Some(&AUTHORIZATION),
        "OAuthAccessToken" | "OAuthAuthorizeToken" => Some(&TOKEN),
        _ => None,
    }
}

static CLIENT: Builtin = Builtin {
    columns: &[
        Column::new("Name"),
        Column::new("Secret"),
        Column::new("WWW-Challenge"),
        Column::new("Token-Max-Age"),
        Column::new("Redirect URIs"),
    ],
    cells: |object, _| {
        let max_age = match given_int(object, "accessTokenMaxAgeSeconds") {
            None => "default".to_owned(),
            Some(0) => "unexpiring".to_owned(),
            Some(seconds) => {
                let mut text = String::new();
                write_duration(seconds.saturating_mul(1_000_000_000), &mut text);
                text
            }
        };
        vec![
            name(object),
            text(object, "secret").to_owned(),
            flag(object, "respondWithChallenges").to_string(),
            max_age,
            joined(&texts(object, "redirectURIs"), ","),
        ]
    },
};

static AUTHORIZATION: Builtin = Builtin {
    columns: &[
        Column::new("Name"),
        Column::new("User Name"),
        Column::new("Client Name"),
        Column::new("Scopes"),
    ],
    cells: |object, _| {
        vec![
            name(object),
            text(object, "userName").to_owned(),
            text(object, "clientName").to_owned(),
            joined(&texts(object, "scopes"), ","),
        ]
    },
};

static TOKEN: Builtin = Builtin {
    columns: &[
        Column::new("Name"),
        Column::new("User Name"),
        Column::new("Client Name"),
        Column::new("Created"),
        Column::new("Expires"),
        Column::new("Redirect URI"),
        Column::new("Scopes"),
    ],
    cells: |object, clock| {
        vec![
            name(object),
            text(object, "userName").to_owned(),
            text(object, "clientName").to_owned(),
            object_age(object, clock),
            expires(object),
            text(object, "redirectURI").to_owned(),
            joined(&texts(object, "scopes"), ","),
        ]
    },
};

/// When a token expires, as Go prints a time of a server in UTC.
fn expires(token: &Value) -> String {
    let seconds = int(token, "expiresIn");
    if seconds <= 0 {
        return "never".to_owned();
    }
    let created = given_text(token, "metadata.creationTimestamp").and_then(Instant::parse);
    let created = created.unwrap_or(Instant::ZERO);
    created.later(seconds).go_text()
}

//! Who may do what: users, groups, identities, roles, security context constraints, quotas.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::super::fields::{flag, given, given_int, list, map, name, text, texts};
use super::super::labels::{format_labels, format_selector, format_selector_of};
use super::{Builtin, Column, first_of, joined};

/// The tables of authorization, quota, security and user.openshift.io.
pub(super) fn table(kind: &str) -> Option<&'static Builtin> {
    match kind {
        "ClusterRole" | "Role" => Some(&ROLE),
        "ClusterRoleBinding" | "RoleBinding" => Some(&BINDING),
        "RoleBindingRestriction" => Some(&RESTRICTION),
        "ClusterResourceQuota" => Some(&QUOTA),
        "RangeAllocation" => Some(&RANGE),
        "SecurityContextConstraints" => Some(&CONSTRAINTS),
        "User" => Some(&USER),
        "Group" => Some(&GROUP),
        "Identity" => Some(&IDENTITY),
        "UserIdentityMapping" => Some(&MAPPING),
        _ => None,
    }
}

static ROLE: Builtin = Builtin {
    columns: &[Column::new("Name")],
    cells: |object, _| vec![name(object)],
};

static BINDING: Builtin = Builtin {
    columns: &[
        Column::new("Name"),
        Column::new("Role"),
        Column::new("Users"),
        Column::new("Groups"),
        Column::new("Service Accounts"),
        // The server has this name twice.
        Column::new("Users"),
    ],
    cells: |object, _| {
        let role = (
            text(object, "roleRef.namespace"),
            text(object, "roleRef.name"),
        );
        let mut subjects: [Vec<String>; 4] = Default::default();
        let [users, groups, accounts, others] = &mut subjects;
        let own_namespace = text(object, "metadata.namespace");
        for subject in list(object, "subjects") {
            let (kind, of) = (text(subject, "kind"), text(subject, "namespace"));
            let called = text(subject, "name");
            match kind {
                "ServiceAccount" if of.is_empty() || of == own_namespace => {
                    accounts.push(called.to_owned());
                }
                "ServiceAccount" => accounts.push(format!("{of}/{called}")),
                "User" | "SystemUser" => users.push(called.to_owned()),
                "Group" | "SystemGroup" => groups.push(called.to_owned()),
                _ => others.push(format!("{kind}/{of}/{called}")),
            }
        }
        vec![
            name(object),
            format!("{}/{}", role.0, role.1),
            first_five(users),
            first_five(groups),
            accounts.join(", "),
            others.join(", "),
        ]
    },
};

fn first_five(texts: &[String]) -> String {
    const SHOWN: usize = 5;
    match first_of(texts, SHOWN) {
        Some((first, more)) => format!("{first} ({more} more)"),
        None => texts.join(", "),
    }
}

static RESTRICTION: Builtin = Builtin {
    columns: &[
        Column::new("Name"),
        Column::new("Subject Type"),
        Column::new("Subjects"),
    ],
    cells: |object, _| {
        let (kind, subjects) = restricted(object);
        vec![name(object), kind.to_owned(), first_three(&subjects)]
    },
};

/// Whom a restriction is about.
fn restricted(restriction: &Value) -> (&'static str, Vec<String>) {
    let owned = |texts: Vec<&str>| texts.into_iter().map(str::to_owned).collect::<Vec<_>>();
    let selectors = |of: &Value| list(of, "labels").iter().map(format_selector_of).collect();
    if let Some(users) = given(restriction, "spec.userrestriction") {
        let groups = texts(users, "groups").into_iter();
        let groups = groups.map(|group| format!("group({group})")).collect();
        let all = [owned(texts(users, "users")), groups, selectors(users)];
        return ("User", all.concat());
    }
    if let Some(groups) = given(restriction, "spec.grouprestriction") {
        let all = [owned(texts(groups, "groups")), selectors(groups)];
        return ("Group", all.concat());
    }
    let Some(accounts) = given(restriction, "spec.serviceaccountrestriction") else {
        return ("<unknown>", Vec::new());
    };
    let named = list(accounts, "serviceaccounts").iter();
    let named = named.map(|one| format!("{}/{}", text(one, "namespace"), text(one, "name")));
    let namespaces = texts(accounts, "namespaces").into_iter();
    let all = namespaces.map(|namespace| format!("{namespace}/*"));
    ("ServiceAccount", named.chain(all).collect())
}

fn first_three(subjects: &[String]) -> String {
    const SHOWN: usize = 3;
    match first_of(subjects, SHOWN) {
        Some((first, more)) => format!("{first} + {more} more..."),
        None if subjects.is_empty() => "<none>".to_owned(),
        None => subjects.join(", "),
    }
}

static QUOTA: Builtin = Builtin {
    columns: &[
        Column::new("Name"),
        Column::new("Labels Selector"),
        Column::new("Annotations Selector"),
    ],
    cells: |object, _| {
        vec![
            name(object),
            format_selector(object, "spec.selector.labels"),
            format_labels(map(object, "spec.selector.annotations")),
        ]
    },
};

static RANGE: Builtin = Builtin {
    columns: &[
        Column::new("Name"),
        Column::new("Range"),
        Column::new("Data"),
    ],
    cells: |object, _| {
        let data = STANDARD.decode(text(object, "data")).unwrap_or_default();
        let hex: String = data.iter().map(|byte| format!("{byte:02x}")).collect();
        vec![
            name(object),
            text(object, "range").to_owned(),
            format!("0x{hex}"),
        ]
    },
};

static CONSTRAINTS: Builtin = Builtin {
    columns: &[
        Column::new("Name"),
        Column::new("Privileged"),
        Column::new("Capabilities"),
        Column::new("SELinux"),
        Column::new("RunAsUser"),
        Column::new("FSGroup"),
        Column::new("SupplementalGroups"),
        Column::new("Priority"),
        Column::new("ReadOnlyFS"),
        Column::new("Volumes"),
    ],
    cells: |object, _| {
        let priority = given_int(object, "priority");
        vec![
            name(object),
            flag(object, "allowPrivilegedContainer").to_string(),
            joined(&texts(object, "allowedCapabilities"), ","),
            text(object, "seLinuxContext.type").to_owned(),
            text(object, "runAsUser.type").to_owned(),
            text(object, "fsGroup.type").to_owned(),
            text(object, "supplementalGroups.type").to_owned(),
            priority.map_or_else(|| "<none>".to_owned(), |priority| priority.to_string()),
            flag(object, "readOnlyRootFilesystem").to_string(),
            joined(&texts(object, "volumes"), ","),
        ]
    },
};

static USER: Builtin = Builtin {
    columns: &[
        Column::new("Name"),
        Column::new("UID"),
        Column::new("Full Name"),
        Column::new("Identities"),
    ],
    cells: |object, _| {
        vec![
            name(object),
            text(object, "metadata.uid").to_owned(),
            text(object, "fullName").to_owned(),
            joined(&texts(object, "identities"), ", "),
        ]
    },
};

static GROUP: Builtin = Builtin {
    columns: &[Column::new("Name"), Column::new("Users")],
    cells: |object, _| vec![name(object), joined(&texts(object, "users"), ", ")],
};

static IDENTITY: Builtin = Builtin {
    columns: &[
        Column::new("Name"),
        Column::new("IDP Name"),
        Column::new("IDP User Name"),
        Column::new("User Name"),
        Column::new("User UID"),
    ],
    cells: |object, _| {
        let fields = ["providerName", "providerUserName", "user.name", "user.uid"];
        let cells = fields.map(|field| text(object, field).to_owned());
        [vec![name(object)], cells.to_vec()].concat()
    },
};

static MAPPING: Builtin = Builtin {
    columns: &[
        Column::new("Name"),
        Column::new("Identity"),
        Column::new("User Name"),
        Column::new("User UID"),
    ],
    cells: |object, _| {
        let fields = ["identity.name", "user.name", "user.uid"];
        let cells = fields.map(|field| text(object, field).to_owned());
        [vec![name(object)], cells.to_vec()].concat()
    },
};

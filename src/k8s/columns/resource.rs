//! The tables of dynamic resource allocation (resource.k8s.io).

use serde_json::Value;

use super::fields::{
    digits, given, given_int, given_text, holds, int, is_deleted, list, name, object_age, text,
};
use super::times::age;
use super::{Builtin, Clock, Column, others};

/// The tables of resource.k8s.io.
pub(super) fn table(kind: &str) -> Option<&'static Builtin> {
    match kind {
        "DeviceTaintRule" => Some(&DEVICE_TAINT_RULE),
        "DeviceClass" | "ResourceClaimTemplate" => Some(&others::NAME_AND_AGE),
        "PodSchedulingContext" => Some(&POD_SCHEDULING_CONTEXT),
        "ResourceClaim" => Some(&RESOURCE_CLAIM),
        // In releases 1.26 to 1.30.
        "ResourceClass" => Some(&super::storage::DRIVER_NAME_AND_AGE),
        "ResourcePoolStatusRequest" => Some(&RESOURCE_POOL_STATUS_REQUEST),
        "ResourceSlice" => Some(&RESOURCE_SLICE),
        _ => None,
    }
}

static RESOURCE_CLAIM: Builtin = Builtin {
    columns: &[
        Column::new("Name"),
        Column::new("State"),
        Column::new("Age"),
    ],
    cells: |object, clock| {
        vec![
            name(object),
            claim_state(object).to_owned(),
            object_age(object, clock),
        ]
    },
};

fn claim_state(claim: &Value) -> &'static str {
    let is_allocated = given(claim, "status.allocation").is_some();
    let is_reserved = !list(claim, "status.reservedFor").is_empty();
    match (is_deleted(claim), is_allocated, is_reserved) {
        (false, false, _) => "pending",
        (true, false, _) => "deleted",
        (false, true, false) => "allocated",
        (false, true, true) => "allocated,reserved",
        (true, true, false) => "deleted,allocated",
        (true, true, true) => "deleted,allocated,reserved",
    }
}

static RESOURCE_SLICE: Builtin = Builtin {
    columns: &[
        Column::new("Name"),
        Column::new("Node"),
        Column::new("Driver"),
        Column::new("Pool"),
        Column::new("Age"),
    ],
    cells: |object, clock| {
        vec![
            name(object),
            text(object, "spec.nodeName").to_owned(),
            text(object, "spec.driver").to_owned(),
            text(object, "spec.pool.name").to_owned(),
            object_age(object, clock),
        ]
    },
};

static DEVICE_TAINT_RULE: Builtin = Builtin {
    columns: &[
        Column::new("Name"),
        Column::new("Key"),
        Column::new("Value"),
        Column::new("Effect"),
        Column::new("TimeAdded"),
        Column::new("Age"),
    ],
    cells: |object, clock| {
        let added = given(object, "spec.taint.timeAdded");
        vec![
            name(object),
            text(object, "spec.taint.key").to_owned(),
            text(object, "spec.taint.value").to_owned(),
            text(object, "spec.taint.effect").to_owned(),
            added.map_or_else(String::new, |added| age(added.as_str(), clock)),
            object_age(object, clock),
        ]
    },
};

/// In releases 1.26 to 1.31.
static POD_SCHEDULING_CONTEXT: Builtin = Builtin {
    columns: &[
        Column::new("Name"),
        Column::new("SelectedNode"),
        Column::new("Age"),
    ],
    cells: |object, clock| {
        vec![
            name(object),
            text(object, "spec.selectedNode").to_owned(),
            object_age(object, clock),
        ]
    },
};

/// Since release 1.36.
static RESOURCE_POOL_STATUS_REQUEST: Builtin = Builtin {
    columns: &[
        Column::new("Name"),
        Column::new("Driver"),
        Column::new("Total"),
        Column::new("Available"),
        Column::new("Allocated"),
        Column::new("Unavailable"),
        Column::new("Errors"),
        Column::new("Pools"),
        Column::new("Status"),
        Column::new("Completed"),
    ],
    cells: pool_status,
};

/// The cells of a ResourcePoolStatusRequest. The counts are `-` while there is no result.
fn pool_status(object: &Value, clock: Clock) -> Vec<String> {
    let ended = list(object, "status.conditions")
        .iter()
        .find(|c| ["Complete", "Failed"].contains(&text(c, "type")) && holds(c));
    let status = ended.map_or("Pending", |condition| text(condition, "type"));
    let pools = list(object, "status.pools");
    let pool_count = int(object, "status.poolCount");
    let listed = i64::try_from(pools.len()).unwrap_or(i64::MAX);
    let is_incomplete = status == "Complete" && pool_count > listed;
    let has_counts = given(object, "status").is_some() && status != "Failed";
    let sum = |field: &str| {
        let numbers = pools.iter().filter_map(|pool| given_int(pool, field));
        numbers.fold(0_i64, i64::saturating_add).to_string()
    };
    let errors = pools
        .iter()
        .filter(|pool| given(pool, "validationError").is_some());
    let or_dash = |count: String| {
        if has_counts { count } else { "-".to_owned() }
    };
    let completed = ended.filter(|_| status == "Complete").map_or_else(
        || "<none>".to_owned(),
        |c| age(given_text(c, "lastTransitionTime"), clock),
    );
    vec![
        name(object),
        text(object, "spec.driver").to_owned(),
        or_dash(sum("totalDevices")),
        or_dash(sum("availableDevices")),
        or_dash(sum("allocatedDevices")),
        or_dash(sum("unavailableDevices")),
        or_dash(errors.count().to_string()),
        digits(object, "status.poolCount"),
        if is_incomplete {
            format!("Complete ({listed}/{pool_count} pools)")
        } else {
            status.to_owned()
        },
        completed,
    ]
}

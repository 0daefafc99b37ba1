//! Tables of volumes, claims, storage classes and CSI drivers.

use serde_json::Value;

use super::fields::{
    annotation, flag, flag_or, given, given_text, is_deleted, list, name, object_age, quantity,
    text, text_or, texts,
};
use super::labels::none_if_empty;
use super::network::is_annotated;
use super::{Builtin, Column, others};

const OLD_CLASS: &str = "volume.beta.kubernetes.io/storage-class";

/// The core group's tables.
pub(super) fn core(kind: &str) -> Option<&'static Builtin> {
    match kind {
        "PersistentVolume" => Some(&PERSISTENT_VOLUME),
        "PersistentVolumeClaim" => Some(&PERSISTENT_VOLUME_CLAIM),
        _ => None,
    }
}

/// The tables of storage.k8s.io.
pub(super) fn storage(kind: &str) -> Option<&'static Builtin> {
    match kind {
        "CSIDriver" => Some(&CSI_DRIVER),
        "CSINode" => Some(&CSI_NODE),
        "CSIStorageCapacity" => Some(&others::CREATED_AT),
        "StorageClass" => Some(&STORAGE_CLASS),
        "VolumeAttachment" => Some(&VOLUME_ATTACHMENT),
        "VolumeAttributesClass" => Some(&DRIVER_NAME_AND_AGE),
        _ => None,
    }
}

static PERSISTENT_VOLUME: Builtin = Builtin {
    columns: &[
        Column::new("Name"),
        Column::new("Capacity"),
        Column::new("Access Modes"),
        Column::new("Reclaim Policy"),
        Column::new("Status"),
        Column::new("Claim"),
        Column::new("StorageClass"),
        Column::new("VolumeAttributesClass"),
        Column::new("Reason"),
        Column::new("Age"),
        Column::wide("VolumeMode"),
    ],
    cells: |object, clock| {
        let claim = given(object, "spec.claimRef")
            .map(|claim| format!("{}/{}", text(claim, "namespace"), text(claim, "name")));
        vec![
            name(object),
            quantity(object, "spec.capacity.storage"),
            access_modes(object, "spec.accessModes"),
            text_or(object, "spec.persistentVolumeReclaimPolicy", "Retain").to_owned(),
            phase(object).to_owned(),
            claim.unwrap_or_default(),
            class(object),
            attributes_class(object),
            text(object, "status.reason").to_owned(),
            object_age(object, clock),
            volume_mode(object),
        ]
    },
};

static PERSISTENT_VOLUME_CLAIM: Builtin = Builtin {
    columns: &[
        Column::new("Name"),
        Column::new("Status"),
        Column::new("Volume"),
        Column::new("Capacity"),
        Column::new("Access Modes"),
        Column::new("StorageClass"),
        Column::new("VolumeAttributesClass"),
        Column::new("Age"),
        Column::wide("VolumeMode"),
    ],
    cells: |object, clock| {
        let volume = text(object, "spec.volumeName");
        let (capacity, modes) = if volume.is_empty() {
            (String::new(), String::new())
        } else {
            (
                quantity(object, "status.capacity.storage"),
                access_modes(object, "status.accessModes"),
            )
        };
        vec![
            name(object),
            phase(object).to_owned(),
            volume.to_owned(),
            capacity,
            modes,
            class(object),
            attributes_class(object),
            object_age(object, clock),
            volume_mode(object),
        ]
    },
};

fn phase(object: &Value) -> &str {
    if is_deleted(object) {
        "Terminating"
    } else {
        text_or(object, "status.phase", "Pending")
    }
}

/// The storage class. The old annotation takes precedence over the field.
fn class(object: &Value) -> String {
    annotation(object, OLD_CLASS)
        .unwrap_or_else(|| text(object, "spec.storageClassName"))
        .to_owned()
}

fn attributes_class(object: &Value) -> String {
    given_text(object, "spec.volumeAttributesClassName")
        .unwrap_or("<unset>")
        .to_owned()
}

fn volume_mode(object: &Value) -> String {
    given_text(object, "spec.volumeMode")
        .unwrap_or("Filesystem")
        .to_owned()
}

/// The short names of the known access modes, in the order of the API.
fn access_modes(object: &Value, path: &str) -> String {
    let modes = texts(object, path);
    let short: Vec<&str> = [
        ("ReadWriteOnce", "RWO"),
        ("ReadOnlyMany", "ROX"),
        ("ReadWriteMany", "RWX"),
        ("ReadWriteOncePod", "RWOP"),
    ]
    .into_iter()
    .filter(|(mode, _)| modes.contains(mode))
    .map(|(_, short)| short)
    .collect();
    short.join(",")
}

static STORAGE_CLASS: Builtin = Builtin {
    columns: &[
        Column::new("Name"),
        Column::new("Provisioner"),
        Column::new("ReclaimPolicy"),
        Column::new("VolumeBindingMode"),
        Column::new("AllowVolumeExpansion"),
        Column::new("Age"),
    ],
    cells: |object, clock| {
        let is_default = [
            "storageclass.kubernetes.io/is-default-class",
            "storageclass.beta.kubernetes.io/is-default-class",
        ]
        .iter()
        .any(|key| is_annotated(object, key));
        let mark = if is_default { " (default)" } else { "" };
        vec![
            name(object) + mark,
            text(object, "provisioner").to_owned(),
            given_text(object, "reclaimPolicy")
                .unwrap_or("Delete")
                .to_owned(),
            given_text(object, "volumeBindingMode")
                .unwrap_or("Immediate")
                .to_owned(),
            flag(object, "allowVolumeExpansion").to_string(),
            object_age(object, clock),
        ]
    },
};

/// The table of classes of volumes and of devices, with their driver.
pub(super) static DRIVER_NAME_AND_AGE: Builtin = Builtin {
    columns: &[
        Column::new("Name"),
        Column::new("DriverName"),
        Column::new("Age"),
    ],
    cells: |object, clock| {
        vec![
            name(object),
            text(object, "driverName").to_owned(),
            object_age(object, clock),
        ]
    },
};

static VOLUME_ATTACHMENT: Builtin = Builtin {
    columns: &[
        Column::new("Name"),
        Column::new("Attacher"),
        Column::new("PV"),
        Column::new("Node"),
        Column::new("Attached"),
        Column::new("Age"),
    ],
    cells: |object, clock| {
        vec![
            name(object),
            text(object, "spec.attacher").to_owned(),
            text(object, "spec.source.persistentVolumeName").to_owned(),
            text(object, "spec.nodeName").to_owned(),
            flag(object, "status.attached").to_string(),
            object_age(object, clock),
        ]
    },
};

static CSI_NODE: Builtin = Builtin {
    columns: &[
        Column::new("Name"),
        Column::new("Drivers"),
        Column::new("Age"),
    ],
    cells: |object, clock| {
        vec![
            name(object),
            list(object, "spec.drivers").len().to_string(),
            object_age(object, clock),
        ]
    },
};

static CSI_DRIVER: Builtin = Builtin {
    columns: &[
        Column::new("Name"),
        Column::new("AttachRequired"),
        Column::new("PodInfoOnMount"),
        Column::new("StorageCapacity"),
        Column::new("TokenRequests"),
        Column::new("RequiresRepublish"),
        Column::new("Modes"),
        Column::new("Age"),
    ],
    cells: |object, clock| {
        let audiences: Vec<&str> = list(object, "spec.tokenRequests")
            .iter()
            .map(|request| text(request, "audience"))
            .collect();
        let has_requests = given(object, "spec.tokenRequests").is_some();
        let modes = texts(object, "spec.volumeLifecycleModes");
        vec![
            name(object),
            flag_or(object, "spec.attachRequired", true).to_string(),
            flag(object, "spec.podInfoOnMount").to_string(),
            flag(object, "spec.storageCapacity").to_string(),
            if has_requests {
                audiences.join(",")
            } else {
                "<unset>".to_owned()
            },
            flag(object, "spec.requiresRepublish").to_string(),
            if modes.is_empty() {
                "Persistent".to_owned()
            } else {
                none_if_empty(modes.join(","))
            },
            object_age(object, clock),
        ]
    },
};

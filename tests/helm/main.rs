//! The chart for Kubernetes, rendered by Helm's own engine: each value set in its folder `ci/`
//! gives objects that Kubernetes' own schemas take, that fit each other, and that fit the program;
//! a mistake in the values is refused with a sentence.
//!
//! No cluster is started. ServiceMonitors have no schema here: what they select is checked, their
//! other fields are not.

mod deployed;
mod objects;
mod rendered;

use rendered::{refusals, rendered, sets};
use serde_json::{Value, json};

#[test]
fn every_value_set_gives_objects_that_kubernetes_takes() {
    assert!(sets().count() >= 7, "the value sets are found");
    for (name, release) in sets() {
        assert_eq!(release.findings, Vec::<String>::new(), "{name}: Helm's lint");
        assert_eq!(release.invalid, Vec::<String>::new(), "{name}: Kubernetes' schemas");
        assert!(
            release.unknown.iter().all(|kind| kind == "ServiceMonitor"),
            "{name}: {:?} have no schema",
            release.unknown
        );
        for kind in ["Deployment", "Service"] {
            assert!(release.all(kind).next().is_some(), "{name} has a {kind}");
        }
    }
}

#[test]
fn the_smallest_release_scales_and_survives_the_drain_of_a_node() {
    let release = rendered("minimal");
    let scaler = release.one("HorizontalPodAutoscaler");
    assert_eq!(
        (&scaler["spec"]["minReplicas"], &scaler["spec"]["maxReplicas"]),
        (&2.into(), &100.into())
    );
    assert_eq!(release.one("PodDisruptionBudget")["spec"]["maxUnavailable"], 1);
    let deployment = release.one("Deployment");
    assert_eq!(deployment["spec"]["replicas"], Value::Null, "their number is the scaler's alone");
    assert_eq!(deployment["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"], 0);
    assert!(
        release.all("ServiceMonitor").chain(release.all("Ingress")).next().is_none(),
        "what a cluster may lack is asked for"
    );
    assert_eq!(rendered("alone").one("Deployment")["spec"]["replicas"], 1);
}

/// Asks for all of them at once: the engine is slow to start.
fn all_refused(cases: &[(&str, Value)]) {
    let changes: Vec<Value> = cases.iter().map(|(_, change)| change.clone()).collect();
    for ((what, change), said) in cases.iter().zip(refusals(&changes)) {
        assert!(said.contains(what), "{change}: {said}");
    }
}

#[test]
fn what_is_missing_is_said_in_a_sentence() {
    all_refused(&[
        ("storage is empty: say where", json!({ "storage": "" })),
        ("image.repository is empty: name the image", json!({ "image": { "repository": "" } })),
        ("openssl rand -hex 32", json!({ "peerSecret": { "existingSecret": "" } })),
        ("identity.roleArn is empty", json!({ "identity": { "kind": "irsa" } })),
        ("identity.azureClientId is empty", json!({ "identity": { "kind": "azure" } })),
        (
            "serviceMonitor.token.secret is empty",
            json!({ "auth": { "existingSecret": "tokens" }, "serviceMonitor": { "enabled": true } }),
        ),
        ("ingress.hosts is empty", json!({ "ingress": { "enabled": true } })),
        (
            "autoscaling.minReplicas is 9; it can't be more than",
            json!({ "autoscaling": { "minReplicas": 9, "maxReplicas": 3 } }),
        ),
    ]);
}

#[test]
fn a_mistake_in_the_values_is_refused() {
    all_refused(&[
        ("'imge'", json!({ "imge": {} })),
        ("'repositry'", json!({ "image": { "repositry": "x" } })),
        ("'minReplica'", json!({ "autoscaling": { "minReplica": 3 } })),
        ("/forwarding", json!({ "forwarding": "prxy" })),
        ("/storage", json!({ "storage": "/var/lib/dotdo" })),
        ("/storage", json!({ "storage": "memory://" })),
        ("/port", json!({ "port": "8787" })),
        ("/port", json!({ "port": 80 })),
        ("/ingress/controller", json!({ "ingress": { "controller": "traefik" } })),
        ("/identity/roleArn", json!({ "identity": { "kind": "irsa", "roleArn": "objects" } })),
        ("/image/digest", json!({ "image": { "digest": "sha256:abc" } })),
        // A number with a fraction would lose it.
        ("/settings/LOG_LEVEL", json!({ "settings": { "LOG_LEVEL": 0.5 } })),
        ("'log-level'", json!({ "settings": { "log-level": "debug" } })),
        // What the chart sets itself would be there twice.
        ("'DOTDO_PORT'", json!({ "settings": { "DOTDO_PORT": "1" } })),
        (
            "'DOTDO_STORAGE'",
            json!({ "secretEnv": { "DOTDO_STORAGE": { "secret": "a", "key": "b" } } }),
        ),
        // Whoever can read a release can read its values.
        ("'DOTDO_PEER_SECRET'", json!({ "settings": { "DOTDO_PEER_SECRET": "x" } })),
        ("'DOTDO_REDIS_URL'", json!({ "settings": { "DOTDO_REDIS_URL": "redis://:x@host" } })),
        ("'DOTDO_AUTH_TOKENS'", json!({ "settings": { "DOTDO_AUTH_TOKENS": "x" } })),
        ("'AWS_SECRET_ACCESS_KEY'", json!({ "settings": { "AWS_SECRET_ACCESS_KEY": "x" } })),
        ("'R2_SECRET_ACCESS_KEY'", json!({ "settings": { "R2_SECRET_ACCESS_KEY": "x" } })),
    ]);
}

#[test]
fn the_notes_say_where_objects_are_and_what_is_open() {
    assert!(
        rendered("minimal").notes.contains("port-forward service/shop-dotdo 8787"),
        "{}",
        rendered("minimal").notes
    );
    let notes = &rendered("everything").notes;
    assert!(
        notes.contains("https://objects.example.com/do/{id}/")
            && !notes.contains("can read and write everything"),
        "{notes}"
    );
    let notes = &rendered("alone").notes;
    assert!(
        notes.contains("can read and write everything") && notes.contains("Nothing is forwarded"),
        "{notes}"
    );
}

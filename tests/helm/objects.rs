//! How the objects of a release fit each other, and the program.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::rendered::{Release, rendered, sets};

/// The page on which every setting is.
const SETTINGS: &str = include_str!("../../docs/SETTINGS.md");

/// The configuration for HAProxy outside of Kubernetes.
const HAPROXY: &str = include_str!("../../deploy/haproxy/haproxy.cfg");

/// Whether an object with `labels` is selected.
fn selects(selector: &Value, labels: &Value) -> bool {
    let wanted = selector
        .as_object()
        .filter(|wanted| !wanted.is_empty())
        .expect("a selector that names labels");
    wanted.iter().all(|(name, value)| &labels[name.as_str()] == value)
}

fn text<'a>(value: &'a Value, what: &str) -> &'a str {
    value.as_str().unwrap_or_else(|| panic!("{what} is text, not {value}"))
}

fn list<'a>(value: &'a Value, what: &str) -> &'a [Value] {
    value.as_array().unwrap_or_else(|| panic!("{what} is a list, not {value}"))
}

#[test]
fn whatever_selects_pods_selects_these() {
    for (name, release) in sets() {
        let labels = &release.pod()["metadata"]["labels"];
        let spec = &release.one("Deployment")["spec"];
        assert!(selects(&spec["selector"]["matchLabels"], labels), "{name}: the deployment");
        for service in release.all("Service") {
            assert!(
                selects(&service["spec"]["selector"], labels),
                "{name}: {}",
                service["metadata"]["name"]
            );
        }
        for budget in release.all("PodDisruptionBudget") {
            assert!(
                selects(&budget["spec"]["selector"]["matchLabels"], labels),
                "{name}: the disruption budget"
            );
        }
        for policy in release.all("NetworkPolicy") {
            assert!(
                selects(&policy["spec"]["podSelector"]["matchLabels"], labels),
                "{name}: the network policy"
            );
        }
        for spread in list(&spec["template"]["spec"]["topologySpreadConstraints"], "the spread")
            .iter()
            .take(2)
        {
            assert!(
                selects(&spread["labelSelector"]["matchLabels"], labels),
                "{name}: the spread over {}",
                spread["topologyKey"]
            );
        }
    }
}

#[test]
fn names_name_what_is_there() {
    for (name, release) in sets() {
        let deployment = &release.one("Deployment")["metadata"];
        for scaler in release.all("HorizontalPodAutoscaler") {
            let target = json!({ "apiVersion": "apps/v1", "kind": "Deployment", "name": deployment["name"] });
            assert_eq!(scaler["spec"]["scaleTargetRef"], target, "{name}");
        }
        let account = &release.pod()["spec"]["serviceAccountName"];
        match release.all("ServiceAccount").next() {
            Some(own) => assert_eq!(&own["metadata"]["name"], account, "{name}"),
            None => assert_eq!(account, "existing", "{name}"),
        }
        for monitor in release.all("ServiceMonitor") {
            let selector = &monitor["spec"]["selector"]["matchLabels"];
            let services: Vec<&Value> = release
                .all("Service")
                .filter(|service| selects(selector, &service["metadata"]["labels"]))
                .collect();
            assert_eq!(services.len(), 1, "{name}: a pod is not counted twice");
            assert_eq!(
                monitor["spec"]["endpoints"][0]["port"], services[0]["spec"]["ports"][0]["name"],
                "{name}"
            );
        }
        for ingress in release.all("Ingress") {
            for path in list(&ingress["spec"]["rules"], "rules")
                .iter()
                .flat_map(|rule| list(&rule["http"]["paths"], "paths"))
            {
                let backend = &path["backend"]["service"];
                let service = release
                    .all("Service")
                    .find(|service| service["metadata"]["name"] == backend["name"])
                    .expect("the service is there");
                assert_eq!(service["spec"]["ports"][0]["name"], backend["port"]["name"], "{name}");
            }
        }
        let namespaces: BTreeSet<&str> = release
            .objects
            .iter()
            .map(|object| text(&object["metadata"]["namespace"], "a namespace"))
            .collect();
        assert_eq!(namespaces, BTreeSet::from(["shops"]), "{name}");
    }
    assert_eq!(rendered("everything").all("ServiceMonitor").count(), 1);
}

#[test]
fn there_is_one_port_and_everybody_uses_it() {
    for (name, release) in sets() {
        let port = &release.container()["ports"][0];
        let number = port["containerPort"].to_string();
        assert_eq!(release.variable("DOTDO_PORT"), number, "{name}");
        assert!(
            release.variable("DOTDO_ADDRESS").ends_with(&format!(":{number}")),
            "{name}: {}",
            release.variable("DOTDO_ADDRESS")
        );
        for service in release.all("Service") {
            let service = &service["spec"]["ports"][0];
            assert_eq!(
                (&service["targetPort"], service["port"].to_string()),
                (&port["name"], number.clone()),
                "{name}"
            );
        }
        for probe in ["startupProbe", "readinessProbe", "livenessProbe"] {
            assert_eq!(
                release.container()[probe]["httpGet"]["port"],
                port["name"],
                "{name}: {probe}"
            );
        }
        for policy in release.all("NetworkPolicy") {
            for rule in list(&policy["spec"]["ingress"], "rules") {
                assert!(
                    !list(&rule["from"], "senders").is_empty(),
                    "{name}: a rule without senders lets everybody in"
                );
                let ports: Vec<String> = list(&rule["ports"], "ports")
                    .iter()
                    .map(|port| port["port"].to_string())
                    .collect();
                assert_eq!(ports[0], number, "{name}");
                assert_eq!(
                    ports[1..],
                    if name == "linkerd" { vec!["4143".to_owned()] } else { Vec::new() },
                    "{name}"
                );
            }
            assert_eq!(policy["spec"]["policyTypes"], json!(["Ingress", "Egress"]), "{name}");
        }
    }
}

#[test]
fn a_stop_has_time_for_the_drain_and_the_hand_over() {
    for (name, release) in sets() {
        let drain = release.container()["lifecycle"]["preStop"]["sleep"]["seconds"]
            .as_u64()
            .expect("seconds");
        let deadline_ms: u64 =
            release.variable("DOTDO_SHUTDOWN_DEADLINE_MS").parse().expect("milliseconds");
        let grace =
            release.pod()["spec"]["terminationGracePeriodSeconds"].as_u64().expect("seconds");
        assert!(
            grace * 1000 > drain * 1000 + deadline_ms,
            "{name}: {grace} s are not enough for {drain} s and {deadline_ms} ms"
        );
    }
}

#[test]
fn pods_may_do_nothing_but_their_work() {
    for (name, release) in sets() {
        let (pod, container) = (&release.pod()["spec"], release.container());
        assert_eq!(pod["securityContext"]["runAsNonRoot"], true, "{name}");
        assert_ne!(pod["securityContext"]["runAsUser"], 0, "{name}");
        assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault", "{name}");
        let locked = json!({ "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": { "drop": ["ALL"] } });
        assert_eq!(container["securityContext"], locked, "{name}");
        assert_eq!(pod["automountServiceAccountToken"], false, "{name}");
        assert_eq!(
            pod["enableServiceLinks"], false,
            "{name}: else a service named dotdo sets DOTDO_PORT to tcp://…"
        );
        assert_eq!(
            container["livenessProbe"]["httpGet"]["path"], "/health",
            "{name}: a bucket that is away restarts nobody"
        );
        assert_eq!(container["readinessProbe"]["httpGet"]["path"], "/ready", "{name}");
    }
}

#[test]
fn the_program_knows_every_variable_and_gets_secrets_by_reference_only() {
    for (name, release) in sets() {
        let environment = release.environment();
        let names: BTreeSet<&str> = environment.iter().map(|(variable, _)| *variable).collect();
        assert_eq!(names.len(), environment.len(), "{name}: no variable is there twice");
        for (variable, value) in &environment {
            assert!(
                *variable == "POD_IP" || SETTINGS.contains(&format!("`{variable}`")),
                "{name}: {variable} is no setting"
            );
            let is_secret = variable.contains("SECRET")
                || variable.contains("TOKEN")
                || variable.ends_with("_KEY_ID");
            assert_eq!(
                value["valueFrom"]["secretKeyRef"].is_object(),
                is_secret,
                "{name}: {variable}"
            );
        }
        let place = |wanted: &str| {
            environment.iter().position(|(variable, _)| *variable == wanted).expect("it is set")
        };
        assert!(
            place("POD_IP") < place("DOTDO_ADDRESS"),
            "{name}: a variable is known to those after it"
        );
        assert!(release.variable("DOTDO_ADDRESS").contains("$(POD_IP)"), "{name}");
    }
    let set = rendered("everything");
    assert_eq!(set.variable("DOTDO_CHECKPOINT_LOG_BYTES"), "8388608", "a number keeps its digits");
    assert_eq!(rendered("alone").variable("DOTDO_ADDRESS"), "http://[$(POD_IP)]:8787");
}

#[test]
fn an_objects_requests_go_to_one_replica() {
    let ingress = rendered("everything").one("Ingress");
    let annotations = &ingress["metadata"]["annotations"];
    assert_eq!(annotations["nginx.ingress.kubernetes.io/upstream-hash-by"], "$http_x_do_id$1");
    assert_eq!(annotations["nginx.ingress.kubernetes.io/use-regex"], "true");
    let rules = list(&ingress["spec"]["rules"], "rules");
    assert_eq!(rules.len(), 2);
    for rule in rules {
        let paths: Vec<&str> = list(&rule["http"]["paths"], "paths")
            .iter()
            .map(|path| text(&path["path"], "a path"))
            .collect();
        assert_eq!(paths, ["/do/(?:DO|Counter)/([^/]+)", "/do/([^/]+)", "/"]);
    }
    let retried =
        text(&annotations["nginx.ingress.kubernetes.io/proxy-next-upstream"], "when to try again");
    assert!(
        !retried.contains("non_idempotent") && !retried.contains("timeout"),
        "{retried}: what may have been done is not sent again"
    );
}

#[test]
fn haproxy_hashes_on_kubernetes_as_it_does_elsewhere() {
    let annotations = &rendered("linkerd").one("Ingress")["metadata"]["annotations"];
    assert_eq!(annotations["haproxy-ingress.github.io/balance-algorithm"], "hash var(txn.object)");
    let lines = text(&annotations["haproxy-ingress.github.io/config-backend"], "the backend");
    assert!(lines.lines().count() >= 6, "{lines}");
    for line in lines.lines() {
        assert!(
            HAPROXY.lines().any(|tested| tested.trim() == line),
            "the configuration that is run in tests has no {line:?}"
        );
    }
}

#[test]
fn each_identity_is_written_where_its_platform_looks() {
    let note = |release: &Release, name: &str| {
        release.one("ServiceAccount")["metadata"]["annotations"][name].clone()
    };
    assert_eq!(
        note(rendered("irsa"), "eks.amazonaws.com/role-arn"),
        "arn:aws:iam::123456789012:role/objects"
    );
    assert_eq!(
        note(rendered("gke"), "iam.gke.io/gcp-service-account"),
        "objects@project.iam.gserviceaccount.com"
    );
    assert_eq!(
        note(rendered("azure"), "azure.workload.identity/client-id"),
        "00000000-0000-0000-0000-000000000000"
    );
    assert_eq!(
        rendered("azure").pod()["metadata"]["labels"]["azure.workload.identity/use"],
        "true"
    );
    let egress = rendered("gke").one("NetworkPolicy")["spec"]["egress"].to_string();
    assert!(egress.contains("169.254.169.254/32"), "where Google gives out keys: {egress}");
}

#[test]
fn the_mesh_carries_bytes_and_ends_last() {
    let release = rendered("linkerd");
    let annotations = &release.pod()["metadata"]["annotations"];
    assert_eq!(annotations["linkerd.io/inject"], "enabled");
    let port = release.container()["ports"][0]["containerPort"].to_string();
    assert_eq!(annotations["config.linkerd.io/opaque-ports"], port);
    for service in release.all("Service") {
        assert_eq!(service["metadata"]["annotations"]["config.linkerd.io/opaque-ports"], port);
    }
    let waits: u64 =
        text(&annotations["config.alpha.linkerd.io/proxy-wait-before-exit-seconds"], "seconds")
            .parse()
            .expect("a number");
    let grace = release.pod()["spec"]["terminationGracePeriodSeconds"].as_u64().expect("seconds");
    let deadline_ms: u64 =
        release.variable("DOTDO_SHUTDOWN_DEADLINE_MS").parse().expect("milliseconds");
    let drain =
        release.container()["lifecycle"]["preStop"]["sleep"]["seconds"].as_u64().expect("seconds");
    assert!(waits * 1000 >= drain * 1000 + deadline_ms && waits < grace, "{waits} s");
}

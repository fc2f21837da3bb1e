//! Alerts, dashboard and runbook are in step with each other and with the code.

use std::collections::{BTreeMap, BTreeSet};

use crate::docs::{families, read, slug};

const RULES: &[&str] = &["budget", "checks", "endpoint", "jobs", "process"];
const DASHBOARD: &str = "deploy/grafana/infra-health.json";

fn rules(name: &str) -> String {
    read(&format!("deploy/prometheus/rules/{name}.yml"))
}

/// The text of each alert in the rules, by its name.
fn alerts() -> BTreeMap<String, String> {
    let mut alerts = BTreeMap::new();
    for file in RULES {
        let text = rules(file);
        for rule in text.split("\n      - ").skip(1) {
            if let Some(rest) = rule.strip_prefix("alert: ") {
                let name = rest.lines().next().unwrap_or_default();
                let before = alerts.insert(name.to_owned(), rest.to_owned());
                assert_eq!(before, None, "two alerts are called {name}");
            }
        }
    }
    alerts
}

/// What stands behind `key: ` in a rule, without quotes.
fn value<'a>(rule: &'a str, key: &str) -> Option<&'a str> {
    let found = rule.lines().find_map(|line| {
        line.trim_start()
            .strip_prefix(key)
            .and_then(|rest| rest.strip_prefix(": "))
    });
    found
        .map(|value| value.trim_matches('"'))
        .filter(|value| !value.is_empty())
}

/// The sections of the runbook that are an alert's, by their headings.
fn sections() -> BTreeMap<String, String> {
    let text = read("docs/runbook.md");
    let (_, alerts) = text.split_once("\n# Alerts\n").expect("a part for alerts");
    let sections = alerts.split("\n## ").skip(1).map(|section| {
        let (heading, body) = section.split_once('\n').expect("a body");
        (heading.to_owned(), body.to_owned())
    });
    sections.collect()
}

fn alert_faults(name: &str, rule: &str, sections: &BTreeMap<String, String>) -> Vec<String> {
    let mut faults = Vec::new();
    let mut fault = |what: String| faults.push(format!("{name} {what}"));
    let severity = value(rule, "severity").unwrap_or_default();
    if !["page", "ticket"].contains(&severity) {
        fault(format!("has the severity {severity:?}, not page or ticket"));
    }
    for annotation in ["summary", "description"] {
        if value(rule, annotation).is_none() {
            fault(format!("has no {annotation}"));
        }
    }
    let url = format!("docs/runbook.md#{}", slug(name));
    if value(rule, "runbook_url") != Some(&url) {
        fault(format!("has no runbook_url: \"{url}\""));
    }
    let Some(section) = sections.get(name) else {
        fault("has no section in the runbook".to_owned());
        return faults;
    };
    let first = format!("> {severity}: ");
    if !section.trim_start().starts_with(&first) {
        fault(format!("'s section does not begin with {first:?}"));
    }
    let mut at = 0;
    for part in [
        "**Symptom.** ",
        "**Cause.** ",
        "**Remedy.** ",
        "**Confirm.**",
        "```sh",
    ] {
        match section[at..].find(part) {
            Some(found) => at += found,
            None => fault(format!("'s section has no {part} in its place")),
        }
    }
    faults
}

#[test]
fn every_alert_says_how_bad_what_and_where_to_read_on() {
    let (alerts, sections) = (alerts(), sections());
    assert!(alerts.len() >= 23, "the alerts are found");
    let mut faults: Vec<String> = alerts
        .iter()
        .flat_map(|(name, rule)| alert_faults(name, rule, &sections))
        .collect();
    for heading in sections.keys().filter(|name| !alerts.contains_key(*name)) {
        faults.push(format!("the runbook's section {heading} is no alert's"));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// All of `text` that looks like the name of a metric of this service.
fn names(text: &str) -> BTreeSet<&str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != ':')
        .map(|word| word.trim_end_matches(':'))
        .filter(|word| {
            ["infra_health_", "process_", "http_server_"]
                .iter()
                .any(|prefix| word.starts_with(prefix))
        })
        .collect()
}

/// A misspelt metric is no error to Prometheus: the alert would never fire.
#[test]
fn rules_dashboard_and_runbook_name_metrics_that_exist() {
    let mut known: BTreeSet<String> = BTreeSet::new();
    for family in families() {
        let suffixes = ["", "_bucket", "_sum", "_count"];
        known.extend(suffixes.map(|suffix| format!("{}{suffix}", family.name)));
    }
    let blackbox = read("deploy/prometheus/blackbox.yml");
    known.extend(names(&blackbox).into_iter().map(str::to_owned));
    let mut faults = Vec::new();
    let mut count = 0;
    let files = [DASHBOARD, "docs/runbook.md"].map(|path| (path, read(path)));
    for (place, text) in RULES.iter().map(|name| (*name, rules(name))).chain(files) {
        for name in names(&text) {
            // What a rule group is called, in the rules alone.
            let group = text.contains(&format!("- name: {name}\n"));
            if !group && !known.contains(name) {
                faults.push(format!("{place}: {name}"));
            }
            count += 1;
        }
    }
    assert!(count > 40, "the names are found");
    assert!(faults.is_empty(), "no such metric:\n{}", faults.join("\n"));
}

/// Those that prometheus-operator gives to every target of a `ServiceMonitor`.
const LABELS_OF_TARGETS: &[&str] = &[
    "container",
    "endpoint",
    "instance",
    "job",
    "namespace",
    "pod",
    "service",
];

/// Of two labels with one name Prometheus keeps the target's, and rules and dashboard look at the wrong one.
#[test]
fn on_kubernetes_no_label_of_a_target_takes_the_place_of_ours() {
    let monitor = read("deploy/kubernetes/components/servicemonitor/servicemonitor.yaml");
    let families = families();
    let ours: BTreeSet<_> = families.iter().flat_map(|family| family.labels).collect();
    let taken: Vec<_> = LABELS_OF_TARGETS
        .iter()
        .filter(|label| ours.contains(label))
        .collect();
    assert_eq!(taken, [&"endpoint"], "the RunPod families have it");
    for label in taken {
        let dropped = format!("- action: labeldrop\n          regex: {label}\n");
        assert!(monitor.contains(&dropped), "{label}");
    }
}

//! The documents are in step with the code.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use infra_health::checks;
use infra_health::config::{self, Config, Policy, VARIABLES, Variable};
use infra_health::http::endpoints::{Counted, Credentials, ENDPOINTS, Endpoint, Scope, Webhooks};
use infra_health::metrics::families;
use infra_health::reason::{COMMON, Class, Reason};
use infra_health::sample::{Family, Kind};
use serde_json::Value;

const DOCUMENTS: &[&str] = &[
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "deploy/prometheus/README.md",
    "docs/adding-a-check.md",
    "docs/operations.md",
    "docs/performance.md",
    "docs/runbook.md",
    "docs/transcripts.md",
];

/// The text of a file of this repository.
pub(crate) fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn defaults() -> Config {
    config::load([], checks::NAMES).unwrap().config
}

/// Lines outside of fenced blocks, so that a shell comment is no heading.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut fence: Option<&str> = None;
    text.lines().filter(move |line| {
        let ticks = &line[..line.len() - line.trim_start_matches('`').len()];
        match fence {
            Some(open) if ticks.len() >= open.len() => {
                fence = None;
                false
            }
            Some(_) => false,
            None if ticks.len() >= 3 => {
                fence = Some(ticks);
                false
            }
            None => true,
        }
    })
}

/// The sections of a runbook whose heading is a reason code, with their text.
pub(crate) fn sections(text: &str) -> BTreeMap<String, String> {
    let headings: BTreeSet<&str> = prose(text).filter(|line| line.starts_with('#')).collect();
    let mut sections = BTreeMap::new();
    let mut current: Option<&str> = None;
    for line in text.lines() {
        if headings.contains(line) {
            current = line.strip_prefix("## ").filter(|title| is_code(title));
            if let Some(code) = current {
                let before = sections.insert(code.to_owned(), String::new());
                assert_eq!(before, None, "two sections of {code}");
            }
        } else if let Some(section) = current.and_then(|code| sections.get_mut(code)) {
            let _ = writeln!(section, "{line}");
        }
    }
    sections
}

fn is_code(title: &str) -> bool {
    title.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
}

/// What is missing in a runbook for `reason`.
pub(crate) fn section_faults(sections: &BTreeMap<String, String>, reason: &Reason) -> Vec<String> {
    let code = reason.code;
    let Some(section) = sections.get(code) else {
        return vec![format!("no section ## {code}")];
    };
    let weight = match reason.class {
        Class::Ok => "ok",
        Class::Warn => "warning",
        Class::Deferred => "deferred",
        Class::Transient => "transient",
        Class::Refuted => "refuted",
        Class::Down => "down",
    };
    let first = format!("> {} ({weight})", reason.message);
    let parts = [
        "**Symptom.** ",
        "**Cause.** ",
        "**Remedy.** ",
        "**Confirm.**",
        "```sh",
    ];
    let mut at = 0;
    let mut faults = Vec::new();
    if section.trim_start().lines().next() != Some(&first) {
        faults.push(format!("## {code} does not begin with: {first}"));
    }
    for part in parts {
        match section[at..].find(part) {
            Some(found) => at += found,
            None => faults.push(format!("## {code} has no {part} in its place")),
        }
    }
    faults
}

/// Every reason that any check can report that can be registered.
fn reasons() -> BTreeMap<&'static str, &'static Reason> {
    let mut reasons: BTreeMap<_, _> = COMMON.iter().map(|&r| (r.code, r)).collect();
    let mut config = defaults();
    config.jobs.signals.affect_health = true;
    for info in checks::infos(&config) {
        for reason in info.all_reasons() {
            let other = reasons.insert(reason.code, reason);
            let same = other.is_none_or(|other| std::ptr::eq(other, reason));
            assert!(same, "two reasons have the code {}", reason.code);
        }
    }
    reasons
}

#[test]
#[cfg_attr(
    not(feature = "jobs"),
    ignore = "documents tell of a build with everything"
)]
fn the_runbook_has_one_whole_section_for_each_reason_and_no_other() {
    let sections = sections(&read("docs/runbook.md"));
    let reasons = reasons();
    let mut faults: Vec<String> = reasons
        .values()
        .flat_map(|reason| section_faults(&sections, reason))
        .collect();
    for code in sections
        .keys()
        .filter(|code| !reasons.contains_key(code.as_str()))
    {
        faults.push(format!("## {code} is no reason of any registered check"));
    }
    assert!(faults.is_empty(), "docs/runbook.md:\n{}", faults.join("\n"));
    for reason in reasons.values() {
        assert_eq!(
            reason.doc(),
            format!("docs/runbook.md#{}", slug(reason.code))
        );
    }
}

/// The lines of a README's table between its two comments.
fn table(text: &str, begin: &str, end: &str) -> Vec<String> {
    let from = text.find(begin).unwrap_or_else(|| panic!("no {begin}"));
    let to = text.find(end).unwrap_or_else(|| panic!("no {end}"));
    text[from..to].lines().skip(3).map(str::to_owned).collect()
}

fn assert_same_lines(what: &str, found: &[String], expected: &[String]) {
    let missing: Vec<_> = expected
        .iter()
        .filter(|line| !found.contains(line))
        .collect();
    let extra: Vec<_> = found
        .iter()
        .filter(|line| !expected.contains(line))
        .collect();
    assert!(
        found == expected,
        "{what} is out of step or out of order\nmissing: {missing:#?}\nnot expected: {extra:#?}"
    );
}

#[test]
fn the_table_of_variables_is_the_codes() {
    let row = |variable: &Variable| {
        let default = variable
            .default
            .map_or("–".to_owned(), |value| format!("`{value}`"));
        let also = variable
            .file
            .map_or(String::new(), |file| format!(" Also `{file}`."));
        format!(
            "| `{}` | {default} | {}{also} |",
            variable.name, variable.doc
        )
    };
    let expected: Vec<_> = VARIABLES.iter().map(row).collect();
    let found = table(
        &read("README.md"),
        "<!-- variables",
        "<!-- end of variables",
    );
    assert_same_lines("the table of variables in README.md", &found, &expected);
}

#[test]
fn the_table_of_endpoints_is_the_codes() {
    let row = |endpoint: &Endpoint| {
        let key = match endpoint.credentials {
            Credentials::Ignored => "ignored",
            Credentials::Optional => "optional",
            Credentials::Scraper => "once `API_KEYS` is set",
            Credentials::Key => "required",
            Credentials::Signature => "signature",
            Credentials::Token => "token",
        };
        let limited = match endpoint.counted {
            Counted::Never => "never",
            Counted::Requests => "yes",
            Counted::Guesses => "wrong ones only",
        };
        let allow = endpoint.methods.allow();
        format!("| `{allow} {}` | {key} | {limited} |", endpoint.path)
    };
    let mut expected: Vec<_> = ENDPOINTS.iter().map(row).collect();
    let found = table(
        &read("README.md"),
        "<!-- endpoints",
        "<!-- end of endpoints",
    );
    // The last column is for people, and so is the order.
    let found = found.iter().filter_map(|line| line.rsplitn(3, '|').last());
    let mut found: Vec<_> = found.map(|line| format!("{line}|")).collect();
    expected.sort();
    found.sort();
    assert_same_lines("the table of endpoints in README.md", &found, &expected);
}

/// All families: ours, and those of the registered checks.
pub(crate) fn families() -> Vec<&'static Family> {
    let checks = checks::infos(&defaults());
    let of_checks = checks.iter().flat_map(|info| info.families);
    let all = families::ALL.iter().chain(of_checks).copied();
    #[cfg(feature = "jobs")]
    let all = all.chain(infra_health::jobs::families::ALL.iter().copied());
    all.collect()
}

#[test]
fn the_table_of_metrics_is_the_codes() {
    let row = |family: &&Family| {
        let labels: Vec<_> = family
            .labels
            .iter()
            .map(|label| format!("`{label}`"))
            .collect();
        let (kind, labels) = (family.kind.as_str(), labels.join(", "));
        format!(
            "| `{}` | {kind} | {labels} | {} |",
            family.name, family.help
        )
    };
    let expected: Vec<_> = families().iter().map(row).collect();
    let found = table(&read("README.md"), "<!-- metrics", "<!-- end of metrics");
    assert_same_lines("the table of metrics in README.md", &found, &expected);
}

#[test]
fn families_are_named_as_the_guidelines_say() {
    let mut names = BTreeSet::new();
    for family in families() {
        let Family {
            name, help, kind, ..
        } = family;
        assert!(names.insert(*name), "two families are named {name}");
        assert_eq!(*kind == Kind::Counter, name.ends_with("_total"), "{name}");
        assert!(!help.is_empty() && !help.ends_with('.'), "{name}: {help}");
        let labels = family.labels.iter();
        for word in labels.chain([name]) {
            assert!(
                word.bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'),
                "{word}"
            );
        }
    }
}

/// Every body is JSON of today's form, and every kind of answer is there.
#[test]
#[cfg_attr(
    not(feature = "jobs"),
    ignore = "documents tell of a build with everything"
)]
fn the_transcripts_show_whole_answers() {
    let text = read("docs/transcripts.md");
    let bodies: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("{\""))
        .collect();
    assert!(bodies.len() >= 12, "the bodies are found");
    for body in bodies {
        let parsed: Value = serde_json::from_str(body).unwrap_or_else(|e| panic!("{e}: {body}"));
        let whole = match parsed.get("error") {
            Some(error) => ["code", "message", "request_id"]
                .iter()
                .all(|member| error[member].is_string()),
            None => [
                &["status", "checks", "checked_at"],
                &["status", "delivery_id", "job_id"],
            ]
            .iter()
            .any(|members| members.iter().all(|member| parsed.get(member).is_some())),
        };
        assert!(whole, "{body}");
    }
    let kinds = [
        "200 OK",
        "400",
        "401 Unauthorized",
        "404",
        "405 Method Not Allowed",
        "429 Too Many",
        "503 Service",
        "curl -sI",
        "?verbose",
    ];
    for kind in kinds {
        assert!(text.contains(kind), "no transcript of {kind}");
    }
    let exists: Vec<_> = Scope::Everything(Webhooks::default())
        .endpoints()
        .map(|endpoint| format!("{} {}", endpoint.methods.allow(), endpoint.path))
        .collect();
    let exists = format!("there are {}\"", exists.join("; "));
    assert!(text.contains(&exists), "the 404 names what exists");
}

#[test]
fn the_times_to_notice_are_those_of_the_defaults() {
    let config = defaults();
    let worst = |policy: &Policy, threshold: u32| {
        let late = |every: Duration| every.mul_f64(1.0 + Policy::JITTER) + policy.timeout;
        let total = late(policy.interval) + late(policy.retry_interval) * (threshold - 1);
        format!("**{} s**", total.as_secs_f64())
    };
    let readme = read("README.md");
    for (name, policy) in [
        ("runpod_configured", &config.runpod_policy),
        ("r2_configured", &config.r2_policy),
    ] {
        let row = readme
            .lines()
            .find(|line| line.starts_with("| ") && line.contains(&format!("`{name}` (every")))
            .unwrap_or_else(|| panic!("no row of {name}"));
        for threshold in [policy.failure_threshold, policy.success_threshold] {
            let expected = worst(policy, threshold);
            assert!(
                row.contains(&expected),
                "{name}: expected {expected} in {row}"
            );
        }
        let every = format!("(every {} s)", policy.interval.as_secs());
        assert!(row.contains(&every), "{name}: expected {every} in {row}");
    }
    let calls =
        |policy: &Policy| Duration::from_hours(24 * 30).as_secs() / policy.interval.as_secs();
    assert_eq!(calls(&config.runpod_policy), 86_400);
    assert_eq!(calls(&config.r2_policy), 43_200);
    assert!(readme.contains("| 120 | 86,400 |") && readme.contains("| 60 | 43,200 |"));
}

#[test]
fn the_newest_version_in_the_changelog_is_this_one() {
    let changelog = read("CHANGELOG.md");
    let newest = changelog
        .lines()
        .filter_map(|line| line.strip_prefix("## [")?.split(']').next())
        .find(|version| *version != "Unreleased");
    assert_eq!(newest, Some(env!("CARGO_PKG_VERSION")));
}

/// The words in backquotes that `is_name` takes for names.
fn named(text: &str, is_name: impl Fn(&str) -> bool) -> BTreeSet<&str> {
    let quoted = text.split('`').skip(1).step_by(2);
    quoted.filter(|word| is_name(word)).collect()
}

/// Its numbers and commands are for people to keep; what has a name here, the code has by that name.
#[test]
fn the_operations_guide_names_what_exists() {
    let text = read("docs/operations.md");
    let is_variable = |word: &str| {
        word.contains('_')
            && word
                .bytes()
                .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
    };
    // Of the configuration for HAProxy; and any secret as a file.
    let others = ["CHECK_PATH", "REPLICA_1", "REPLICA_2", "X_FILE"];
    let variables = named(&text, is_variable);
    assert!(variables.len() > 15, "the variables are found");
    let known = |name: &&str| {
        let file = |variable: &Variable| variable.file == Some(name);
        others.contains(name) || VARIABLES.iter().any(|v| v.name == *name || file(v))
    };
    let unknown: Vec<_> = variables.iter().filter(|name| !known(name)).collect();
    assert!(unknown.is_empty(), "no such variables: {unknown:?}");

    let all = families();
    let metrics = named(&text, |word| {
        word.starts_with("infra_health_") && !word.contains(['*', '('])
    });
    assert!(!metrics.is_empty(), "the metrics are found");
    let unknown: Vec<_> = metrics
        .iter()
        .filter(|name| all.iter().all(|family| family.name != **name))
        .collect();
    assert!(unknown.is_empty(), "no such metrics: {unknown:?}");

    let files = named(&text, |word| {
        word.starts_with("deploy/") && !word.contains(' ')
    });
    assert!(files.len() > 5, "the files are found");
    let lost: Vec<_> = files
        .iter()
        .filter(|file| !root().join(file).exists())
        .collect();
    assert!(lost.is_empty(), "no such files: {lost:?}");

    // HAProxy's times, from its own file.
    let haproxy = read("deploy/haproxy/haproxy.cfg");
    for setting in ["inter 2s fastinter 500ms", "fall 3 rise 2"] {
        assert!(
            haproxy.contains(setting) && text.contains(setting),
            "{setting}"
        );
    }
}

/// The anchor that a heading gets: lower case, spaces to hyphens, other signs dropped.
pub(crate) fn slug(heading: &str) -> String {
    let kept = heading.chars().filter_map(|c| match c {
        ' ' => Some('-'),
        '-' | '_' => Some(c),
        c if c.is_alphanumeric() => Some(c.to_ascii_lowercase()),
        _ => None,
    });
    kept.collect()
}

fn anchors(text: &str) -> BTreeSet<String> {
    prose(text)
        .filter(|line| line.starts_with('#'))
        .map(|line| slug(line.trim_start_matches('#').trim()))
        .collect()
}

#[test]
fn every_local_link_leads_somewhere() {
    let mut faults = Vec::new();
    for &document in DOCUMENTS {
        let text = read(document);
        let own: String = prose(&text).flat_map(|line| [line, "\n"]).collect();
        for target in own
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
        {
            if target.starts_with("http") {
                continue;
            }
            let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
            let file: PathBuf = if path.is_empty() {
                root().join(document)
            } else {
                root().join(document).parent().unwrap().join(path)
            };
            let leads_to = |text: String| anchors(&text).contains(anchor);
            let found = if anchor.is_empty() {
                file.exists()
            } else {
                fs::read_to_string(&file).is_ok_and(leads_to)
            };
            if !found {
                faults.push(format!("{document}: {target}"));
            }
        }
    }
    assert!(faults.is_empty(), "dead links:\n{}", faults.join("\n"));
}

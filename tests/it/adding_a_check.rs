//! The exercise of `docs/adding-a-check.md`: what the page shows is compiled here and run as the monitor does.

mod host_memory;

use std::fs;

use infra_health::check::{Context, Finding};
use infra_health::clock::Clock;
use infra_health::config::Policy;
use infra_health::registry::{Info, Registry};
use serde_json::Value;

use self::host_memory::{HostMemoryCheck, MEMORY_LOW};
use crate::docs::{read, section_faults, sections};

const PAGE: &str = "docs/adding-a-check.md";

/// Registers the check for a `meminfo` of this text and runs it once: codes, message, data.
async fn run(meminfo: &str) -> (Vec<&'static str>, String, Option<Value>) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("meminfo");
    fs::write(&path, meminfo).unwrap();
    let mut registry = Registry::new();
    registry
        .add(Policy::default(), move || HostMemoryCheck::new(&path))
        .unwrap();
    assert_eq!(registry.infos()[0].name, "host_memory");
    let cx = Context {
        clock: Clock::default(),
        timeout: Policy::default().timeout,
    };
    let outcome = registry.into_entries()[0].run(&cx).await;
    let codes = outcome.findings.iter().map(|f| f.reason.code).collect();
    let message = outcome.worst().map_or_else(String::new, Finding::message);
    let data = outcome.data.map(|reported| reported.json);
    (codes, message, data)
}

#[tokio::test]
async fn the_exercise_works() {
    let (codes, _, data) = run("MemTotal: 2048000 kB\nMemAvailable: 102400 kB\n").await;
    assert!(codes.is_empty(), "5 % is enough");
    assert_eq!(data.unwrap()["available_kib"], 102_400);

    let (codes, message, _) = run("MemTotal: 2048000 kB\nMemAvailable: 102399 kB\n").await;
    assert_eq!(codes, ["memory_low"]);
    assert_eq!(
        message,
        "the machine has hardly any memory left: 99 MiB of 2000"
    );

    for nonsense in [
        "",
        "MemTotal: 1 kB\n",
        "MemTotal: x kB\nMemAvailable: 1 kB\n",
    ] {
        let (codes, _, data) = run(nonsense).await;
        assert_eq!(codes, ["invalid_response"], "{nonsense:?}");
        assert_eq!(data, None);
    }
}

#[test]
fn the_page_shows_what_is_compiled_and_counts_its_lines() {
    let page = read(PAGE);
    let code = read("tests/it/adding_a_check/host_memory.rs").replace("infra_health::", "crate::");
    assert!(
        page.contains(&format!("```rust\n{code}```\n")),
        "{PAGE} does not show tests/it/adding_a_check/host_memory.rs"
    );
    let lines = code.lines().filter(|line| !line.trim().is_empty()).count();
    let row = format!("| `src/checks/host_memory.rs` | {lines} |");
    assert!(page.contains(&row), "expected: {row}");
}

#[test]
fn the_page_has_the_runbook_section_of_the_new_reason() {
    let page = read(PAGE);
    let shown = page.split("````").nth(1).unwrap();
    let shown = shown.strip_prefix("markdown\n").unwrap();
    let sections = sections(shown);
    let info = Info::of::<HostMemoryCheck>(Policy::default());
    assert_eq!(info.reasons, [&MEMORY_LOW]);
    for reason in info.reasons {
        assert_eq!(section_faults(&sections, reason), Vec::<String>::new());
    }
    let row = format!("| `docs/runbook.md` | {} |", shown.lines().count());
    assert!(page.contains(&row), "expected: {row}");
}

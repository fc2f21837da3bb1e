//! Imports go one way: asking, deciding and answering cannot grow into each other unnoticed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// What any module may use.
const FOUNDATION: &[&str] = &["clock", "detail", "reason", "histogram", "sample"];
/// What only wires the others together, and may use all of them.
const WIRING: &[&str] = &["app", "cli", "main"];

/// Each module and what it may use, in reading order; a module may always use itself.
const ALLOWED: &[(&str, &[&str])] = &[
    // The foundation uses nothing but itself, without a circle: `reason` and `detail` and `clock` stand alone.
    ("clock", &[]),
    ("detail", &[]),
    ("reason", &[]),
    ("histogram", &[]),
    ("sample", &["detail", "histogram"]),
    ("calls", &[]),
    ("vitals", &[]),
    ("panics", &[]),
    ("supervise", &[]),
    ("peer", &[]),
    ("check", FOUNDATION),
    ("config", FOUNDATION),
    // Knows nothing of checks nor of HTTP: who wants to know of jobs asks it.
    (
        "jobs",
        &["clock", "detail", "reason", "histogram", "sample", "config"],
    ),
    (
        "registry",
        &["clock", "detail", "reason", "sample", "check", "config"],
    ),
    // Asking. Not `state` nor anything after it: a check never knows what became of its last result.
    (
        "checks",
        &[
            "clock", "detail", "reason", "sample", "calls", "check", "config", "jobs", "registry",
            "vitals",
        ],
    ),
    // Deciding.
    (
        "state",
        &["clock", "detail", "reason", "histogram", "check", "config"],
    ),
    ("history", &["clock", "reason", "state"]),
    (
        "snapshot",
        &[
            "clock", "detail", "reason", "check", "config", "registry", "state", "history",
        ],
    ),
    (
        "answers",
        &[
            "clock", "detail", "reason", "check", "jobs", "registry", "state", "history",
            "snapshot",
        ],
    ),
    // Reads what the others count, and counts nothing itself.
    (
        "metrics",
        &[
            "detail",
            "histogram",
            "sample",
            "calls",
            "vitals",
            "history",
            "snapshot",
            "answers",
        ],
    ),
    // Not `checks`: which ones there are is none of its business.
    (
        "monitor",
        &[
            "clock",
            "detail",
            "reason",
            "check",
            "config",
            "registry",
            "state",
            "snapshot",
            "answers",
            "supervise",
            "vitals",
        ],
    ),
    // A room of its own: what the service asks of its upstreams is none of its business, nor how it answers.
    (
        "jobs",
        &[
            "clock",
            "detail",
            "reason",
            "histogram",
            "sample",
            "panics",
            "config",
        ],
    ),
    // Answering. Never `checks`: no request can reach an upstream.
    (
        "http",
        &[
            "clock",
            "detail",
            "reason",
            "histogram",
            "sample",
            "config",
            "jobs",
            "registry",
            "snapshot",
            "answers",
            "metrics",
            "monitor",
            "panics",
            "peer",
            "vitals",
        ],
    ),
    ("serve", &["config", "peer"]),
    // Telling a service manager, which is answering as well.
    (
        "systemd",
        &["config", "snapshot", "answers", "monitor", "serve"],
    ),
    ("telemetry", &["clock", "config", "panics"]),
];

/// One source file without comments and unit tests.
struct Source {
    /// Below `src/`, with forward slashes.
    path: String,
    code: String,
}

impl Source {
    /// `checks` for `checks/r2/mod.rs`, `check` for `check.rs`.
    fn module(&self) -> &str {
        let first = self.path.split('/').next().unwrap();
        first.trim_end_matches(".rs")
    }

    /// The top-level modules of this crate that the file names.
    fn uses(&self) -> BTreeSet<&str> {
        let mut uses = BTreeSet::new();
        for root in ["crate::", "infra_health::"] {
            for (at, _) in self.code.match_indices(root) {
                // `$crate::` in a macro is a path of the crate as well; `my_crate::` is not.
                let before = self.code[..at].bytes().next_back().unwrap_or(b' ');
                if before.is_ascii_alphanumeric() || before == b'_' {
                    continue;
                }
                uses.extend(first_segments(&self.code[at + root.len()..]));
            }
        }
        // In a file of the top level, `super` is the crate's root.
        if !self.path.contains('/') {
            for (at, _) in self.code.match_indices("super::") {
                uses.extend(first_segments(&self.code[at + "super::".len()..]));
            }
        }
        uses.remove(self.module());
        uses
    }
}

/// `a` of `a::b`; `a` and `c` of `{a::b, c::{d, e}}`.
fn first_segments(path: &str) -> Vec<&str> {
    let Some(group) = path.strip_prefix('{') else {
        return word(path).into_iter().collect();
    };
    let (mut depth, mut start, mut found) = (0_usize, 0, Vec::new());
    for (at, sign) in group.char_indices() {
        match sign {
            '{' => depth += 1,
            '}' | ',' if depth == 0 => {
                found.extend(word(group[start..at].trim_start()));
                start = at + 1;
                if sign == '}' {
                    break;
                }
            }
            '}' => depth -= 1,
            _ => {}
        }
    }
    found
}

fn word(text: &str) -> Option<&str> {
    let end = text
        .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .unwrap_or(text.len());
    let word = &text[..end];
    // A type or macro of the crate's root, not a module, begins otherwise.
    word.starts_with(|c: char| c.is_ascii_lowercase())
        .then_some(word)
}

fn without_comments_and_tests(text: &str) -> String {
    let mut code = String::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let is_test =
            line == "#[cfg(test)]" && lines.peek().is_some_and(|next| next.starts_with("mod "));
        if is_test {
            break;
        }
        if !line.trim_start().starts_with("//") {
            code.push_str(line.split(" // ").next().unwrap());
            code.push('\n');
        }
    }
    code
}

fn sources() -> Vec<Source> {
    fn collect(directory: &Path, below: &str, sources: &mut Vec<Source>) {
        for entry in fs::read_dir(directory).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            let path = format!("{below}{name}");
            if entry.file_type().unwrap().is_dir() {
                if name != "tests" {
                    collect(&entry.path(), &format!("{path}/"), sources);
                }
            } else if entry.path().extension() == Some("rs".as_ref()) && name != "tests.rs" {
                let code = without_comments_and_tests(&fs::read_to_string(entry.path()).unwrap());
                sources.push(Source { path, code });
            }
        }
    }
    let mut sources = Vec::new();
    collect(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        "",
        &mut sources,
    );
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(sources.len() > 20, "the sources are found");
    sources
}

fn faults(sources: &[Source]) -> Vec<String> {
    let allowed: BTreeMap<&str, &[&str]> = ALLOWED.iter().copied().collect();
    let mut faults = Vec::new();
    for source in sources {
        let module = source.module();
        if WIRING.contains(&module) || module == "lib" {
            continue;
        }
        let Some(allowed) = allowed.get(module) else {
            faults.push(format!(
                "src/{}: {module} is not in the table of this test",
                source.path
            ));
            continue;
        };
        for used in source.uses() {
            if !allowed.contains(&used) {
                faults.push(format!("src/{}: {module} may not use {used}", source.path));
            }
        }
    }
    faults
}

#[test]
fn imports_go_one_way() {
    let faults = faults(&sources());
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_table_itself_has_no_circle() {
    for (index, (module, allowed)) in ALLOWED.iter().enumerate() {
        for used in *allowed {
            let at = ALLOWED.iter().position(|(name, _)| name == used);
            let at = at.unwrap_or_else(|| panic!("{module} may use {used}, which has no row"));
            assert!(at < index, "{module} may use {used}, which comes after it");
        }
    }
}

/// Who may name what of the outside world.
const OUTSIDE: &[(&str, &[&str])] = &[
    ("axum", &["http/"]),
    // Its client in `checks`; elsewhere only its `Url`, see below.
    ("reqwest", &["checks/", "config/", "cli/probe.rs"]),
    ("std::env::", &["config/"]),
    ("env::var", &["config/"]),
    ("TcpStream::connect", &["checks/", "cli/probe.rs"]),
    // To listen; it connects nowhere.
    ("TcpSocket", &["serve/accept.rs"]),
    // The job store's driver has connections of its own; its log lines are switched off by its name.
    ("sqlx", &["jobs/store/", "telemetry.rs"]),
    ("UdpSocket", &[]),
    ("UnixStream", &[]),
    // One way: to the service manager.
    ("UnixDatagram", &["systemd/socket.rs"]),
];

#[test]
fn the_outside_world_has_one_door_each() {
    let mut faults = Vec::new();
    for source in sources() {
        for (name, allowed) in OUTSIDE {
            let here = allowed.iter().any(|place| source.path.starts_with(place));
            if names(&source.code, name) && !here {
                faults.push(format!(
                    "src/{}: {name} belongs in {allowed:?}",
                    source.path
                ));
            }
        }
        let opens = names(&source.code, "reqwest") && !source.path.starts_with("checks/");
        if opens && source.code.replace("reqwest::Url", "").contains("reqwest") {
            faults.push(format!(
                "src/{}: of reqwest only Url may be used here",
                source.path
            ));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Whether `name` stands in `code` and not inside a longer word.
fn names(code: &str, name: &str) -> bool {
    code.match_indices(name).any(|(at, _)| {
        let before = code[..at].bytes().next_back().unwrap_or(b' ');
        !before.is_ascii_alphanumeric() && before != b'_'
    })
}

#[test]
fn the_reader_of_imports_sees_what_it_should() {
    let text = "//! [`crate::http`]\nuse crate::check::{Check, Outcome};\nuse crate::{state::State, answers::{a, b}, clock};\n\
                // crate::serve\nfn f() { $crate::reason::x(); my_crate::app(); crate::snapshot::fold() } // crate::cli\n\
                use super::config;\n#[cfg(test)]\nmod tests {\n    use crate::monitor::M;\n}\n";
    let source = Source {
        path: "registry.rs".to_owned(),
        code: without_comments_and_tests(text),
    };
    let expected = [
        "answers", "check", "clock", "config", "reason", "snapshot", "state",
    ];
    assert_eq!(source.uses(), BTreeSet::from(expected));
    assert_eq!(source.module(), "registry");
    let found = faults(&[source]);
    assert_eq!(
        found,
        ["answers", "snapshot", "state"]
            .map(|used| format!("src/registry.rs: registry may not use {used}"))
    );
}

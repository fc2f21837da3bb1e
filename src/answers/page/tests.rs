use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::*;
use crate::check::{Finding, Reported};
use crate::clock::{Clock, Now};
use crate::config::Policy;
use crate::reason::{CONNECT_ERROR, MISSING_CONFIG, RATE_LIMITED, Reason, STALE};
use crate::registry::{DataSchema, Info};
use crate::snapshot::CheckSet;
use crate::state::{Run, next};

/// No check of ours has such a name or such data; the page must not depend on that.
const HOSTILE: &str = "</script><img src=x onerror=alert(1)>\"'&";

struct World {
    start: Now,
    snapshot: Snapshot,
    options: PageOptions,
}

impl World {
    fn of(names: &[&'static str]) -> Self {
        let infos: Vec<_> = names
            .iter()
            .map(|&name| Info {
                name,
                about_this_process: false,
                reasons: &[],
                timed: &[],
                data: DataSchema::of::<()>(),
                families: &[],
                policy: Policy::default(),
            })
            .collect();
        World {
            start: Clock::default().now(),
            snapshot: Snapshot::starting(&infos),
            options: PageOptions {
                answer: Options::default(),
                takes_key: true,
                jobs: None,
            },
        }
    }

    fn with_details(mut self) -> Self {
        self.options.answer.details = true;
        self.options.answer.version = true;
        self
    }

    fn result(mut self, index: usize, second: u64, reason: Option<&'static Reason>) -> Self {
        let check = &mut self.snapshot.checks[index];
        let run = Run {
            findings: reason.map(Finding::new).into_iter().collect(),
            data: Some(Arc::new(Reported {
                json: json!({ "bucket": "renders", HOSTILE: HOSTILE }),
                samples: Vec::new(),
            })),
            at: self.start.plus(Duration::from_secs(second)),
            latency: Duration::ZERO,
        };
        let at = run.at;
        check.state = Arc::new(next(&check.state, run, &check.info.policy));
        check.notice(at);
        self
    }

    /// The page so many seconds after the start.
    fn at(&self, second: u64) -> String {
        let at = Moment {
            now: self.start.mono + Duration::from_secs(second),
            stalled: false,
        };
        shown(&page(&self.snapshot, &self.options, at))
    }
}

fn shown(answer: &Answer) -> String {
    assert_eq!((answer.status, answer.media), (StatusCode::OK, Media::Html));
    let text = answer.body.clone().with_id("");
    String::from_utf8(text.to_vec()).unwrap()
}

/// What the page says beyond its own static parts.
fn main_of(page: &str) -> &str {
    let (_, rest) = page.split_once("<main").unwrap();
    rest.split_once("</main>").unwrap().0
}

#[test]
fn anybody_sees_state_and_age_and_no_more() {
    let world = World::of(&["api", "r2"])
        .result(0, 0, None)
        .result(1, 3, Some(&MISSING_CONFIG));
    let page = world.at(65);
    let main = main_of(&page);
    for told in [
        "data-state=\"degraded\"",
        "r2 fails.",
        "checked <time",
        "1 min ago",
    ] {
        assert!(main.contains(told), "{told}: {main}");
    }
    let reason = &MISSING_CONFIG;
    for hidden in [
        reason.code,
        reason.message,
        reason.remedy,
        "runbook",
        "renders",
        "since",
        "rect",
    ] {
        assert!(!main.contains(hidden), "{hidden}: {main}");
    }
    assert!(!page.contains(env!("CARGO_PKG_VERSION")));
    assert!(page.contains("<title>✕ degraded"));
    assert!(page.len() < 22_000, "{} bytes", page.len());
    assert!(page.contains("id=\"unlock\""));
}

#[test]
fn with_details_it_says_why_what_to_do_and_what_was_before() {
    let world = World::of(&["r2"])
        .result(0, 0, None)
        .result(0, 10, Some(&CONNECT_ERROR))
        .result(0, 20, Some(&CONNECT_ERROR))
        .result(0, 30, Some(&CONNECT_ERROR))
        .with_details();
    let page = world.at(40);
    let main = main_of(&page);
    let reason = &CONNECT_ERROR;
    for told in [
        reason.code,
        reason.remedy,
        "docs/runbook.md#connect_error",
        "Failing since",
        "<dt>bucket</dt><dd>renders</dd>",
        "role=\"img\" aria-label=\"2 changes in the last 40 s",
        env!("CARGO_PKG_VERSION"),
    ] {
        assert!(main.contains(told), "{told}: {main}");
    }
    // The newest first in words, the oldest first along the strip.
    let place = |what: &str| main.find(what).unwrap_or_else(|| panic!("{what}: {main}"));
    assert!(place("<li class=\"fail\"") < place("<li class=\"pass\""));
    assert!(place("<rect class=\"pass\"") < place("<rect class=\"fail\""));
}

#[test]
fn the_jobs_are_for_those_who_may_see_details() {
    let mut world = World::of(&["api"]).result(0, 0, None);
    world.options.jobs = Some(html! { section.jobs { "of the jobs" } });
    assert!(!world.at(1).contains("of the jobs"));
    let page = world.with_details().at(1);
    assert!(main_of(&page).contains("of the jobs"));
}

#[test]
fn the_four_words_and_what_does_not_count() {
    let starting = World::of(&["api", "r2"]).result(0, 0, None);
    let page = starting.at(1);
    assert!(main_of(&page).contains("data-state=\"starting\""));
    assert!(page.contains("Waiting for the first result of r2."));
    assert!(page.contains("not checked yet"));

    let known_bad = World::of(&["api", "r2"]).result(0, 0, Some(&MISSING_CONFIG));
    let page = known_bad.at(1);
    assert!(main_of(&page).contains("data-state=\"degraded\""));
    assert!(page.contains("api fails."), "{page}");

    let mut excluded =
        World::of(&["api", "r2"])
            .result(0, 0, None)
            .result(1, 0, Some(&MISSING_CONFIG));
    excluded.options.answer.excluded = CheckSet::EMPTY.with(1);
    let page = excluded.at(1);
    assert!(main_of(&page).contains("data-state=\"healthy\""));
    assert_eq!(page.matches("does not count").count(), 1);
    // It fails in plain sight, and why is not for anybody.
    assert!(page.contains("Every check that counts passes."));
    assert!(!page.contains(MISSING_CONFIG.code) && !page.contains(MISSING_CONFIG.remedy));

    let page = shown(&locked_page());
    assert!(main_of(&page).contains("data-state=\"locked\""));
    assert!(page.contains("id=\"unlock\"") && !page.contains("<article"));
}

#[test]
fn a_warning_shows_and_a_stale_result_is_told_by_its_age() {
    let world = World::of(&["r2"])
        .result(0, 0, None)
        .result(0, 30, Some(&RATE_LIMITED));
    let page = world.at(31);
    assert!(main_of(&page).contains("data-state=\"healthy\""));
    assert!(page.contains("Every check passes, with a warning from r2."));
    assert!(page.contains("passing, with a warning"));
    let stale_after = Policy::default().stale_after().as_secs();
    let page = world.at(stale_after);
    assert!(main_of(&page).contains("data-state=\"degraded\""));
    assert!(page.contains("failing: no recent result"));
    assert!(!page.contains(STALE.remedy));
}

#[test]
fn nothing_that_is_shown_is_markup() {
    let world = World::of(&[HOSTILE]).result(0, 0, Some(&CONNECT_ERROR));
    for page in [world.at(1), world.with_details().at(1)] {
        assert!(!page.contains("<img"), "{page}");
        assert!(!main_of(&page).contains("</script"), "{page}");
        assert_eq!(page.matches("<script").count(), 1);
        assert!(page.contains("&lt;img src=x"), "{page}");
        assert!(!page.contains("x onerror=alert(1)>\"'&\""), "{page}");
    }
}

#[test]
fn the_longest_history_fits_too() {
    let mut world = World::of(&["api", "runpod_configured", "r2_configured"]).with_details();
    for second in 0..60 {
        for index in 0..3 {
            let reason = (second % 2 == 0).then_some(&RATE_LIMITED);
            world = world.result(index, second, reason);
        }
    }
    let page = world.at(61);
    assert_eq!(
        page.matches("<rect").count(),
        3 * crate::history::History::CAPACITY
    );
    assert!(page.len() < 45_000, "{} bytes", page.len());
}

#[test]
fn style_and_script_cannot_end_their_elements() {
    assert!(!STYLE.contains("</") && !SCRIPT.contains("</") && !SCRIPT.contains("<!--"));
    let page = World::of(&["api"]).at(0);
    assert!(page.contains(&format!("<style>{STYLE}</style>")));
    assert!(page.contains(&format!("<script>{SCRIPT}</script>")));
    // Neither has a place of its own: all that is inline is allowed by its hash.
    assert!(!page.contains(" style=") && !page.contains(" src=") && !page.contains(" onclick"));
}

#[test]
fn ages_are_told_in_milliseconds_to_the_script() {
    let world = World::of(&["api"]).result(0, 0, None);
    let page = world.at(7);
    assert!(page.contains("data-age=\"7000\""), "{page}");
}

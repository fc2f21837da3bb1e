//! One entry a check: state and age for anybody, the rest where details are shown.

use maud::{Markup, html};

use super::age::{ago, utc};
use super::condition::Condition;
use super::{data, shape, strip};
use crate::answers::Options;
use crate::clock::Now;
use crate::snapshot::{Checked, Moment, Snapshot, View};

pub(super) fn markup(snapshot: &Snapshot, options: &Options, at: Moment) -> Markup {
    html! {
        section.checks aria-label="Checks" {
            @for (index, check) in snapshot.checks.iter().enumerate() {
                (entry(check, options.excluded.contains(index), options.details, at))
            }
        }
    }
}

fn entry(check: &Checked, excluded: bool, details: bool, at: Moment) -> Markup {
    let view = check.view(at);
    let condition = Condition::of(check, &view);
    let name = check.info.name;
    html! {
        article class={ "check " (condition.name()) } id={ "check-" (name) } {
            div.row {
                (shape(condition.name()))
                h2 { (name) }
                p.state {
                    (condition.words())
                    @if excluded { span.note { "does not count" } }
                }
                p.age {
                    @match check.state.judged_at {
                        Some(judged) => { "checked " (ago(judged, at.now)) }
                        None => "not checked yet",
                    }
                }
            }
            @if details { (more(check, &view, at)) }
        }
    }
}

fn more(check: &Checked, view: &View, at: Moment) -> Markup {
    html! {
        div.more {
            @for finding in &view.findings {
                div.finding {
                    p.message { (capital(&finding.message())) "." }
                    @if !finding.reason.remedy.is_empty() {
                        p { b { "Remedy: " } (finding.reason.remedy) "." }
                    }
                    p.codes { code { (finding.reason.code) } " · " code { (finding.reason.doc()) } }
                }
            }
            @if let Some(since) = since(check, view) {
                p.since {
                    (capital(Condition::from(view.status).words())) " since "
                    (utc(since)) ", " (ago(since, at.now))
                }
            }
            (strip::markup(check, at))
            @if let Some(data) = check.state.last.as_ref().and_then(|run| run.data.as_deref()) {
                details id={ "data-" (check.info.name) } {
                    summary id={ "data-of-" (check.info.name) } { "Data of the last run" }
                    (data::markup(&data.json))
                }
            }
        }
    }
}

/// Since when the status is what it is. One that has just turned and is not yet taken down, within a
/// second, is told by its verdict.
fn since(check: &Checked, view: &View) -> Option<Now> {
    let newest = check.history.recent().next();
    newest
        .filter(|newest| newest.to == view.status)
        .map(|newest| newest.at)
        .or(check.state.since)
}

/// Messages are written in lower case, for logs.
fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}

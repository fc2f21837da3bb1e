//! The status page: one self-contained document, complete without its script.
//!
//! Everything that is not literal passes through `maud`, which escapes it.

mod age;
mod checks;
mod condition;
mod data;
#[cfg(feature = "jobs")]
pub mod jobs;
mod overall;
mod strip;

use http::StatusCode;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{Answer, Body, Media, Options};
use crate::snapshot::{Moment, Snapshot};
use overall::Overall;

/// The inline style; a policy that allows it by its hash needs its very text.
pub const STYLE: &str = include_str!("style.css");
/// The inline script; likewise.
pub const SCRIPT: &str = include_str!("script.js");
/// The shapes that tell states apart without colour; static, so not escaped.
const SHAPES: &str = include_str!("shapes.svg");

/// What the page for one caller holds besides the states.
#[derive(Debug, Clone)]
pub struct PageOptions {
    /// `excluded`, `details` and `version` count here.
    pub answer: Options,
    /// Whether a key could show this caller more: then there is a place to enter one.
    pub takes_key: bool,
    /// The section about the jobs, where there is something to show of them; shown with details only.
    pub jobs: Option<Markup>,
}

/// The status page. Always 200, also where degraded is 503: it is read by people, and the state is in it.
pub fn page(snapshot: &Snapshot, options: &PageOptions, at: Moment) -> Answer {
    let answer = &options.answer;
    let overall = Overall::of(snapshot, answer.excluded, at);
    let main = html! {
        main data-state=(overall.word()) data-details=(answer.details) {
            (overall.markup(snapshot, answer.excluded, at))
            (checks::markup(snapshot, answer, at))
            @if let Some(jobs) = options.jobs.as_ref().filter(|_| answer.details) { (jobs) }
            @if answer.version {
                p.version { "infra-health " (env!("CARGO_PKG_VERSION")) }
            }
        }
    };
    document(overall, &main, options.takes_key)
}

/// The page for a caller who may not see any state without a key.
pub fn locked_page() -> Answer {
    let overall = Overall::Locked;
    let main = html! {
        main data-state=(overall.word()) data-details="false" {
            section.verdict.locked {
                h1 { (shape("key")) span { "Key needed" } }
                p { "This service shows its state to holders of an operator key." }
            }
        }
    };
    document(overall, &main, true)
}

fn document(overall: Overall, main: &Markup, takes_key: bool) -> Answer {
    let text = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                title { (overall.title()) }
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="robots" content="noindex";
                link #icon rel="icon" type="image/svg+xml" href=(overall.icon());
                noscript { meta http-equiv="refresh" content="15"; }
                style { (PreEscaped(STYLE)) }
            }
            body {
                (PreEscaped(SHAPES))
                header {
                    p.name { "infra-health" }
                    p #live { noscript { "reloads every 15 s" } }
                }
                // Shown by the script alone, when no answer comes.
                section #lost.verdict.lost hidden data-icon=(overall::LOST_ICON) {
                    p.word { (shape("unknown")) span { "Unreachable" } }
                    p #why role="alert" {}
                }
                (main)
                footer { @if takes_key { (key_form()) } }
                p #changed.unseen role="status" {}
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    Answer {
        status: StatusCode::OK,
        media: Media::Html,
        body: Body::Whole(text.into_string().into()),
    }
}

/// Does nothing without the script, and is hidden without it: a browser sends no header by itself.
fn key_form() -> Markup {
    html! {
        form #unlock hidden {
            label for="key" { "Operator key" }
            div.entry {
                input #key type="password" autocomplete="off" spellcheck="false" maxlength="512"
                    required aria-describedby="about told";
                button { "Show details" }
            }
            p #about { "Shows reasons, remedies and data. Kept in this tab’s memory, and nowhere else." }
            p #told role="alert" {}
        }
        p #unlocked hidden {
            span { "The page is asked for with your key. " }
            button #forget type="button" { "Forget the key" }
        }
        noscript {
            p {
                "With an operator key the details are at "
                code { "curl -H \"X-Api-Key: …\" …/health?verbose" }
            }
        }
    }
}

/// A shape of `shapes.svg`; words next to it say the same.
fn shape(name: &str) -> Markup {
    html! {
        svg.shape aria-hidden="true" viewBox="0 0 24 24" { use href={ "#shape-" (name) } {} }
    }
}

#[cfg(test)]
mod tests;

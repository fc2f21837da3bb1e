//! The one huge word, and the sentence under it.

use maud::{Markup, html};

use super::age::ago;
use super::shape;
use crate::snapshot::{CheckSet, Checked, Moment, Snapshot, Status};

macro_rules! icon {
    ($($inner:literal)*) => {
        concat!(
            "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 24 24' fill='none' ",
            "stroke='white' stroke-width='2.6' stroke-linecap='round'>", $($inner,)* "</svg>"
        )
    };
}

/// While no answer comes.
pub(super) const LOST_ICON: &str = icon!(
    "<path d='M12 0 24 12 12 24 0 12z' fill='%232a2f2c' stroke='none'/>"
    "<path d='M9.5 10c0-3 5-3 5 0 0 1.8-2.5 1.8-2.5 4m0 3.5h0'/>"
);

/// What the page says of all checks together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Overall {
    /// Every counted check is true.
    Healthy,
    /// A counted check is false that has a result.
    Degraded,
    /// Nothing is known to be wrong, but a counted check has no result yet. `/health` says `degraded`
    /// then: it has no third word.
    Starting,
    /// The caller may not see it.
    Locked,
}

impl Overall {
    pub(super) fn of(snapshot: &Snapshot, excluded: CheckSet, at: Moment) -> Self {
        if snapshot.fold(excluded, at).healthy {
            Overall::Healthy
        } else if counted(snapshot, excluded).any(|check| !check.ok(at) && !check.is_starting()) {
            Overall::Degraded
        } else {
            Overall::Starting
        }
    }

    /// Its class in the style, and the word.
    pub(super) fn word(self) -> &'static str {
        match self {
            Overall::Healthy => "healthy",
            Overall::Degraded => "degraded",
            Overall::Starting => "starting",
            Overall::Locked => "locked",
        }
    }

    fn shape(self) -> &'static str {
        match self {
            Overall::Healthy => "pass",
            Overall::Degraded => "fail",
            Overall::Starting => "starting",
            Overall::Locked => "key",
        }
    }

    /// For the tab.
    pub(super) fn title(self) -> &'static str {
        match self {
            Overall::Healthy => "✓ healthy – infra-health",
            Overall::Degraded => "✕ degraded – infra-health",
            Overall::Starting => "… starting – infra-health",
            Overall::Locked => "infra-health",
        }
    }

    /// For the tab, too: the shapes again, coloured, as there is no other way to colour a tab.
    pub(super) fn icon(self) -> &'static str {
        match self {
            Overall::Healthy => icon!(
                "<circle cx='12' cy='12' r='12' fill='%230b6b3a' stroke='none'/>"
                "<path d='m7 12.5 3.5 3.5L17 9'/>"
            ),
            Overall::Degraded => icon!(
                "<path d='M7 0h10l7 7v10l-7 7H7l-7-7V7z' fill='%23b3261e' stroke='none'/>"
                "<path d='m8 8 8 8m0-8-8 8'/>"
            ),
            Overall::Starting => icon!(
                "<circle cx='12' cy='12' r='12' fill='%2344546a' stroke='none'/>"
                "<path d='M6.5 12h0m5.5 0h0m5.5 0h0'/>"
            ),
            Overall::Locked => icon!(
                "<circle cx='12' cy='12' r='12' fill='%2344546a' stroke='none'/>"
                "<circle cx='8' cy='12' r='3'/><path d='M11 12h8v3'/>"
            ),
        }
    }

    pub(super) fn markup(self, snapshot: &Snapshot, excluded: CheckSet, at: Moment) -> Markup {
        let results: Option<Vec<_>> = counted(snapshot, excluded)
            .map(|check| check.state.judged_at)
            .collect();
        let oldest = results.and_then(|all| all.into_iter().min_by_key(|result| result.mono));
        html! {
            section class={ "verdict " (self.word()) } {
                h1 { (shape(self.shape())) span { (self.word()) } }
                p { (self.sentence(snapshot, excluded, at)) }
                @if let Some(oldest) = oldest {
                    p.rests { "Oldest result: " (ago(oldest, at.now)) }
                }
            }
        }
    }

    fn sentence(self, snapshot: &Snapshot, excluded: CheckSet, at: Moment) -> String {
        let named = |wanted: &dyn Fn(&Checked) -> bool| {
            let checks = counted(snapshot, excluded).filter(|check| wanted(check));
            checks.map(|check| check.info.name).collect::<Vec<_>>()
        };
        match self {
            Overall::Healthy => {
                let warned = named(&|check| check.view(at).status == Status::Warn);
                let counts = if excluded.is_empty() {
                    ""
                } else {
                    " that counts"
                };
                match warned.as_slice() {
                    [] => format!("Every check{counts} passes."),
                    warned => format!(
                        "Every check{counts} passes, with a warning from {}.",
                        list(warned)
                    ),
                }
            }
            Overall::Degraded => {
                let failing = named(&|check| !check.ok(at) && !check.is_starting());
                let verb = if failing.len() == 1 { "fails" } else { "fail" };
                format!("{} {verb}.", list(&failing))
            }
            Overall::Starting => {
                let waiting = named(&Checked::is_starting);
                format!("Waiting for the first result of {}.", list(&waiting))
            }
            Overall::Locked => String::new(),
        }
    }
}

fn counted(snapshot: &Snapshot, excluded: CheckSet) -> impl Iterator<Item = &Checked> {
    let checks = snapshot.checks.iter().enumerate();
    checks
        .filter(move |&(index, _)| !excluded.contains(index))
        .map(|(_, check)| check)
}

/// `a`, `a and b`, `a, b and c`.
fn list(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [only] => (*only).to_owned(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_listed_as_people_do() {
        assert_eq!(list(&["a"]), "a");
        assert_eq!(list(&["a", "b"]), "a and b");
        assert_eq!(list(&["a", "b", "c"]), "a, b and c");
    }
}

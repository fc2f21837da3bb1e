//! Names that senders choose, for metrics and signals: of a narrow form, and only so many of them.

use std::collections::BTreeSet;

use crate::detail::Label;

use super::text;

/// Different names that are told apart; further ones are [`other`].
pub(super) const MOST: usize = 30;

/// What has no name.
const UNKNOWN: &str = "unknown";
const OTHER: &str = "other";

/// All names beyond the bound together.
pub(super) fn other() -> Label {
    literal(OTHER)
}

/// A model as it is shown; `unknown` where nobody named it.
pub(super) fn model(told: Option<&str>) -> Label {
    told.and_then(text::word)
        .and_then(Label::new)
        .unwrap_or_else(|| literal(UNKNOWN))
}

fn literal(name: &'static str) -> Label {
    #[expect(clippy::expect_used, reason = "the two literals above are letters")]
    Label::new(name).expect("letters are a label")
}

/// The first [`MOST`] names, and those that were known before.
#[derive(Debug, Default)]
pub(super) struct Bounded(BTreeSet<Label>);

impl Bounded {
    /// Knows `names` from the start.
    pub(super) fn knowing(names: impl IntoIterator<Item = Label>) -> Self {
        Bounded(names.into_iter().collect())
    }

    /// `name` itself if it is known or there is room for it.
    pub(super) fn of(&mut self, name: Label) -> Label {
        if self.0.contains(&name) {
            return name;
        }
        if self.0.len() >= MOST {
            return other();
        }
        self.0.insert(name.clone());
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_an_end_to_names() {
        let mut names = Bounded::knowing([model(Some("configured"))]);
        for n in 0..100 {
            names.of(model(Some(&format!("m{n}"))));
        }
        assert_eq!(names.0.len(), MOST);
        assert_eq!(names.of(model(Some("m0"))).as_str(), "m0");
        assert_eq!(names.of(model(Some("m99"))).as_str(), OTHER);
        assert_eq!(names.of(model(Some("configured"))).as_str(), "configured");
        assert_eq!(model(None).as_str(), UNKNOWN);
        assert_eq!(model(Some("a model/2")).as_str(), "a_model_2");
    }
}

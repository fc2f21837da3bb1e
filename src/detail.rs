//! Text that may be shown to a caller: literals, numbers and names from the configuration.
//!
//! There is no constructor that takes an upstream's text, so none can reach an answer.

use std::borrow::Cow;
use std::fmt;

use serde::Serialize;
use utoipa::ToSchema;

/// Specifics of a finding, made of parts that cannot hold an upstream's text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Detail(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Static(&'static str),
    Number(i64),
    Label(Label),
}

impl Detail {
    /// No specifics yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a literal.
    #[must_use]
    pub fn text(mut self, text: &'static str) -> Self {
        self.0.push(Part::Static(text));
        self
    }

    /// Appends a number.
    #[must_use]
    pub fn number(mut self, number: impl TryInto<i64>) -> Self {
        self.0
            .push(Part::Number(number.try_into().unwrap_or(i64::MAX)));
        self
    }

    /// Appends a configured name.
    #[must_use]
    pub fn label(mut self, label: &Label) -> Self {
        self.0.push(Part::Label(label.clone()));
        self
    }

    /// Appends literals with `, ` between them.
    #[must_use]
    pub fn list(mut self, items: impl IntoIterator<Item = &'static str>) -> Self {
        for (index, item) in items.into_iter().enumerate() {
            if index > 0 {
                self.0.push(Part::Static(", "));
            }
            self.0.push(Part::Static(item));
        }
        self
    }

    /// Appends another detail.
    #[must_use]
    pub fn then(mut self, other: &Detail) -> Self {
        self.0.extend(other.0.iter().cloned());
        self
    }

    /// Whether there is nothing to tell.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Detail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in &self.0 {
            match part {
                Part::Static(text) => f.write_str(text)?,
                Part::Number(number) => write!(f, "{number}")?,
                Part::Label(label) => f.write_str(label.as_str())?,
            }
        }
        Ok(())
    }
}

/// A short name from the configuration: 1 to 128 characters of `[A-Za-z0-9._:-]`. Endpoint aliases, ids,
/// buckets and hosts fit; a sentence, a URL with user info or an Authorization value does not.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = String, pattern = "^[A-Za-z0-9._:-]{1,128}$")]
pub struct Label(Cow<'static, str>);

impl Label {
    /// Takes `text` if it has the form of a label.
    pub fn new(text: impl Into<Cow<'static, str>>) -> Option<Self> {
        let text = text.into();
        let fits = (1..=128).contains(&text.len())
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"._:-".contains(&b));
        fits.then_some(Label(text))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_refuse_sentences_and_empty() {
        for bad in ["", "two words", "Bearer x", "a/b", "é"] {
            assert_eq!(Label::new(bad), None, "{bad}");
        }
        assert!(Label::new("a".repeat(129)).is_none());
    }
}

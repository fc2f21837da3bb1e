//! A strict reader of Prometheus' text format 0.0.4.

use std::collections::{BTreeMap, BTreeSet};

use super::caller::Caller;

type Labels = BTreeMap<String, String>;

/// One page.
#[derive(Debug)]
pub(crate) struct Page {
    /// Name and type, in the order of the page.
    pub(crate) families: Vec<(String, String)>,
    series: BTreeMap<(String, Labels), f64>,
}

impl Page {
    /// The page of `scrapes`, which asks for no key.
    pub(crate) async fn of(scrapes: Caller) -> Page {
        let answer = scrapes.get("/metrics").await;
        assert_eq!(answer.status, 200, "{answer}");
        Page::parse(std::str::from_utf8(&answer.body).unwrap())
    }

    /// Fails for whatever a scraper would stumble over: a family in two pieces, a series twice, one
    /// without its type, a bad number.
    pub(crate) fn parse(text: &str) -> Page {
        let (mut families, mut series) = (Vec::new(), BTreeMap::new());
        let mut told = BTreeSet::new();
        assert!(text.ends_with('\n'), "the last line is whole");
        for line in text.lines() {
            if let Some(help) = line.strip_prefix("# HELP ") {
                let (name, help) = help.split_once(' ').unwrap();
                assert!(!help.is_empty() && told.insert(name.to_owned()), "{line}");
            } else if let Some(kind) = line.strip_prefix("# TYPE ") {
                let (name, kind) = kind.split_once(' ').unwrap();
                assert!(told.contains(name), "{line}");
                families.push((name.to_owned(), kind.to_owned()));
            } else {
                let (name, labels, value) = sample(line);
                let (family, kind) = families.last().expect(line);
                assert!(belongs(&name, family, kind), "{line}");
                let twice = series.insert((name, labels), value);
                assert_eq!(twice, None, "{line}");
            }
        }
        Page { families, series }
    }

    /// The value of the one series with exactly these labels.
    pub(crate) fn get(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let labels = labels.iter();
        let labels = labels.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let key = (name.to_owned(), labels.collect());
        self.series.get(&key).copied()
    }

    /// The same of one that must be there.
    pub(crate) fn value(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let value = self.get(name, labels);
        value.unwrap_or_else(|| panic!("no {name} {labels:?}: {self:#?}"))
    }

    /// Whether this series is there and 1; anything but 1 and 0 fails.
    pub(crate) fn is(&self, name: &str, labels: &[(&str, &str)]) -> bool {
        match self.value(name, labels) {
            0.0 => false,
            1.0 => true,
            other => panic!("{name} {labels:?} is {other}"),
        }
    }

    /// The series of that name.
    pub(crate) fn of_name(&self, name: &str) -> Vec<(&Labels, f64)> {
        let own = self.series.iter().filter(|((known, _), _)| known == name);
        own.map(|((_, labels), value)| (labels, *value)).collect()
    }

    /// Everything that may only grow.
    pub(crate) fn growing(&self) -> BTreeMap<(String, Labels), f64> {
        let grows = |name: &str| {
            name.ends_with("_total")
                || ["_bucket", "_sum", "_count"]
                    .iter()
                    .any(|end| name.ends_with(end))
        };
        let growing = self.series.iter().filter(|((name, _), _)| grows(name));
        growing.map(|(key, value)| (key.clone(), *value)).collect()
    }

    /// How many series there are.
    pub(crate) fn len(&self) -> usize {
        self.series.len()
    }
}

fn belongs(name: &str, family: &str, kind: &str) -> bool {
    let ends: &[&str] = match kind {
        "counter" | "gauge" => &[""],
        "histogram" => &["_bucket", "_sum", "_count"],
        "summary" => &["_sum", "_count"],
        other => panic!("a family of type {other}"),
    };
    name.strip_prefix(family)
        .is_some_and(|end| ends.contains(&end))
}

/// Name, labels and value of one line.
fn sample(line: &str) -> (String, Labels, f64) {
    let end = line.find(['{', ' ']).expect(line);
    let (name, mut rest) = line.split_at(end);
    let mut labels = Labels::new();
    if let Some(inner) = rest.strip_prefix('{') {
        rest = inner;
        while !rest.starts_with('}') {
            let (label, quoted) = rest.split_once("=\"").expect(line);
            let (value, after) = unquoted(quoted).expect(line);
            assert_eq!(labels.insert(label.to_owned(), value), None, "{line}");
            rest = after.strip_prefix(',').unwrap_or(after);
        }
        rest = &rest[1..];
    }
    let value = rest.strip_prefix(' ').expect(line).parse().expect(line);
    (name.to_owned(), labels, value)
}

/// The text up to the closing quote, and what follows that.
fn unquoted(text: &str) -> Option<(String, &str)> {
    let (mut value, mut signs) = (String::new(), text.char_indices());
    while let Some((at, sign)) = signs.next() {
        match sign {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => value.push(match signs.next()?.1 {
                'n' => '\n',
                sign @ ('\\' | '"') => sign,
                _ => return None,
            }),
            sign => value.push(sign),
        }
    }
    None
}

//! Parsers of single values. Each says what is wrong and what is accepted, never the value.

use std::fmt::Display;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use ipnet::IpNet;

use super::types::Problem;
use super::variables;
use crate::detail::Detail;

/// What is wrong with a value, before the variable's name is known.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) wrong: Detail,
    pub(super) accepted: &'static str,
}

impl Fault {
    pub(super) fn new(wrong: &'static str, accepted: &'static str) -> Self {
        Fault {
            wrong: Detail::new().text(wrong),
            accepted,
        }
    }

    /// A length that is not accepted.
    pub(super) fn length(characters: usize, accepted: &'static str) -> Self {
        Fault {
            wrong: has(Detail::new(), characters),
            accepted,
        }
    }

    pub(super) fn of(self, variable: &'static str) -> Problem {
        Problem {
            variable,
            wrong: self.wrong,
            accepted: self.accepted,
        }
    }
}

fn has(detail: Detail, characters: usize) -> Detail {
    let noun = if characters == 1 {
        " character"
    } else {
        " characters"
    };
    detail.text("has ").number(characters).text(noun)
}

pub(super) type Parsed<T> = Result<T, Fault>;

/// Parses values and collects what is wrong, so that all problems are told at once.
#[derive(Default)]
pub(super) struct Reader {
    pub(super) problems: Vec<Problem>,
}

impl Reader {
    /// The value, or the default of the table of variables; `None` once a problem was noted.
    pub(super) fn value<T>(
        &mut self,
        variable: &'static str,
        raw: Option<&String>,
        parse: impl FnOnce(&str) -> Parsed<T>,
    ) -> Option<T> {
        let default = variables::find(variable).and_then(|variable| variable.default);
        let Some(text) = raw.map(String::as_str).or(default) else {
            self.note(Fault::new("is not set", "a value").of(variable));
            return None;
        };
        self.parse(variable, text, parse)
    }

    /// The value if there is one; `None` also once a problem was noted, which stops the service anyway.
    pub(super) fn optional<T>(
        &mut self,
        variable: &'static str,
        raw: Option<&String>,
        parse: impl FnOnce(&str) -> Parsed<T>,
    ) -> Option<T> {
        self.parse(variable, raw?, parse)
    }

    fn parse<T>(
        &mut self,
        variable: &'static str,
        text: &str,
        parse: impl FnOnce(&str) -> Parsed<T>,
    ) -> Option<T> {
        match parsed(text, parse) {
            Ok(value) => Some(value),
            Err(fault) => {
                self.note(fault.of(variable));
                None
            }
        }
    }

    /// Notes a problem once.
    pub(super) fn note(&mut self, problem: Problem) {
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }
}

/// Parses a value that is text at all: the environment is read lossily.
pub(super) fn parsed<T>(text: &str, parse: impl FnOnce(&str) -> Parsed<T>) -> Parsed<T> {
    if text.contains(char::REPLACEMENT_CHARACTER) {
        return Err(Fault::new("is not valid UTF-8", "plain text"));
    }
    parse(text)
}

/// A whole number in a range.
pub(super) fn number<T: FromStr + PartialOrd>(
    text: &str,
    range: RangeInclusive<T>,
    accepted: &'static str,
) -> Parsed<T> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Fault::new("is not a whole number", accepted));
    }
    match text.parse() {
        Ok(number) if range.contains(&number) => Ok(number),
        _ => Err(Fault::new("is out of range", accepted)),
    }
}

/// A duration with a unit, in a range. Zero is in range where the range begins with it.
pub(super) fn duration(
    text: &str,
    range: &RangeInclusive<Duration>,
    accepted: &'static str,
) -> Parsed<Duration> {
    if text.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return Err(Fault::new("has no unit", accepted));
    }
    match humantime::parse_duration(text) {
        Ok(duration) if range.contains(&duration) => Ok(duration),
        Ok(duration) if duration.is_zero() => Err(Fault::new("is zero", accepted)),
        Ok(duration) if duration < *range.start() => Err(Fault::new("is too short", accepted)),
        Ok(_) => Err(Fault::new("is too long", accepted)),
        Err(_) => Err(Fault::new("is not a duration", accepted)),
    }
}

/// One of several words, in any case.
pub(super) fn word<T: Copy>(text: &str, words: &[(&str, T)], accepted: &'static str) -> Parsed<T> {
    words
        .iter()
        .find(|(word, _)| word.eq_ignore_ascii_case(text))
        .map(|(_, value)| *value)
        .ok_or_else(|| Fault::new("is not an accepted word", accepted))
}

/// `true` or `false`.
pub(super) fn boolean(text: &str) -> Parsed<bool> {
    word(text, &[("true", true), ("false", false)], "true or false")
}

/// Anything that the standard library parses.
pub(super) fn form<T: FromStr>(
    text: &str,
    wrong: &'static str,
    accepted: &'static str,
) -> Parsed<T> {
    text.parse().map_err(|_| Fault::new(wrong, accepted))
}

/// The items of a comma-separated list, trimmed, none empty, each through `parse` with its position.
pub(super) fn list<T>(
    text: &str,
    accepted: &'static str,
    mut parse: impl FnMut(&str, Position) -> Parsed<T>,
) -> Parsed<Vec<T>> {
    let of = text.split(',').count();
    text.split(',')
        .enumerate()
        .map(|(index, item)| {
            let at = Position {
                number: index + 1,
                of,
            };
            match item.trim() {
                "" => Err(at.fault("is empty", accepted)),
                item => parse(item, at),
            }
        })
        .collect()
}

/// Where in a list an item stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Position {
    number: usize,
    of: usize,
}

impl Position {
    /// "item 2 is …", or "is …" where there is only one.
    pub(super) fn said(self, wrong: &'static str) -> Detail {
        if self.of == 1 {
            return Detail::new().text(wrong);
        }
        Detail::new()
            .text("item ")
            .number(self.number)
            .text(" ")
            .text(wrong)
    }

    /// The same fault, with the place before it.
    pub(super) fn place(self, fault: &Fault) -> Fault {
        Fault {
            wrong: self.said("").then(&fault.wrong),
            accepted: fault.accepted,
        }
    }

    pub(super) fn length(self, characters: usize, accepted: &'static str) -> Fault {
        Fault {
            wrong: has(self.said(""), characters),
            accepted,
        }
    }

    pub(super) fn fault(self, wrong: &'static str, accepted: &'static str) -> Fault {
        Fault {
            wrong: self.said(wrong),
            accepted,
        }
    }
}

/// Comma-separated networks; a bare address is a network of one.
pub(super) fn networks(text: &str) -> Parsed<Vec<IpNet>> {
    const ACCEPTED: &str = "comma-separated networks in CIDR form, such as 10.0.0.0/8, fd00::/8";
    list(text, ACCEPTED, |item, at| {
        item.parse::<IpNet>()
            .or_else(|_| item.parse::<IpAddr>().map(IpNet::from))
            .map_err(|_| at.fault("is not a network", ACCEPTED))
    })
}

/// Comma-separated names of registered checks.
pub(super) fn check_names(text: &str, known: &[&'static str]) -> Parsed<Vec<String>> {
    const ACCEPTED: &str = "a comma-separated list of different checks";
    let mut names: Vec<String> = Vec::new();
    list(text, ACCEPTED, |item, at| {
        if !known.contains(&item) {
            let wrong = at
                .said("is not a check; the checks are ")
                .list(known.iter().copied());
            return Err(Fault {
                wrong,
                accepted: ACCEPTED,
            });
        }
        if names.iter().any(|name| name == item) {
            return Err(at.fault("names a check a second time", ACCEPTED));
        }
        names.push(item.to_owned());
        Ok(())
    })?;
    Ok(names)
}

/// A duration the way operators write it.
pub(super) fn shown(duration: Duration) -> impl Display {
    humantime::format_duration(duration)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_accepted_in_any_case_and_a_bare_address_is_a_network() {
        assert_eq!(boolean("True"), Ok(true));
        assert_eq!(
            networks("10.1.2.3, fd00::/8").unwrap()[0],
            "10.1.2.3/32".parse().unwrap()
        );
    }
}

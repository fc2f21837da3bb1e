//! The file that `ENV_FILE` names.

use std::path::Path;

use super::file;
use super::types::Problem;
use crate::detail::Detail;

/// The pairs of the file, each value as it is written.
pub(super) fn read(path: &Path) -> Result<Vec<(String, String)>, Problem> {
    let problem = |wrong| Problem {
        variable: "ENV_FILE",
        wrong,
        accepted: "the path of a readable file of NAME=value lines",
    };
    let text = file::read(path).map_err(|wrong| problem(Detail::new().text(wrong)))?;
    if let Some(line) = substituting_line(&text) {
        return Err(Problem {
            variable: "ENV_FILE",
            wrong: Detail::new()
                .text("names a file with a $ that stands for another variable in line ")
                .number(line),
            accepted: "plain values; one that holds a $ in single quotes",
        });
    }
    let mut pairs = Vec::new();
    for pair in dotenvy::from_read_iter(text.as_bytes()) {
        // The error holds the line, and the line may hold a secret.
        pairs.push(pair.map_err(|_| {
            problem(
                Detail::new()
                    .text("names a file with a line that is not NAME=value, after ")
                    .number(pairs.len())
                    .text(" good ones"),
            )
        })?);
    }
    Ok(pairs)
}

/// The first line, counted from 1, in which dotenvy would put another variable in place of a `$`.
///
/// It looks in the environment of the process and takes nothing where it finds nothing, so a password
/// with a `$` would silently be cut. There is no option against it.
fn substituting_line(text: &str) -> Option<usize> {
    let mut quote = None;
    for (index, line) in text.lines().enumerate() {
        if quote.is_none() && line.trim_start().starts_with('#') {
            continue;
        }
        let mut last = ' ';
        let mut characters = line.chars();
        while let Some(c) = characters.next() {
            match (quote, c) {
                (Some(open), _) if open == c => quote = None,
                (Some('\''), _) => (),
                (_, '\\') => drop(characters.next()),
                (_, '$') => return Some(index + 1),
                (None, '\'' | '"') => quote = Some(c),
                (None, '#') if last.is_whitespace() => break,
                _ => (),
            }
            last = c;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dollar_is_plain_in_single_quotes_escaped_and_in_comments_alone() {
        for plain in [
            "A='p$w'\nB='${HOME}'",
            "A=p\\$w",
            "A=\"p\\$w\"",
            "# it's $5\nA=1",
            "A=1 # isn't it $5\nB='$'",
            "A='first\n$second'",
        ] {
            assert_eq!(substituting_line(plain), None, "{plain}");
            let pairs: Result<Vec<_>, _> = dotenvy::from_read_iter(plain.as_bytes()).collect();
            let kept = |(_, value): &(String, String)| value == "1" || value.contains('$');
            assert!(pairs.unwrap().iter().all(kept), "{plain}");
        }
        for (substituted, line) in [
            ("A=p$w", 1),
            ("B=1\nA=\"p$w\"", 2),
            ("A=${HOME}", 1),
            ("A='a'$b", 1),
            ("A=\"it's $b\"", 1),
            ("A='a\\'$b", 1),
            ("\n#'\nA=\"x\n$y\"", 4),
        ] {
            assert_eq!(substituting_line(substituted), Some(line), "{substituted}");
        }
    }
}

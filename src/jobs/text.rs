//! Text of a sender, before it is kept or shown: no control characters, no query strings of URLs, no length of its
//! choice. A query string may hold a signature that opens somebody's file.

use std::borrow::Cow;

/// `text` on one line, its URLs without user info, query and fragment, cut to `most` characters; `None` if nothing is left.
pub(super) fn clean(text: &str, most: usize) -> Option<String> {
    let line: String = text
        .chars()
        .map(|c| if breaks_line(c) { ' ' } else { c })
        .collect();
    let cut: String = without_queries(line.trim()).chars().take(most).collect();
    let cut = cut.trim_end();
    (!cut.is_empty()).then(|| cut.to_owned())
}

/// Controls, line separators, and what turns the direction of a line.
fn breaks_line(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// A machine word: what is not of `[A-Za-z0-9._:-]` becomes `_`; 64 characters at most.
pub(super) fn word(text: &str) -> Option<String> {
    let cleaned = clean(text, 64)?;
    let fits = |c: char| c.is_ascii_alphanumeric() || "._:-".contains(c);
    Some(
        cleaned
            .chars()
            .map(|c| if fits(c) { c } else { '_' })
            .collect(),
    )
}

/// An id: 1 to 128 visible ASCII characters, without those that a path or a list cannot hold.
pub(super) fn id(text: &str) -> Option<&str> {
    let fits = |b: u8| b.is_ascii_graphic() && !b"/?#%\"\\,".contains(&b);
    ((1..=128).contains(&text.len()) && text.bytes().all(fits)).then_some(text)
}

/// A valid JSON text as it is, but for the query strings of URLs in its strings. Where nothing is cut not a byte
/// changes.
pub(super) fn json_without_queries(raw: &[u8]) -> Cow<'_, [u8]> {
    let mut out: Option<Vec<u8>> = None;
    let mut copied = 0;
    let mut rest = 0;
    while let Some(literal) = next_string(raw, rest) {
        rest = literal.end;
        let text = &raw[literal.clone()];
        // Cheap to see in most strings; an escaped slash or colon begins with a backslash.
        if !text.contains(&b':') && !text.contains(&b'\\') {
            continue;
        }
        let Ok(decoded) = serde_json::from_slice::<String>(text) else {
            continue;
        };
        if let Cow::Owned(cut) = without_queries(&decoded) {
            let out = out.get_or_insert_with(|| Vec::with_capacity(raw.len()));
            out.extend_from_slice(&raw[copied..literal.start]);
            out.extend_from_slice(serde_json::Value::from(cut).to_string().as_bytes());
            copied = literal.end;
        }
    }
    match out {
        None => Cow::Borrowed(raw),
        Some(mut out) => {
            out.extend_from_slice(&raw[copied..]);
            Cow::Owned(out)
        }
    }
}

/// The next string literal at or after `from`, with its quotes.
fn next_string(raw: &[u8], from: usize) -> Option<std::ops::Range<usize>> {
    let start = from + raw.get(from..)?.iter().position(|&b| b == b'"')?;
    let mut escaped = false;
    for (offset, &byte) in raw[start + 1..].iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Some(start..start + offset + 2),
            _ => {}
        }
    }
    None
}

/// `text` with every URL in it ending at its path.
fn without_queries(text: &str) -> Cow<'_, str> {
    const MARK: &str = "://";
    let mut out = String::new();
    let mut rest = text;
    let mut changed = false;
    while let Some(at) = rest.find(MARK) {
        let (before, url) = rest.split_at(at + MARK.len());
        let end = url.find(ends_url).unwrap_or(url.len());
        let (url, after) = url.split_at(end);
        let path_end = url.find(['?', '#']).unwrap_or(url.len());
        let authority_end = url[..path_end].find('/').unwrap_or(path_end);
        let host = url[..authority_end].rfind('@').map_or(0, |at| at + 1);
        changed |= host > 0 || path_end < url.len();
        out.push_str(before);
        out.push_str(&url[host..path_end]);
        rest = after;
    }
    if !changed {
        return Cow::Borrowed(text);
    }
    out.push_str(rest);
    Cow::Owned(out)
}

fn ends_url(c: char) -> bool {
    c.is_whitespace() || "\"<>\\".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(raw: &str) -> String {
        String::from_utf8(json_without_queries(raw.as_bytes()).into_owned()).unwrap()
    }

    #[test]
    fn urls_of_a_body_end_at_their_path_and_nothing_else_changes() {
        for (raw, kept) in [
            (r#"{"a" : "https://h/p?sig=S"}"#, r#"{"a" : "https://h/p"}"#),
            (r#"["s3://b/k#S" ,1e2]"#, r#"["s3://b/k" ,1e2]"#),
            (
                r#"["see https://h/p?sig=S then https://u:S@h2/?S"]"#,
                r#"["see https://h/p then https://h2/"]"#,
            ),
            // However it is escaped.
            (r#"["https:\/\/h\/p\u003fsig=S"]"#, r#"["https://h/p"]"#),
            (r#"["https\u003a\u002f\u002fh?S"]"#, r#"["https://h"]"#),
            // JSON in a string of JSON.
            (
                r#"["{\"u\":\"https://h/p?S\",\"v\":1}"]"#,
                r#"["{\"u\":\"https://h/p\",\"v\":1}"]"#,
            ),
            // A key can be a URL, too.
            (r#"{"https://h?S":"\"?x"}"#, r#"{"https://h":"\"?x"}"#),
        ] {
            assert_eq!(cut(raw), kept);
        }
        for same in [
            r#"{"time":"12:30","odd":"a\\","q":"what?","u":"https://h/p"}"#,
            "{}",
            r#""""#,
        ] {
            assert!(matches!(
                json_without_queries(same.as_bytes()),
                Cow::Borrowed(_)
            ));
        }
    }

    #[test]
    fn text_is_one_line_of_bounded_length() {
        assert_eq!(clean(" a\nb\0c ", 9).as_deref(), Some("a b c"));
        assert_eq!(clean("äöüß", 2).as_deref(), Some("äö"));
        assert_eq!(
            clean("get https://h/p?sig=S", 99).as_deref(),
            Some("get https://h/p")
        );
        assert_eq!(clean("a\u{2028}b\u{202e}c", 9).as_deref(), Some("a b c"));
        assert_eq!(clean("\n\t", 9), None);
        assert_eq!(
            word("GPU out of memory!").as_deref(),
            Some("GPU_out_of_memory_")
        );
    }

    #[test]
    fn ids_are_visible_and_fit_a_path() {
        assert_eq!(id("job_1-a:b.c"), Some("job_1-a:b.c"));
        let long = "x".repeat(129);
        for bad in ["", "a b", "a/b", "é", "a\n", long.as_str()] {
            assert_eq!(id(bad), None, "{bad}");
        }
    }
}

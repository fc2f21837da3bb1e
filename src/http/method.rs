//! Methods as they may stand in a log line or a label: a caller can make one up, of any length.

use http::Method;

static KNOWN: [Method; 9] = [
    Method::GET,
    Method::HEAD,
    Method::POST,
    Method::PUT,
    Method::DELETE,
    Method::CONNECT,
    Method::OPTIONS,
    Method::TRACE,
    Method::PATCH,
];

/// How many there are to tell apart.
pub(super) const METHODS: usize = KNOWN.len() + 1;

/// A number below [`METHODS`].
pub(super) fn index(method: &Method) -> usize {
    let known = KNOWN.iter().position(|known| known == method);
    known.unwrap_or(KNOWN.len())
}

/// The method of that number; all that are made up are `_OTHER`.
pub(super) fn name(index: usize) -> &'static str {
    KNOWN.get(index).map_or("_OTHER", Method::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_up_methods_are_not_told() {
        assert_eq!(name(index(&Method::PATCH)), "PATCH");
        let made_up = Method::from_bytes(b"SECRET").unwrap();
        assert_eq!(name(index(&made_up)), "_OTHER");
    }
}

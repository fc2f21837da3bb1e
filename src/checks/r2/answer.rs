//! R2's XML: only its shape and the error `<Code>` are read, within bounds, and no entity is expanded.

use quick_xml::Reader;
use quick_xml::events::{BytesRef, BytesStart, Event};

/// S3's documents are three levels deep.
const MAX_DEPTH: usize = 16;
const MAX_CODE: usize = 64;

/// A well-formed answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Document {
    /// `<ListBucketResult>`.
    Listing,
    /// `<Error>` with its code, if that is 1 to 64 letters and digits.
    Error(Option<Code>),
    /// Another root.
    Other,
}

/// An error code of the form `[A-Za-z0-9]{1,64}` (`XAmzContentSHA256Mismatch`). It is compared, and neither
/// shown nor logged: another upstream may put anything there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Code(String);

impl Code {
    fn new(text: String) -> Option<Code> {
        let fits =
            (1..=MAX_CODE).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric());
        fits.then_some(Code(text))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Reads all of `body`; `None` if it is not well-formed, too deep, or declares a document type.
pub(super) fn read(body: &[u8]) -> Option<Document> {
    let text = std::str::from_utf8(body).ok()?;
    let mut reader = Reader::from_str(text.trim_start_matches('\u{feff}'));
    let mut state = State::default();
    loop {
        match reader.read_event().ok()? {
            Event::Start(tag) => state.open(&tag)?,
            Event::Empty(tag) => {
                state.open(&tag)?;
                state.close();
            }
            Event::End(_) => state.close(),
            Event::Text(text) => state.text(&text.decode().ok()?)?,
            Event::CData(text) => {
                state.inside()?;
                state.text(&text.decode().ok()?)?;
            }
            Event::GeneralRef(name) => state.reference(&name)?,
            // The one place where entities, bombs among them, can be declared. S3 sends none.
            Event::DocType(_) => return None,
            Event::Decl(_) | Event::Comment(_) | Event::PI(_) => {}
            Event::Eof => return state.end(),
        }
    }
}

#[derive(Default)]
struct State {
    depth: usize,
    root: Option<Document>,
    in_code: bool,
    code: String,
}

impl State {
    fn open(&mut self, tag: &BytesStart<'_>) -> Option<()> {
        if tag.attributes().any(|attribute| attribute.is_err()) || self.depth == MAX_DEPTH {
            return None;
        }
        match (self.depth, &self.root, tag.local_name().as_ref()) {
            (0, Some(_), _) => return None,
            (0, None, b"ListBucketResult") => self.root = Some(Document::Listing),
            (0, None, b"Error") => self.root = Some(Document::Error(None)),
            (0, None, _) => self.root = Some(Document::Other),
            (1, Some(Document::Error(_)), b"Code") => self.in_code = true,
            _ => {}
        }
        self.depth += 1;
        Some(())
    }

    fn close(&mut self) {
        // The reader has compared the names; an end without a start was its error.
        self.depth = self.depth.saturating_sub(1);
        self.in_code &= self.depth >= 2;
    }

    fn text(&mut self, text: &str) -> Option<()> {
        if self.depth == 0 {
            return text.trim().is_empty().then_some(());
        }
        if self.in_code && self.code.len() <= MAX_CODE {
            self.code.push_str(text);
        }
        Some(())
    }

    fn inside(&self) -> Option<()> {
        (self.depth > 0).then_some(())
    }

    /// Only what needs no declaration, and as text only what no code contains.
    fn reference(&mut self, name: &BytesRef<'_>) -> Option<()> {
        let known = match name.resolve_char_ref().ok()? {
            Some(_) => true,
            None => matches!(&**name, b"lt" | b"gt" | b"amp" | b"apos" | b"quot"),
        };
        self.inside().filter(|()| known)?;
        self.text("&")
    }

    fn end(self) -> Option<Document> {
        match self.root? {
            _ if self.depth > 0 => None,
            Document::Error(_) => Some(Document::Error(Code::new(self.code.trim().to_owned()))),
            root => Some(root),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(code: &str) -> Document {
        Document::Error(Code::new(code.to_owned()))
    }

    #[test]
    fn reads_roots_and_codes() {
        let declared = "\u{feff}<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
        let listing = "<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
            <Name>a&amp;b&#233;</Name><Contents><Key>k</Key></Contents></ListBucketResult>\n";
        assert_eq!(read(listing.as_bytes()), Some(Document::Listing));
        assert_eq!(
            read((declared.to_owned() + listing).as_bytes()),
            Some(Document::Listing)
        );
        assert_eq!(read(b"<ListBucketResult/>"), Some(Document::Listing));
        assert_eq!(read(b"<Other/>"), Some(Document::Other));
        let whole = "<Error><Code>NoSuchBucket</Code><Message>Code</Message></Error>";
        assert_eq!(read(whole.as_bytes()), Some(error("NoSuchBucket")));
        let digits = "<Error><Code>XAmzContentSHA256Mismatch</Code></Error>";
        let code = Code("XAmzContentSHA256Mismatch".to_owned());
        assert_eq!(read(digits.as_bytes()), Some(Document::Error(Some(code))));
        assert_eq!(
            read(b"<Error>\n <Code> <![CDATA[A]]>b </Code></Error>"),
            Some(error("Ab"))
        );
    }

    #[test]
    fn only_a_direct_child_of_error_is_its_code() {
        for text in [
            "<Error><Message><Code>Nested</Code></Message></Error>",
            "<Error><Code>Access Denied</Code></Error>",
            "<Error><Code>A&amp;B</Code></Error>",
            "<Error><Code></Code></Error>",
            "<Error/>",
        ] {
            assert_eq!(read(text.as_bytes()), Some(Document::Error(None)), "{text}");
        }
        let long = format!("<Error><Code>{}</Code></Error>", "a".repeat(65));
        assert_eq!(read(long.as_bytes()), Some(Document::Error(None)));
    }

    #[test]
    fn refuses_what_is_not_well_formed_or_not_bounded() {
        let bomb = "<!DOCTYPE x [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]>\
            <ListBucketResult>&b;</ListBucketResult>";
        let deep = "<ListBucketResult>".to_owned() + &"<a>".repeat(20_000);
        for text in [
            "",
            "  ",
            "{\"a\":1}",
            "<ListBucketResult>",
            "<ListBucketResult></Other>",
            "<ListBucketResult/><ListBucketResult/>",
            "<ListBucketResult/>text",
            "<ListBucketResult>&undeclared;</ListBucketResult>",
            "<ListBucketResult a=1/>",
            "<ListBucketResult><Name>a & b</Name></ListBucketResult>",
            "</a>",
            "&amp;<ListBucketResult/>",
            bomb,
            "<!DOCTYPE x><ListBucketResult/>",
            &deep,
        ] {
            assert_eq!(read(text.as_bytes()), None, "{text}");
        }
        assert_eq!(read(b"<ListBucketResult>\xff</ListBucketResult>"), None);
    }
}

//! Secrets of which several are valid at once, so that they can be rotated: comma-separated, none twice.

use super::values::{self, Parsed, Position};

/// The items, each through `parse`; `twice` is what is wrong with one that equals another.
pub(super) fn different<T: PartialEq>(
    text: &str,
    accepted: &'static str,
    twice: &'static str,
    mut parse: impl FnMut(&str, Position) -> Parsed<T>,
) -> Parsed<Vec<T>> {
    let mut items = Vec::new();
    values::list(text, accepted, |item, at| {
        let item = parse(item, at)?;
        if items.contains(&item) {
            return Err(at.fault(twice, accepted));
        }
        items.push(item);
        Ok(())
    })?;
    Ok(items)
}

/// Refuses what people paste along with a secret, and what no header can carry.
pub(super) fn visible(item: &str, at: Position, accepted: &'static str) -> Parsed<()> {
    let wrong = if item.starts_with(['"', '\'']) || item.ends_with(['"', '\'']) {
        "has quotes around it"
    } else if item.contains(['\n', '\r']) {
        "contains a line break"
    } else if !item.bytes().all(|b| b.is_ascii_graphic()) {
        "contains something other than visible ASCII"
    } else {
        return Ok(());
    };
    Err(at.fault(wrong, accepted))
}

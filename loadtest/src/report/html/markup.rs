//! Markup that cannot go wrong: elements close themselves, and every text and attribute is escaped on its way in.
//!
//! A report shows what others wrote (a processor's name, a gateway's labels, a command line), so no value reaches the page in any other way.

use std::fmt::Write as _;

/// Elements that have no end.
const EMPTY: [&str; 2] = ["meta", "br"];

/// A page as it grows.
#[derive(Debug, Default)]
pub(super) struct Markup(String);

impl Markup {
    /// The document's own first line.
    pub(super) fn document() -> Self {
        Self("<!doctype html>\n".to_owned())
    }

    /// An element and what is in it.
    pub(super) fn element(
        &mut self,
        name: &str,
        attributes: &[(&str, &str)],
        inside: impl FnOnce(&mut Self),
    ) {
        self.0.push('<');
        self.0.push_str(name);
        for (attribute, value) in attributes {
            let _ = write!(self.0, " {attribute}=\"");
            self.text(value);
            self.0.push('"');
        }
        self.0.push('>');
        if EMPTY.contains(&name) {
            return;
        }
        inside(self);
        let _ = write!(self.0, "</{name}>");
    }

    /// An element that holds text only.
    pub(super) fn leaf(&mut self, name: &str, attributes: &[(&str, &str)], text: &str) {
        self.element(name, attributes, |inside| inside.text(text));
    }

    /// Text.
    pub(super) fn text(&mut self, text: &str) {
        for c in text.chars() {
            match c {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                // Everything else that no document may hold.
                c if c.is_control() && c != '\n' && c != '\t' => self.0.push('\u{fffd}'),
                c => self.0.push(c),
            }
        }
    }

    /// The page's own style sheet: the one thing that is not escaped, because it is ours and has to be read as it is.
    pub(super) fn style(&mut self, sheet: &'static str) {
        self.element("style", &[], |inside| inside.0.push_str(sheet));
    }

    /// All of it.
    pub(super) fn finish(mut self) -> String {
        self.0.push('\n');
        self.0
    }
}

//! Texts with places for values, such as `{code}`.

use std::fmt::Write;

/// A part of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part<'a> {
    /// It stands as it is written.
    Text(&'a str),
    /// The name of a value.
    Value(&'a str),
}

/// The parts of a text, in order. A brace without its other half is text.
pub(super) fn parts(text: &str) -> impl Iterator<Item = Part<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if let Some((name, after)) = rest.strip_prefix('{').and_then(|inner| inner.split_once('}')) {
            rest = after;
            return Some(Part::Value(name));
        }
        let next = rest.char_indices().skip(1).find(|(_, c)| *c == '{').map_or(rest.len(), |(place, _)| place);
        let (part, after) = rest.split_at(next);
        rest = after;
        (!part.is_empty()).then_some(Part::Text(part))
    })
}

/// The text with its values. It is read once, so a value that looks like a place is none.
pub(super) fn fill(text: &str, values: &[(&str, &str)]) -> String {
    let value = |name| values.iter().find(|(own, _)| *own == name).map_or("", |(_, value)| value);
    parts(text)
        .map(|part| match part {
            Part::Text(text) => text,
            Part::Value(name) => value(name),
        })
        .collect()
}

/// The text in HTML, with values that are HTML already.
pub(super) fn fill_html(text: &str, values: &[(&str, &str)]) -> String {
    let escaped: Vec<_> = parts(text)
        .map(|part| match part {
            Part::Text(text) => escape_html(text),
            Part::Value(name) => format!("{{{name}}}"),
        })
        .collect();
    fill(&escaped.concat(), values)
}

/// A text as it stands in HTML, between tags or in a quoted attribute.
pub(super) fn escape_html(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut html, c| {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' | '\'' => _ = write!(html, "&#{};", u32::from(c)),
            c => html.push(c),
        }
        html
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_read_once_so_that_a_value_is_no_place() {
        assert_eq!(fill("{a} and {b}", &[("a", "{b}"), ("b", "x")]), "{b} and x");
        assert_eq!(fill("{unknown}.", &[]), ".");
        for same in ["", "plain", "a } b", "a { b", "{", "}{"] {
            assert_eq!(fill(same, &[]), same);
        }
        assert_eq!(parts("{a}é{b").collect::<Vec<_>>(), [Part::Value("a"), Part::Text("é"), Part::Text("{b")]);
    }

    #[test]
    fn in_html_texts_are_escaped_and_values_are_html_already() {
        assert_eq!(fill_html("<b> & {x}", &[("x", "<i>\"</i>")]), "&lt;b&gt; &amp; <i>\"</i>");
        assert_eq!(escape_html("\"'<>&é"), "&#34;&#39;&lt;&gt;&amp;é");
    }
}

//! The value of the header `From` (RFC 5322 3.6.2).

use crate::domain::Email;

/// The longest display name, in bytes.
const MAX_NAME: usize = 64;

/// The most bytes of a name in one encoded word: it may have 75 characters (RFC 2047 2).
const MAX_ENCODED: usize = 45;

/// Reads an address, or `Name <address>` with a name of at most 64 bytes, in quotes or not. The
/// name is written so that a mail system reads it as one name, whatever characters it has.
pub(super) fn parse(text: &str) -> Option<String> {
    let Some((name, rest)) = text.rsplit_once('<') else {
        return Email::parse(text).map(|email| email.as_str().to_owned());
    };
    let email = Email::parse(rest.strip_suffix('>')?)?;
    let name = display_name(name.trim())?;
    let name = if name.is_ascii() { quoted(&name) } else { encoded(&name) };
    Some(format!("{name} <{}>", email.as_str()))
}

/// The name without its quotes. `None` if it is empty or too long, has control characters, or could
/// be two addresses.
fn display_name(text: &str) -> Option<String> {
    let name = match text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
        Some(inner) => unescaped(inner)?,
        None if text.contains(['"', '<', '>', '@']) => return None,
        None => text.to_owned(),
    };
    let good = (1..=MAX_NAME).contains(&name.len()) && !name.chars().any(char::is_control);
    good.then_some(name)
}

/// The text that a quoted string stands for (RFC 5322 3.2.4).
fn unescaped(inner: &str) -> Option<String> {
    let mut text = String::new();
    let mut characters = inner.chars();
    while let Some(character) = characters.next() {
        match character {
            '"' => return None,
            '\\' => text.push(characters.next()?),
            other => text.push(other),
        }
    }
    Some(text)
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))
}

/// The name as encoded words, which hold whole characters each (RFC 2047 5).
fn encoded(name: &str) -> String {
    let mut words = vec![String::new()];
    for character in name.chars() {
        match words.last_mut() {
            Some(word) if word.len() + character.len_utf8() <= MAX_ENCODED => word.push(character),
            _ => words.push(character.to_string()),
        }
    }
    let encoded = |word: &String| format!("=?UTF-8?B?{}?=", data_encoding::BASE64.encode(word.as_bytes()));
    words.iter().map(encoded).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_quoted_or_encoded_so_that_it_stays_one_name() {
        for (text, from) in [
            ("a@Example.com", "a@example.com"),
            ("a@bücher.example", "a@xn--bcher-kva.example"),
            ("Example <a@b.example>", "\"Example\" <a@b.example>"),
            ("Acme, Inc. <a@b.example>", "\"Acme, Inc.\" <a@b.example>"),
            ("\"Acme, Inc.\" <a@b.example>", "\"Acme, Inc.\" <a@b.example>"),
            (r#""A \"B\" \\ C" <a@b.example>"#, r#""A \"B\" \\ C" <a@b.example>"#),
            ("\"A<b@c>\" <a@b.example>", "\"A<b@c>\" <a@b.example>"),
            ("Zürich <a@b.example>", "=?UTF-8?B?WsO8cmljaA==?= <a@b.example>"),
        ] {
            assert_eq!(parse(text).as_deref(), Some(from), "{text}");
        }
        let long = parse(&format!("{} <a@b.example>", "ü".repeat(32))).expect("a sender");
        let words: Vec<_> = long.split(' ').collect();
        assert_eq!(words.len(), 3, "two encoded words and the address: {long}");
        assert!(words.iter().all(|word| word.len() <= 75), "{long}");
    }

    #[test]
    fn what_could_be_read_as_two_names_or_break_the_header_is_refused() {
        let long = format!("{} <a@b.example>", "x".repeat(65));
        for bad in [
            "",
            "nobody",
            "a@b",
            "A <b",
            "A <a@b.example> B",
            "<a@b.example>",
            "\"\" <a@b.example>",
            &long,
            "\"A <a@b.example>",
            "A\" <a@b.example>",
            "A \"B\" C <a@b.example>",
            "\"A\"B\" <a@b.example>",
            "\"A\\\" <a@b.example>",
            "A\r\nBcc: x <a@b.example>",
            "A\0 <a@b.example>",
            "müller@b.example",
            "a@b.example, c@d.example",
            "A <a@b.example>, B <c@d.example>",
            "A<b <a@b.example>",
        ] {
            assert_eq!(parse(bad), None, "{bad:?}");
        }
    }
}

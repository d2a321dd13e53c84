/// The key of a PEM (RFC 7468) as its standard writes it: forms, shells and word processors turn its
/// line breaks into blanks or `\\n`, indent or quote its lines, and join its dashes. Other blocks and
/// text around it are left out. `None` if there is no block of a key.
pub(super) fn tidy(pasted: &str) -> Option<String> {
    let text = pasted.replace("\\n", "\n").replace("\\r", "\n");
    let mut pieces = text.split(is_dash).filter(|piece| !piece.is_empty());
    let label =
        pieces.by_ref().find_map(|piece| piece.strip_prefix("BEGIN ").filter(|label| label.ends_with("KEY")))?;
    let body: String = pieces.next()?.chars().filter(|c| c.is_ascii_alphanumeric() || "+/=".contains(*c)).collect();
    let is_whole = pieces.next()?.strip_prefix("END ") == Some(label);
    is_whole.then(|| format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n"))
}

/// A hyphen or a dash: U+2010 to U+2015, the minus sign, and the forms for narrow and wide text.
const fn is_dash(c: char) -> bool {
    matches!(c, '-' | '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{fe58}' | '\u{fe63}' | '\u{ff0d}')
}

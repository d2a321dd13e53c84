//! The e-mail, as plain text and as HTML. Both are made of one [`Content`], so they say the same.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::{
    Asked,
    locale::Locale,
    style::EmailStyle,
    template::{escape_html, fill, fill_html},
    texts::Texts,
};

/// An e-mail. Holds a code: it cannot be printed.
#[derive(Clone)]
pub struct EmailText {
    /// The subject. The code is not in it: subjects show on locked screens.
    pub subject: String,
    /// The plain text.
    pub text: String,
    /// The HTML version.
    pub html: String,
}

/// What an e-mail says, as plain text.
pub(super) struct Content<'a> {
    locale: Locale,
    texts: &'a Texts,
    style: &'a EmailStyle,
    code: &'a str,
    heading: String,
    validity: String,
    /// Who asked: what each line is about, and what it says.
    rows: Vec<(&'a str, &'a str)>,
}

impl<'a> Content<'a> {
    pub(super) fn new(
        locale: Locale,
        texts: &'a Texts,
        style: &'a EmailStyle,
        (app_name, minutes): (&str, u64),
        (code, asked): (&'a str, &'a Asked),
    ) -> Self {
        let count = minutes.to_string();
        let minutes = match minutes {
            1 => &texts.one_minute,
            2 => &texts.two_minutes,
            3 | 4 => &texts.few_minutes,
            _ => &texts.minutes,
        };
        let minutes = fill(minutes, &[("n", &count)]);
        let rows = [
            (&texts.device, asked.device.as_deref()),
            (&texts.time, Some(asked.time.as_str())),
            (&texts.network, asked.network.as_deref()),
        ];
        Self {
            locale,
            texts,
            style,
            code,
            heading: fill(&texts.subject, &[("app", app_name)]),
            validity: fill(&texts.validity, &[("minutes", &minutes)]),
            rows: rows.into_iter().filter_map(|(name, value)| Some((name.as_ref(), value?))).collect(),
        }
    }

    pub(super) fn email(self) -> EmailText {
        EmailText { text: self.plain(), html: self.html(), subject: self.heading }
    }

    fn plain(&self) -> String {
        let Self { texts, code, heading, validity, .. } = self;
        let rows: Vec<_> = self.rows.iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
        let rows = rows.concat();
        let support = self.style.support.as_deref().map(|address| fill(&texts.support, &[("support", address)]));
        let support = support.map(|support| format!("\n{support}\n")).unwrap_or_default();
        format!("{heading}\n\n    {code}\n\n{validity}\n\n{}\n{rows}\n{}\n{support}", texts.requested, texts.advice)
    }

    fn html(&self) -> String {
        let Self { texts, style, code, .. } = self;
        let validity = escape_html(&self.validity);
        let requested = escape_html(&texts.requested);
        let advice = escape_html(&texts.advice);
        let rows = rows_html(&self.rows);
        let support = style.support.as_deref().map(|address| support_html(&texts.support, address)).unwrap_or_default();
        let preview = format!("{} {}", self.validity, texts.advice);
        let frame = Frame { locale: self.locale, style, heading: &self.heading, preview: &preview };
        let start = frame.start();
        frame.html(&format!(
            r#"<p class="code" dir="ltr" style="margin:0 0 16px;padding:16px 0;background:#eef1f6;border-radius:8px;font:700 34px ui-monospace,Menlo,Consolas,monospace;letter-spacing:2px;text-align:center;user-select:all">{code}</p>
<p>{validity}</p>
<p class="quiet" style="font-size:14px;color:#566072"><strong>{requested}</strong>{rows}</p>
<p style="margin:0;padding-{start}:12px;border-{start}:4px solid #c2410c">{advice}</p>
{support}"#
        ))
    }
}

/// What surrounds the text of an e-mail.
pub(super) struct Frame<'a> {
    pub(super) locale: Locale,
    pub(super) style: &'a EmailStyle,
    /// Stands at the top.
    pub(super) heading: &'a str,
    /// What an inbox shows behind the subject.
    pub(super) preview: &'a str,
}

impl Frame<'_> {
    /// The side on which lines begin. Not all programs know the side `start`.
    pub(super) const fn start(&self) -> &'static str {
        if self.locale.is_right_to_left() { "right" } else { "left" }
    }

    /// Styles stand in the tags, because some programs drop the style sheet. What the sheet adds is
    /// the dark mode. A table lays it out, for Outlook on Windows.
    ///
    /// Each byte is escaped, hashed, encrypted and sent: they are most of what `challenge` computes.
    pub(super) fn html(&self, body: &str) -> String {
        let Self { locale, style, .. } = self;
        let tag = locale.tag();
        let (direction, start) = (if locale.is_right_to_left() { "rtl" } else { "ltr" }, self.start());
        let (color, on_color) = (style.color, style.color.text());
        let heading = escape_html(self.heading);
        let preview = escape_html(self.preview);
        let logo = style.logo_url.as_deref().map(logo).unwrap_or_default();
        // The rest of an inbox's line: without it, the code could stand there behind the advice.
        let filler = "\u{a0}\u{200c}".repeat(40);
        format!(
            r#"<!doctype html>
<html lang="{tag}" dir="{direction}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<meta name="format-detection" content="telephone=no">
<title>{heading}</title>
<style>{SHEET}</style>
</head>
<body style="margin:0;padding:24px 12px;background:#f1f3f6">
<div style="display:none">{preview}{filler}</div>
<table role="presentation" class="card" align="center" width="520" cellpadding="24" cellspacing="0" style="width:100%;max-width:520px;background:#fff;border-radius:12px;font:16px/1.5 system-ui,Arial,sans-serif;color:#1c2430;text-align:{start}">
<tr><td bgcolor="{color}" style="border-radius:12px 12px 0 0;color:{on_color}">{logo}<h1 style="margin:0;font-size:20px;word-break:break-word">{heading}</h1></td></tr>
<tr><td>
{body}</td></tr>
</table>
</body>
</html>
"#
        )
    }
}

/// Whom to ask, with a link to write to.
pub(super) fn support_html(text: &str, address: &str) -> String {
    let target = utf8_percent_encode(address, UNSAFE_IN_MAILTO);
    let address = escape_html(address);
    let link = format!(r#"<a dir="ltr" href="mailto:{target}" style="color:#1d4ed8">{address}</a>"#);
    let support = fill_html(text, &[("support", &link)]);
    format!("<p class=\"quiet\" style=\"margin:24px 0 0;font-size:14px;color:#566072\">{support}</p>\n")
}

/// What an address may hold and means something else in a link: `?` would begin headers.
const UNSAFE_IN_MAILTO: &AsciiSet = &NON_ALPHANUMERIC.remove(b'@').remove(b'.').remove(b'-').remove(b'_').remove(b'+');

/// The dark mode of Apple Mail, Thunderbird and others. Programs that do not read it darken by
/// themselves, or not at all.
const SHEET: &str = "
:root{color-scheme:light dark}
@media(prefers-color-scheme:dark){
body{background:#101318!important}
.card{background:#1b2028!important;color:#e8ebf0!important}
.code{background:#2a313c!important}
.quiet{color:#a8b0bd!important}
a{color:#8ab4ff!important}
}
";

/// The picture stands on white: many have dark letters and nothing behind them, which nobody sees in
/// the dark. The heading says the name, so it needs no text.
fn logo(url: &str) -> String {
    let url = escape_html(url);
    format!(
        "<img src=\"{url}\" alt=\"\" height=\"32\" style=\"display:block;height:32px;max-width:200px;margin:0 0 16px;\
         padding:8px;border:0;border-radius:8px;background-color:#ffffff\">\n"
    )
}

/// Lines of a name and a value each.
pub(super) fn rows_html(rows: &[(&str, &str)]) -> String {
    let row = |(name, value): &(&str, &str)| format!("<br>\n{}: <bdi>{}</bdi>", escape_html(name), escape_html(value));
    rows.iter().map(row).collect()
}

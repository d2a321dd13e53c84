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

    /// Styles stand in the tags, because some programs drop the style sheet. What the sheet adds is
    /// the dark mode. Tables lay it out, for Outlook on Windows.
    fn html(&self) -> String {
        let Self { texts, style, code, .. } = self;
        let tag = self.locale.tag();
        // Not all programs know the sides `start` and `end`.
        let is_right_to_left = self.locale.is_right_to_left();
        let (direction, start, end) =
            if is_right_to_left { ("rtl", "right", "left") } else { ("ltr", "left", "right") };
        let (color, on_color) = (style.color, style.color.text());
        let heading = escape_html(&self.heading);
        let validity = escape_html(&self.validity);
        let requested = escape_html(&texts.requested);
        let advice = escape_html(&texts.advice);
        let logo = style.logo_url.as_deref().map(logo).unwrap_or_default();
        let rows: String = self.rows.iter().map(|row| html_row(*row, end)).collect();
        let support = style.support.as_deref().map(|address| self.html_support(address)).unwrap_or_default();
        // The rest of an inbox's line: without it, the code would stand there behind the validity.
        let filler = "&#847;&zwnj;&nbsp;".repeat(80);
        format!(
            r#"<!doctype html>
<html lang="{tag}" dir="{direction}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="supported-color-schemes" content="light dark">
<meta name="format-detection" content="telephone=no, date=no, address=no, email=no, url=no">
<title>{heading}</title>
<style>{SHEET}</style>
</head>
<body class="page" style="margin:0;padding:0;background-color:#f1f3f6;-webkit-text-size-adjust:100%">
<div style="display:none;max-height:0;overflow:hidden;mso-hide:all">{validity}{filler}</div>
<table role="presentation" class="page" width="100%" cellpadding="0" cellspacing="0" border="0" style="background-color:#f1f3f6"><tr><td align="center" style="padding:24px 12px">
<table role="presentation" class="card" width="100%" cellpadding="0" cellspacing="0" border="0" dir="{direction}" style="max-width:520px;background-color:#ffffff;border-radius:12px;font-family:{FONTS};font-size:16px;line-height:1.5;color:#1c2430;text-align:{start}">
<tr><td bgcolor="{color}" style="padding:20px 24px;background-color:{color};border-radius:12px 12px 0 0">
{logo}<h1 style="margin:0;font-size:20px;line-height:1.3;font-weight:600;color:{on_color};word-break:break-word">{heading}</h1>
</td></tr>
<tr><td style="padding:24px">
<p class="code" dir="ltr" style="margin:0 0 16px;padding:16px 8px;background-color:#eef1f6;border-radius:8px;font-family:{MONOSPACE};font-size:34px;line-height:1.2;font-weight:700;letter-spacing:2px;text-align:center;white-space:nowrap;color:#1c2430;-webkit-user-select:all;user-select:all">{code}</p>
<p style="margin:0 0 24px">{validity}</p>
<p style="margin:0 0 4px;font-weight:600">{requested}</p>
<table role="presentation" cellpadding="0" cellspacing="0" border="0" style="margin:0 0 24px;font-size:14px;line-height:1.5">
{rows}</table>
<p class="advice" style="margin:0;padding-{start}:12px;border-{start}:4px solid #c2410c">{advice}</p>
{support}</td></tr>
</table>
</td></tr></table>
</body>
</html>
"#
        )
    }

    fn html_support(&self, address: &str) -> String {
        let target = utf8_percent_encode(address, UNSAFE_IN_MAILTO);
        let address = escape_html(address);
        let link = format!(
            r#"<a class="link" dir="ltr" href="mailto:{target}" style="color:#1d4ed8;word-break:break-word">{address}</a>"#
        );
        let support = fill_html(&self.texts.support, &[("support", &link)]);
        format!("<p class=\"quiet\" style=\"margin:24px 0 0;font-size:14px;color:#566072\">{support}</p>\n")
    }
}

/// What an address may hold and means something else in a link: `?` would begin headers.
const UNSAFE_IN_MAILTO: &AsciiSet = &NON_ALPHANUMERIC.remove(b'@').remove(b'.').remove(b'-').remove(b'_').remove(b'+');

const FONTS: &str = "-apple-system,BlinkMacSystemFont,'Segoe UI',Roboto,Helvetica,Arial,sans-serif";
const MONOSPACE: &str = "ui-monospace,SFMono-Regular,Menlo,Consolas,'Liberation Mono','Courier New',monospace";

/// The dark mode: of Apple Mail and others by the media query, of Outlook on the web by its own
/// attributes. Gmail darkens by itself and reads neither.
const SHEET: &str = "
:root{color-scheme:light dark;supported-color-schemes:light dark}
@media (prefers-color-scheme:dark){
.page{background-color:#101318!important}
.card{background-color:#1b2028!important;color:#e8ebf0!important}
.code{background-color:#2a313c!important;color:#ffffff!important}
.quiet{color:#a8b0bd!important}
.link{color:#8ab4ff!important}
.advice{border-color:#fb923c!important}
}
[data-ogsb] .page{background-color:#101318!important}
[data-ogsb] .card{background-color:#1b2028!important}
[data-ogsb] .code{background-color:#2a313c!important}
[data-ogsc] .card{color:#e8ebf0!important}
[data-ogsc] .code{color:#ffffff!important}
[data-ogsc] .quiet{color:#a8b0bd!important}
[data-ogsc] .link{color:#8ab4ff!important}
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

fn html_row((name, value): (&str, &str), end: &str) -> String {
    let (name, value) = (escape_html(name), escape_html(value));
    format!(
        "<tr><td class=\"quiet\" style=\"padding-{end}:12px;vertical-align:top;color:#566072\">{name}:</td>\n\
         <td style=\"vertical-align:top\"><bdi>{value}</bdi></td></tr>\n"
    )
}

use std::fmt::Write;

use serde_json::json;

use super::*;

fn settings(app_name: &str, domain: &str) -> MessageSettings {
    MessageSettings {
        app_name: app_name.to_owned(),
        lifetime: Duration::from_mins(5),
        code_length: 6,
        sms_domain: domain.to_owned(),
        ..MessageSettings::default()
    }
}

fn example() -> MessageSettings {
    let style = EmailStyle { support: Some("help@example.com".to_owned()), ..EmailStyle::default() };
    MessageSettings { style, ..settings("Example", "example.com") }
}

fn asked() -> Asked {
    Asked {
        device: Some("Firefox, Linux".to_owned()),
        time: "2024-05-20 12:34 UTC".to_owned(),
        network: Some("192.0.2.0/24".to_owned()),
    }
}

fn with_own(own: &serde_json::Value) -> MessageSettings {
    MessageSettings { own: OwnTexts::read(own).expect("texts"), ..example() }
}

/// What a person sees of HTML.
fn visible(html: &str) -> String {
    let body = html.split_once("<body").expect("a body").1;
    let (hidden, shown) = body.split_once("</div>").expect("the line for inboxes");
    assert!(hidden.contains("display:none"));
    let text: String = shown.split('<').map(|part| part.split_once('>').map_or(part, |(_, text)| text)).collect();
    let text = [("&lt;", "<"), ("&gt;", ">"), ("&#34;", "\""), ("&#39;", "'"), ("&amp;", "&")]
        .iter()
        .fold(text, |text, (entity, c)| text.replace(entity, c));
    words(&text)
}

fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn every_message_in_every_language() {
    let messages = Messages::new(example());
    for locale in Locale::ALL {
        let email = messages.email(locale, "012345", &asked());
        let sms = messages.sms(locale, "012345");
        let whole = format!("Subject: {}\n\n{}\n----\n\n{sms}", email.subject, email.text);
        insta::assert_snapshot!(locale.tag(), whole);
    }
}

#[test]
fn an_email_as_html_from_left_to_right_and_from_right_to_left() {
    let style = EmailStyle { logo_url: Some("https://example.com/logo.png".to_owned()), ..example().style };
    let messages = Messages::new(MessageSettings { style, ..example() });
    for locale in [Locale::English, Locale::Arabic] {
        let html = messages.email(locale, "012345", &asked()).html;
        insta::assert_snapshot!(format!("html_{}", locale.tag()), html);
    }
}

#[test]
fn both_parts_of_an_email_say_the_same_in_the_same_order() {
    let hostile = MessageSettings { app_name: "<b>\"R&D\" 'x' {code}".to_owned(), ..example() };
    let nobody = Asked { time: "2024-05-20 12:34 UTC".to_owned(), ..Asked::default() };
    for (settings, asked) in [(example(), asked()), (hostile, asked()), (settings("Example", ""), nobody)] {
        let messages = Messages::new(settings);
        for locale in Locale::ALL {
            let email = messages.email(locale, "012345", &asked);
            assert_eq!(visible(&email.html), words(&email.text), "{locale:?}");
        }
    }
}

#[test]
fn nothing_that_an_operator_or_a_caller_writes_is_html() {
    let hostile = "\"'><script>alert(1)</script>&{support}";
    let style = EmailStyle {
        logo_url: Some(format!("https://example.com/{hostile}")),
        support: Some(format!("{hostile}@example.com")),
        ..EmailStyle::default()
    };
    let asked = Asked { device: Some(hostile.to_owned()), time: hostile.to_owned(), network: Some(hostile.to_owned()) };
    let texts = json!({ "en": { "advice": "<i>Beware</i>", "device": "\"<u>" } });
    let messages = Messages::new(MessageSettings { app_name: hostile.to_owned(), style, ..with_own(&texts) });
    let plain = Messages::new(MessageSettings { style: example().style, ..example() });
    let (html, expected) =
        (messages.email(Locale::English, "012345", &asked).html, plain.email(Locale::English, "012345", &asked).html);
    assert!(!html.contains("<script") && !html.contains("<i>") && !html.contains("<u>"), "{html}");
    assert_eq!(html.matches('"').count(), expected.matches('"').count() + 8, "only the quotes of the picture");
    assert!(html.contains("&#34;&#39;&gt;&lt;script&gt;alert(1)&lt;/script&gt;&amp;"));
}

#[test]
fn the_code_stands_alone_in_its_block_and_nowhere_that_a_locked_screen_shows() {
    let messages = Messages::new(example());
    for locale in Locale::ALL {
        let email = messages.email(locale, "012345", &asked());
        assert_eq!((email.html.matches("012345").count(), email.text.matches("012345").count()), (1, 1), "{locale:?}");
        assert!(email.html.contains("user-select:all\">012345</p>"), "{locale:?}");
        assert!(!email.subject.contains("012345"));
        let begin = email.html.split("</div>").next().expect("the line for inboxes");
        assert!(begin.contains('\u{200c}') && !begin.contains("012345"));
    }
}

#[test]
fn arabic_alone_is_written_from_right_to_left_and_its_code_is_not() {
    let messages = Messages::new(example());
    for locale in Locale::ALL {
        let html = messages.email(locale, "012345", &asked()).html;
        let direction = if locale == Locale::Arabic { "rtl" } else { "ltr" };
        assert!(html.contains(&format!("<html lang=\"{}\" dir=\"{direction}\">", locale.tag())), "{locale:?}");
        assert!(html.contains("<p class=\"code\" dir=\"ltr\""));
    }
}

#[test]
fn minutes_are_written_as_the_language_counts_them() {
    let validity = |locale, minutes: u64| {
        let settings = MessageSettings { lifetime: Duration::from_secs(minutes * 60 + 59), ..example() };
        Messages::new(settings).email(locale, "012345", &asked()).text
    };
    for (locale, minutes, written) in [
        (Locale::English, 1, "1 minute "),
        (Locale::English, 2, "2 minutes"),
        (Locale::Polish, 1, "1 minutę"),
        (Locale::Polish, 2, "2 minuty"),
        (Locale::Polish, 4, "4 minuty"),
        (Locale::Polish, 5, "5 minut "),
        (Locale::Arabic, 2, "دقيقتين"),
        (Locale::Arabic, 3, "3 دقائق"),
        (Locale::Japanese, 10, "10分間"),
    ] {
        assert!(validity(locale, minutes).contains(written), "{locale:?} {minutes}");
    }
}

/// The lengths of text messages of a code that is valid for ten minutes.
#[test]
#[expect(clippy::print_stdout, reason = "the table is printed")]
fn the_lengths_of_text_messages() {
    let mut table = "language  alphabet  left for name and domain: with 6 digits  with 10\n".to_owned();
    for locale in Locale::ALL {
        let left = [6, 10].map(|digits| {
            let settings = MessageSettings { lifetime: Duration::from_mins(10), ..settings("", "") };
            let sms = settings.sms(&texts::ours(locale).sms, &"0".repeat(digits));
            let septets = gsm7_septets(&sms).map(|septets| SMS_SEGMENT - septets);
            septets.ok_or_else(|| SMS_SEGMENT_UCS2 - sms.encode_utf16().count())
        });
        let alphabet = if left[0].is_ok() { "GSM" } else { "UCS-2" };
        let left = left.map(|left| left.unwrap_or_else(|units| units));
        let _ = writeln!(table, "{:<9} {alphabet:<9} {:>39} {:>8}", locale.tag(), left[0], left[1]);
        assert!(left[0] >= 20, "an ordinary name and domain fit: {locale:?}");
    }
    print!("{table}");
    insta::assert_snapshot!("lengths", table);
}

#[test]
fn a_language_that_needs_two_segments_gives_way_to_english() {
    let messages = Messages::new(settings("Example", "example.com"));
    assert_eq!(messages.too_long(), []);
    let messages = Messages::new(settings("Example Bank of Somewhere", "login.example.com"));
    assert_eq!(messages.too_long(), [Locale::Japanese, Locale::Chinese, Locale::Arabic]);
    for locale in Locale::ALL {
        let sms = messages.sms(locale, "012345");
        assert!(is_one_segment(&sms), "{sms}");
        assert_eq!(sms.contains("is your"), [&[Locale::English], messages.too_long()].concat().contains(&locale));
        let email = messages.email(locale, "012345", &asked());
        assert!(email.html.contains(&format!("lang=\"{}\"", locale.tag())), "e-mails are as long as they are");
    }
    assert_eq!(Messages::new(settings(&"x".repeat(32), "")).too_long(), [], "no text messages");
}

#[test]
fn what_the_configuration_accepts_fits_in_english() {
    let longest = |domain: usize| settings(&"x".repeat(32), &"d".repeat(domain));
    let most = (1..160).take_while(|domain| longest(*domain).english_fits()).last().expect("some domain");
    assert!(most >= 25, "{most}");
    assert!(Messages::new(longest(most)).too_long().len() < 12);
    assert!(!longest(most + 1).english_fits());
}

#[test]
fn an_operators_own_texts_take_the_place_of_ours() {
    let own =
        json!({ "de": { "subject": "Dein Code für {app}", "sms": "{code}: dein Code" }, "en": { "sms": "{code}" } });
    let settings = with_own(&own);
    assert_eq!(settings.own_that_does_not_fit(), None);
    let messages = Messages::new(settings);
    assert_eq!(messages.sms(Locale::German, "012345"), "012345: dein Code\n\n@example.com #012345");
    assert_eq!(messages.email(Locale::German, "012345", &asked()).subject, "Dein Code für Example");
    assert!(messages.email(Locale::German, "012345", &asked()).text.contains("Ungefähres Netz"));
    assert!(messages.sms(Locale::French, "012345").contains("est votre code"));
    let long = with_own(&json!({ "de": { "sms": "{code} ".to_owned() + &"x".repeat(140) } }));
    assert_eq!(long.own_that_does_not_fit(), Some(Locale::German));
    let english = with_own(&json!({ "en": { "sms": "{code} ".to_owned() + &"x".repeat(140) } }));
    assert!(!english.english_fits());
}

#[test]
fn who_asks_for_no_language_of_ours_gets_the_default() {
    let messages = Messages::new(MessageSettings { default_locale: Locale::Polish, ..example() });
    assert_eq!(messages.locale(Some("sv"), Some("fi, da")), Locale::Polish);
    assert_eq!(messages.locale(Some("it"), Some("fr")), Locale::Italian);
    assert_eq!(messages.locale(None, Some("fr")), Locale::French);
}

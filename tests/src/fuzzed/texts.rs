//! Short texts: codes, ids, opaque tokens, addresses.

use std::sync::LazyLock;

use mfa::domain::{
    DeviceId, Email, Factor, Method, Phone, SessionId, TrustId, UserId, code::Otp, keys::Keys, pasted,
    recovery::RecoveryCode, session::RefreshToken, trust::TrustToken,
};

use super::text;

static KEYS: LazyLock<Keys> = LazyLock::new(|| Keys::derive(&[7; 32], Vec::new()));

/// Codes of six to ten digits. A code is the digits that were typed, whatever stood between them.
pub fn codes(data: &[u8]) {
    for length in 6..=10 {
        if let Some(otp) = text(data).and_then(|text| Otp::parse(text, length)) {
            let typed = text(data).unwrap_or_default();
            let code = otp.as_str();
            assert!(code.len() == usize::from(length) && code.bytes().all(|byte| byte.is_ascii_digit()), "{typed}");
            assert_eq!(typed.chars().filter(|c| c.is_numeric()).count(), code.len(), "{typed}");
            let ascii: String = typed.chars().filter(char::is_ascii_digit).collect();
            assert!(ascii.len() < code.len() || ascii == code, "{typed}");
            assert_eq!(Otp::parse(code, length).as_ref(), Some(&otp));
        }
        let random = data.first_chunk().map(|bytes| u64::from_be_bytes(*bytes));
        if let Some(otp) = random.and_then(|random| Otp::from_random(random, length)) {
            assert_eq!(Otp::parse(otp.as_str(), length), Some(otp));
        }
    }
}

/// Recovery codes. A code is written in one way, and stays the same code however it is typed.
pub fn recovery_codes(data: &[u8]) {
    if let Some(bytes) = data.first_chunk::<15>() {
        assert_same_recovery_code(&RecoveryCode::from_random(*bytes).to_text(), bytes);
    }
    let Some((typed, code)) = text(data).and_then(|typed| Some((typed, RecoveryCode::parse(typed)?))) else { return };
    let written = code.to_text();
    // The mark of a long vowel counts as a dash.
    assert_eq!(typed.chars().filter(|c| c.is_alphanumeric() && *c != '\u{30fc}').count(), 24, "{typed:?}");
    assert!(written.bytes().all(|byte| byte == b'-' || byte.is_ascii_digit() || byte.is_ascii_uppercase()));
    assert_same_recovery_code(&written, code.as_bytes());
    assert_same_recovery_code(&typed.to_ascii_lowercase(), code.as_bytes());
}

fn assert_same_recovery_code(text: &str, bytes: &[u8]) {
    assert_eq!(RecoveryCode::parse(text).expect("a code").as_bytes(), bytes, "{text:?}");
}

/// Refresh tokens. Only the text that was made for a token is read as that token. An input is a
/// token, or its first 24 bytes make one and the next two change it.
pub fn refresh_tokens(data: &[u8]) {
    if let Some(text) = text(data)
        && let Some(token) = RefreshToken::parse(text, &KEYS)
    {
        assert_eq!(token.to_text(&KEYS), text);
    }
    let Some((made, change)) = data.split_first_chunk::<24>() else { return };
    let session = SessionId(made[..16].try_into().expect("16 bytes"));
    let generation = u64::from_be_bytes(made[16..].try_into().expect("8 bytes"));
    let token = RefreshToken { user: UserId([8; 16]), session, generation };
    let written = token.to_text(&KEYS);
    assert!(written.len() <= 512, "the route reads at most 512 bytes");
    assert_eq!(RefreshToken::parse(&written, &KEYS), Some(token));
    if let Some(other) = changed(&written, change) {
        assert_eq!(RefreshToken::parse(&other, &KEYS), None, "{other} is taken for {written}");
    }
}

/// Cuts `text` at a place, or replaces or inserts a byte there. `None` if that changes nothing, or
/// the result is not text.
fn changed(text: &str, change: &[u8]) -> Option<String> {
    let [place, byte] = *change.first_chunk()?;
    let place = usize::from(place) % text.len();
    let mut bytes = text.as_bytes().to_vec();
    match byte {
        0 => bytes.truncate(place),
        1..=0x7f => bytes[place] = byte,
        _ => bytes.insert(place, byte - 0x80),
    }
    String::from_utf8(bytes).ok().filter(|other| other != text)
}

/// Trust tokens. Each 32 bytes have exactly one text. An input is a token, or its first 32 bytes
/// make one and the next two change it.
pub fn trust_tokens(data: &[u8]) {
    if let Some(text) = text(data)
        && let Some(token) = TrustToken::parse(text)
    {
        assert_eq!(token.to_text(), text);
    }
    let Some((bytes, change)) = data.split_first_chunk::<32>() else { return };
    let written = TrustToken::from_random(*bytes).to_text();
    assert_eq!(TrustToken::parse(&written).expect("a token").as_bytes(), bytes);
    if let Some(other) = changed(&written, change)
        && let Some(token) = TrustToken::parse(&other)
    {
        assert_ne!(token.as_bytes(), bytes, "{other} is taken for {written}");
    }
}

/// Ids in paths and bodies, and names of methods. What is read is written the same way again.
pub fn ids(data: &[u8]) {
    let Some(text) = text(data) else { return };
    if let Some(id) = DeviceId::parse(text) {
        assert_eq!(DeviceId::parse(&id.to_string()), Some(id));
    }
    if let Some(id) = TrustId::parse(text) {
        assert_eq!(id.to_string(), text);
    }
    if let Some(method) = Method::parse(text) {
        assert!(method.as_str() == text || text == "phone");
    }
    if let Some(factor) = Factor::parse(text) {
        assert_eq!(factor.as_str(), text);
    }
}

/// Phone numbers. A number has one form, which is read as the same number, and is masked except at
/// its ends.
pub fn phone_numbers(data: &[u8]) {
    let Some((typed, phone)) = text(data).and_then(|typed| Some((typed, Phone::parse(typed)?))) else { return };
    let number = phone.as_str();
    let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
    assert_eq!(digits(number), digits(&pasted::plain(typed)), "no digit is dropped or made up");
    assert!((9..=16).contains(&number.len()) && number.starts_with('+') && !number.starts_with("+0"), "{number}");
    assert!(number[1..].bytes().all(|byte| byte.is_ascii_digit()), "{number}");
    assert_eq!(Phone::parse(number).as_ref(), Some(&phone));
    let masked = phone.masked();
    assert_eq!(masked.len(), number.len());
    assert!(masked.bytes().filter(|byte| *byte == b'*').count() >= 3, "{masked}");
}

/// E-mail addresses. An address is one mailbox, cannot break a header, keeps its local part, and has
/// one form.
pub fn email_addresses(data: &[u8]) {
    let Some((typed, email)) = text(data).and_then(|typed| Some((typed, Email::parse(typed)?))) else { return };
    let address = email.as_str();
    assert_eq!(Email::parse(address).as_ref(), Some(&email));
    assert!(address.len() <= 254 && address.bytes().all(|byte| byte.is_ascii_graphic()), "{address:?}");
    assert!(!address.contains([',', ';', '<', '>', '"', '\\', '(', ')', '[', ']', ':']), "{address:?}");
    let (local, domain) = address.split_once('@').expect("two sides");
    assert_eq!(typed.split_once('@').map(|(typed, _)| typed), Some(local));
    assert!(domain.contains('.') && !domain.contains('@') && domain == domain.to_lowercase(), "{address:?}");
    assert_eq!(email.masked(), format!("{}***@{domain}", &local[..1]));
    assert_eq!(email.folded(), address.to_lowercase());
}

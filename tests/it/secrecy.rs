//! Row 18 of the threat model: what the table and the log must not hold.

use mfa_tests::TestApp;
use serde_json::json;

#[tokio::test]
async fn after_a_journey_table_and_log_hold_no_code_secret_token_or_address() {
    let mfa = TestApp::start().await;
    let person = mfa.user("alice@login.example").with_email("alice@example.com").with_phone("+442079460018");
    let alice = person.login();
    let mut secrets = vec![alice.token.clone()];
    let device = alice.enrol().await;
    secrets.push(device.secret.clone());
    alice.toggle(true).await.assert_ok();
    for method in ["email", "sms"] {
        let code = alice.receive_code(method).await;
        alice.verify(method, "000000").await;
        let proven = alice.prove(method, &code).await;
        secrets.extend([code, proven.token]);
        mfa.advance(120);
    }
    let codes = alice.generate_recovery_codes().await;
    secrets.push(alice.recover(&codes[0]).await.text("accessToken"));
    secrets.extend(codes.iter().map(|code| code.replace('-', "")));
    secrets.extend(codes);
    let code = device.advance_to_next_code(&mfa);
    secrets.push(alice.prove("totp", &code).await.token);
    secrets.push(code);
    let trusted = alice.post(
        "/auth/mfa/verify",
        json!({
            "method": "totp", "otp": device.advance_to_next_code(&mfa), "trustDevice": true
        }),
    );
    let trusted = trusted.await;
    secrets.push(trusted.text("trustToken"));
    let mut refresh_token = trusted.text("refreshToken");
    for _ in 0..3 {
        let refreshed = mfa.refresh(&refresh_token).await;
        secrets.extend([refresh_token, refreshed.text("accessToken")]);
        refresh_token = refreshed.text("refreshToken");
    }
    secrets.push(refresh_token);
    // The secret part of each token is searched for, too.
    let parts = secrets.iter().filter_map(|secret| secret.rsplit_once('.').or_else(|| secret.split_once('_')));
    let parts: Vec<_> = parts.map(|(_, part)| part.to_owned()).filter(|part| part.len() > 20).collect();
    secrets.extend(parts.iter().cloned());
    person.login().verify_trusted(&trusted.text("trustToken")).await.assert_ok();
    mfa.refresh("mfa_x.0.x").await;
    let rejected = mfa.user("bob").with_email("bob@rejected.example").with_phone("+15550100123").login();
    rejected.challenge("email").await;
    rejected.challenge("sms").await;
    secrets.extend(
        ["alice@login.example", "alice@example.com", "bob@rejected.example", "442079460018", "15550100123"]
            .map(str::to_owned),
    );

    let raw_secret = data_encoding::BASE32_NOPAD.decode(device.secret.as_bytes()).expect("base 32");
    secrets.push(data_encoding::HEXLOWER.encode(&raw_secret));
    let raw_parts = parts.iter().filter_map(|part| data_encoding::BASE64URL_NOPAD.decode(part.as_bytes()).ok());
    let raw: Vec<_> = raw_parts.chain([raw_secret]).collect();
    assert!(raw.len() > 5);
    // Binary attributes and ids are searched as bytes too, so that no encoding hides anything.
    let mut haystack = mfa.log().into_bytes();
    for item in mfa.dump().await {
        flatten(&item, &mut haystack);
    }
    assert!(haystack.len() > 2000);
    for secret in &secrets {
        assert!(!contains(&haystack, secret.as_bytes()), "{secret} is readable");
    }
    for secret in &raw {
        // Even the first bytes are too much: an id must not be a part of its token.
        assert!(!contains(&haystack, &secret[..12]), "the bytes of a secret are readable");
    }
}

fn flatten(value: &serde_json::Value, haystack: &mut Vec<u8>) {
    match value {
        serde_json::Value::Object(map) => {
            for (name, value) in map {
                match (name.as_str(), value) {
                    ("B", serde_json::Value::String(text)) => {
                        haystack.extend(data_encoding::BASE64.decode(text.as_bytes()).expect("base 64"));
                    }
                    _ => flatten(value, haystack),
                }
                haystack.push(b'\n');
            }
        }
        serde_json::Value::Array(list) => list.iter().for_each(|value| flatten(value, haystack)),
        serde_json::Value::String(text) => {
            haystack.extend(text.as_bytes());
            let id = text.rsplit('#').next().unwrap_or_default();
            haystack.extend(data_encoding::HEXLOWER.decode(id.replace('-', "").as_bytes()).unwrap_or_default());
            haystack.extend(data_encoding::BASE64URL_NOPAD.decode(id.as_bytes()).unwrap_or_default());
        }
        other => haystack.extend(other.to_string().into_bytes()),
    }
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

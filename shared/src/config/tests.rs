use jsonwebtoken::Algorithm;

use super::*;

const KEY: &str = "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=";

/// The least that a bundle needs.
fn least() -> Variables {
    let least = [
        ("AWS_ACCESS_KEY_ID", "id".to_owned()),
        ("AWS_REGION", "eu-central-1".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "key".to_owned()),
        ("MFA_APP_NAME", "Example".to_owned()),
        ("MFA_HASH_KEY", KEY.to_owned()),
        ("MFA_JWT_SECRET", "a secret of an operator's own choice".to_owned()),
        ("MFA_SEALING_KEYS", format!("k1:{KEY}")),
        ("MFA_TABLE", "mfa".to_owned()),
    ];
    least.map(|(name, value)| (name.to_owned(), value)).into()
}

fn variables(settings: &[(&str, &str)]) -> Variables {
    settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn with(changes: &[(&'static str, &str)]) -> Result<Config, ConfigErrors> {
    let mut vars = least();
    let has_public_keys = |(name, value): &(&str, &str)| match *name {
        "MFA_JWT_ALGORITHM" => {
            value.parse().is_ok_and(|of: Algorithm| !of.family().eq(&jsonwebtoken::AlgorithmFamily::Hmac))
        }
        "MFA_LOGIN" => Preset::named(value).is_some_and(|of| !matches!(of.name, "nest-auth" | "custom")),
        _ => false,
    };
    if changes.iter().any(has_public_keys) {
        vars.remove("MFA_JWT_SECRET");
    }
    vars.append(&mut variables(changes));
    Config::from_vars(&Part::ALL, &vars)
}

/// The names of the faults of a configuration.
fn faults(changes: &[(&'static str, &str)]) -> Vec<String> {
    let Err(faults) = with(changes) else { return Vec::new() };
    let text = faults.to_string();
    text.lines().skip(1).filter_map(|line| line.split_whitespace().next()).map(ToOwned::to_owned).collect()
}

#[test]
fn the_least_configuration_offers_totp_alone() {
    let config = with(&[]).expect("a configuration");
    assert_eq!(config.policy.methods, [Method::Totp]);
    assert!(config.policy.enabled && !config.policy.required);
    assert!(config.email.is_none() && config.sms.is_none());
}

#[test]
fn all_faults_are_reported_at_once_by_name_and_never_by_value() {
    let Err(faults) = Config::from_vars(&Part::ALL, &variables(&[("MFA_JWT_SECRET", "too-short-s3cret")])) else {
        panic!("nothing is configured");
    };
    let text = faults.to_string();
    for name in [
        "AWS_ACCESS_KEY_ID",
        "AWS_REGION",
        "AWS_SECRET_ACCESS_KEY",
        "MFA_APP_NAME",
        "MFA_HASH_KEY",
        "MFA_JWT_SECRET",
        "MFA_SEALING_KEYS",
        "MFA_TABLE",
    ] {
        assert!(text.contains(name), "{name} in {text}");
    }
    assert!(!text.contains("s3cret"), "{text}");
}

#[test]
fn every_value_out_of_its_range_is_a_fault_of_its_variable() {
    for (name, values) in [
        ("MFA_ENABLED", &["yes", "1", "TRUE"][..]),
        ("MFA_METHODS", &["totp,mail", "totp,totp", ","]),
        ("MFA_CODE_LENGTH", &["5", "11", "six", "-6"]),
        ("MFA_CODE_LIFETIME", &["59", "601"]),
        ("MFA_ACCESS_TOKEN_LIFETIME", &["59", "901"]),
        ("MFA_SMS_PER_DAY", &["0", "10000001", "1.5"]),
        ("MFA_SMS_COUNTRIES", &["44", "+44;+1"]),
        ("MFA_FORWARDED_HOPS", &["6", "-1"]),
        ("MFA_AWS_TIMEOUT_MS", &["99", "60001"]),
        ("MFA_APP_NAME", &["a:b", "日本", "a\nb", "123456789012345678901234567890123"]),
        ("MFA_HASH_KEY", &["not base64", "c2hvcnQ="]),
        ("MFA_SEALING_KEYS", &["k1", "k1:c2hvcnQ=", ":QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE="]),
        ("MFA_JWT_ALGORITHM", &["none", "ES512", "hs256", "HS256,RS256"]),
        ("MFA_JWT_SECRET", &["31 bytes are one byte too short", "a secret that was written with echo, see\n"]),
        ("MFA_JWT_LOGIN_CLAIM", &[",", "sid,", "sid,sid", "user_metadata/sid"]),
        ("MFA_JWT_AUDIENCE", &[",", "web,", "web,web"]),
        ("MFA_JWT_ANY_TOKEN", &["yes"]),
        (
            "MFA_JWT_USER_CLAIM",
            &["uid,sub", "user_metadata/id", "a/unsafe_metadata", "jti", "mfa/session", "auth_time"],
        ),
        ("MFA_JWT_REQUIRED_CLAIM", &["a,b", "user_metadata/mfa_required", "jti", "mfa", "mfa_exempt"]),
        ("MFA_JWT_REQUIRED_FROM_CLAIM", &["a,", "unsafe_metadata/from", "auth_time", "isMfaRequiredFrom"]),
        ("MFA_JWT_EXEMPT_CLAIM", &["a,b", "raw_user_meta_data/exempt", "amr", "mfa_free"]),
        ("MFA_JWT_EMAIL_CLAIM", &["email,email", "user_metadata/email", "jti"]),
        ("MFA_JWT_PHONE_CLAIM", &["phone,", "raw_user_meta_data/phone", "isMfaEnabled"]),
        ("MFA_JWT_PHONE_PREFIX", &["44", "+1234", "+x"]),
        ("MFA_REQUIRE_VERIFIED_CONTACT", &["yes", "Marked"]),
        ("MFA_SIGNING_KEY", &["-----BEGIN PRIVATE KEY-----"]),
        ("MFA_EMAIL_FROM", &["nobody", "A <b", "A\r\nBcc: x <a@b.c>"]),
        (
            "MFA_EMAIL_LOGO_URL",
            &["http://example.com/a.png", "https://", "https://a b", "//example.com/a.png", "data:,"],
        ),
        ("MFA_EMAIL_SUPPORT", &["nobody", "A <a@b.example>", "a@b.example, c@d.example", "https://example.com"]),
        ("MFA_EMAIL_COLOR", &["blue", "#fff", "#12345g", "#1f4fd8;"]),
        (
            "MFA_EMAIL_CONFIGURATION_SET",
            &["two words", "a.b", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"],
        ),
        ("MFA_DEFAULT_LOCALE", &["sv", "pt", "EN", "de-AT"]),
        ("MFA_MESSAGES", &["de", "[]", "{", r#"{"de":{},"de":{}}"#, r#"{"xx":{}}"#, r#"{"de":{"greeting":"Hallo"}}"#]),
        ("MFA_JWT_LOCALE_CLAIM", &[",", "locale,locale", "user_metadata/locale"]),
        ("MFA_SMS_DOMAIN", &["https://example.com", "localhost"]),
        ("MFA_SMS_ORIGINATION_NUMBER", &["12", "+0123456789"]),
        ("MFA_SMS_SENDER_ID", &["twelve-chars", "a b"]),
        ("MFA_SMS_MAX_PRICE", &["0", "free", "1000"]),
        ("MFA_SMS_SERVICE", &["SNS", "pinpoint", "true"]),
        ("MFA_DYNAMODB_ENDPOINT", &["localhost:8000"]),
        ("MFA_END_USER_MESSAGING_ENDPOINT", &["localhost:8000"]),
    ] {
        for value in values {
            assert_eq!(faults(&[(name, value)]), [name], "{name}={value}");
        }
    }
}

#[test]
fn an_empty_value_counts_as_not_set() {
    assert_eq!(with(&[("MFA_CODE_LENGTH", ""), ("MFA_METHODS", " ")]).map(|c| c.policy.code_length), Ok(6));
    assert_eq!(faults(&[("MFA_TABLE", "")]), ["MFA_TABLE"]);
}

#[test]
fn a_method_needs_what_it_is_sent_with() {
    assert_eq!(faults(&[("MFA_METHODS", "email")]), ["MFA_EMAIL_FROM"]);
    assert_eq!(faults(&[("MFA_METHODS", "sms"), ("MFA_SMS_COUNTRIES", "+1")]), ["MFA_SMS_DOMAIN"]);
    for parts in [&[Part::Users][..], &[Part::Users, Part::Table, Part::Sending]] {
        let found = faults_of(parts, &[("MFA_METHODS", "email,sms"), ("MFA_SMS_COUNTRIES", "+1")]);
        assert!(found.contains(&"MFA_EMAIL_FROM".to_owned()), "{found:?}");
        assert_eq!(found.iter().filter(|name| *name == "MFA_SMS_DOMAIN").count(), 1, "{found:?}");
    }
    let off = with(&[("MFA_METHODS", "totp,sms")]).expect("a configuration");
    assert_eq!(off.policy.methods, [Method::Totp], "no country: SMS is off");
}

/// What End User Messaging needs.
const THROUGH_END_USER_MESSAGING: [(&str, &str); 5] = [
    ("MFA_METHODS", "sms"),
    ("MFA_SMS_COUNTRIES", "+1,+91"),
    ("MFA_SMS_DOMAIN", "example.com"),
    ("MFA_SMS_SERVICE", "end-user-messaging"),
    ("MFA_SMS_ORIGINATION_IDENTITY", "arn:aws:sms-voice:eu-central-1:123456789012:pool/pool-1"),
];

#[test]
fn end_user_messaging_needs_an_identity_and_each_service_its_own_variables() {
    let service = |config: Config| config.sms.expect("text messages").service;
    let config = with(&THROUGH_END_USER_MESSAGING).expect("a configuration");
    let SmsService::EndUserMessaging(chosen) = service(config) else { panic!("another service") };
    assert!(chosen.origination_identity.as_str().ends_with(":pool/pool-1"));
    let sns = [("MFA_METHODS", "sms"), ("MFA_SMS_COUNTRIES", "+1"), ("MFA_SMS_DOMAIN", "example.com")];
    assert!(matches!(service(with(&sns).expect("a configuration")), SmsService::Sns(_)), "what was before");

    let without_identity = &THROUGH_END_USER_MESSAGING[..4];
    for parts in [&[Part::Users][..], &[Part::Users, Part::Table, Part::Sending]] {
        let found = faults_of(parts, without_identity);
        let told = found.iter().filter(|name| *name == "MFA_SMS_ORIGINATION_IDENTITY").count();
        assert_eq!(told, 1, "else `toggle` would switch on what `challenge` cannot send by: {found:?}");
    }
    for name in ["MFA_SMS_ORIGINATION_NUMBER", "MFA_SMS_SENDER_ID"] {
        assert_eq!(faults(&[&THROUGH_END_USER_MESSAGING[..], &[(name, "12345")]].concat()), [name]);
    }
    for name in [
        "MFA_SMS_ORIGINATION_IDENTITY",
        "MFA_SMS_CONFIGURATION_SET",
        "MFA_SMS_PROTECT_CONFIGURATION",
        "MFA_SMS_DLT_ENTITY_ID",
        "MFA_SMS_DLT_TEMPLATE_ID",
    ] {
        assert_eq!(faults(&[&sns[..], &[(name, "x")]].concat()), [name]);
    }
}

#[test]
fn every_wrong_value_of_end_user_messaging_is_a_fault_of_its_variable() {
    for (name, values) in [
        (
            "MFA_SMS_ORIGINATION_IDENTITY",
            &["+12025550123", "EXAMPLE", "pool-1", "arn:aws:sms-voice:eu-central-1:123456789012:configuration-set/x"][..],
        ),
        (
            "MFA_SMS_CONFIGURATION_SET",
            &["two words", "arn:aws:sms-voice:eu-central-1:123456789012:pool/pool-1", "arn:aws:ses:x:1:y"],
        ),
        ("MFA_SMS_PROTECT_CONFIGURATION", &["two words", "arn:aws:sms-voice:eu-central-1:123456789012:pool/pool-1"]),
        ("MFA_SMS_MAX_PRICE", &["1", "5e-2", "0.0", "0.123456", "free"]),
    ] {
        for value in values {
            let mut changes = THROUGH_END_USER_MESSAGING.to_vec();
            changes.retain(|(other, _)| *other != name);
            changes.push((name, value));
            assert_eq!(faults(&changes), [name], "{name}={value}");
        }
    }
    let ids = |entity, template| {
        let ids = [("MFA_SMS_DLT_ENTITY_ID", entity), ("MFA_SMS_DLT_TEMPLATE_ID", template)];
        faults(&[&THROUGH_END_USER_MESSAGING[..], &ids].concat())
    };
    assert_eq!(ids("1201", "1107"), Vec::<String>::new());
    assert_eq!(ids("12 01", "1107"), ["MFA_SMS_DLT_ENTITY_ID"]);
    assert_eq!(ids("1201", "11-07"), ["MFA_SMS_DLT_TEMPLATE_ID"]);
    assert_eq!(ids("1201", ""), ["MFA_SMS_DLT_TEMPLATE_ID"]);
    assert_eq!(ids("", "1107"), ["MFA_SMS_DLT_ENTITY_ID"]);
}

#[test]
fn a_text_message_that_does_not_fit_into_one_segment_is_refused() {
    let long = format!("{}.example.com", "x".repeat(100));
    let sms = [("MFA_METHODS", "sms"), ("MFA_SMS_COUNTRIES", "+1"), ("MFA_SMS_DOMAIN", long.as_str())];
    assert_eq!(faults(&sms), ["MFA_SMS_DOMAIN"]);
    let fits = [("MFA_SMS_DOMAIN", "login.example.com"), ("MFA_CODE_LENGTH", "10"), ("MFA_APP_NAME", "x")];
    assert_eq!(faults(&fits), Vec::<String>::new());
}

#[test]
fn an_operators_own_text_message_must_fit_and_a_fault_names_its_place_and_never_the_text() {
    let long = format!(r#"{{"pl":{{"sms":"{{code}} {}"}}}}"#, "canary ".repeat(30));
    let told = |messages: &str| {
        let set = [("MFA_MESSAGES", messages), ("MFA_SMS_DOMAIN", "example.com")];
        with(&set).map(|_| ()).expect_err("a fault").to_string()
    };
    assert!(told(&long).contains("MFA_MESSAGES has a text message in pl that is longer than one segment"));
    let wrong = told(r#"{"pl":{"subject":"canary"}}"#);
    assert!(wrong.contains("MFA_MESSAGES has a wrong text: pl/subject"), "{wrong}");
    assert!(!(told(&long) + &wrong).contains("canary"));
}

#[test]
fn development_keys_are_refused_unless_the_table_is_on_this_machine() {
    let keys = [
        ("MFA_HASH_KEY", development::HASH_KEY),
        ("MFA_JWT_SECRET", development::JWT_SECRET),
        ("MFA_SEALING_KEYS", development::SEALING_KEYS),
    ];
    for endpoint in
        ["", "https://dynamodb.eu-central-1.amazonaws.com", "http://192.0.2.1:8000", "http://127.0.0.1.evil.example"]
    {
        let all = [&keys[..], &[("MFA_DYNAMODB_ENDPOINT", endpoint)]].concat();
        assert_eq!(faults(&all), ["MFA_JWT_SECRET", "MFA_HASH_KEY", "MFA_SEALING_KEYS"], "{endpoint}");
    }
    for endpoint in
        ["http://127.0.0.1:8000", "http://localhost:8000", "http://[::1]:8000", "http://host.docker.internal:8000"]
    {
        let all = [&keys[..], &[("MFA_DYNAMODB_ENDPOINT", endpoint)]].concat();
        assert_eq!(faults(&all), Vec::<String>::new(), "{endpoint}");
    }
    let hidden = format!("k1:{KEY},k2:{}", development::SEALING_KEYS.rsplit(':').next().expect("a key"));
    assert_eq!(faults(&[("MFA_SEALING_KEYS", &hidden)]), ["MFA_SEALING_KEYS"], "wherever it stands in the list");
}

#[test]
fn an_asymmetric_login_key_needs_a_signing_key_of_our_own() {
    assert_eq!(faults(&[("MFA_JWT_ALGORITHM", "ES256")]), ["MFA_JWT_PUBLIC_KEY", "MFA_SIGNING_KEY"]);
}

#[test]
fn nothing_secret_is_printed() {
    let config = with(&[]).expect("a configuration");
    let shown = format!("{config:?} {:?}", config.keys());
    assert!(!shown.contains("operator") && !shown.contains("QUFB"), "{shown}");
}

#[test]
fn the_key_that_seals_is_named_apart_from_the_list() {
    let both = format!("k1:{KEY},k2:QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkI=,k3:{KEY}");
    let order = |wanted| {
        let config = with(&[("MFA_SEALING_KEYS", &both), ("MFA_SEALING_KEY", wanted)]).expect("a configuration");
        config.sealing_keys.into_iter().map(|(id, _)| id).collect::<Vec<_>>()
    };
    assert_eq!(order(""), ["k1", "k2", "k3"]);
    assert_eq!(order("k1"), ["k1", "k2", "k3"]);
    assert_eq!(order("k3"), ["k3", "k1", "k2"]);
    assert_eq!(faults(&[("MFA_SEALING_KEYS", &both), ("MFA_SEALING_KEY", "k4")]), ["MFA_SEALING_KEY"]);
}

/// The names of the faults that a function with these parts finds in `vars`.
fn faults_of(parts: &[Part], vars: &[(&str, &str)]) -> Vec<String> {
    let Err(faults) = Config::from_vars(parts, &variables(vars)) else { return Vec::new() };
    let text = faults.to_string();
    text.lines().skip(1).filter_map(|line| line.split_whitespace().next()).map(ToOwned::to_owned).collect()
}

const EC_PRIVATE: &str = include_str!("../../../tests/it/keys/ec.pem");
/// A key that is no login's.
const OWN_PRIVATE: &str = r"-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgJkTxC0fyPLCYc2oo\n5Nh2em0KuXnjEpcBt2IYts1RRTOhRANCAASlVTImq3XjNKJWBXLuqPQOoMUYQlH6\n0uyytRntGFQS8NzjJmDyH+qeVBuGiFVOmnhB4LAQmVg6vBl/bpity9uZ\n-----END PRIVATE KEY-----";
const EC_PUBLIC: &str = include_str!("../../../tests/it/keys/ec.pub.pem");
/// Keys of another curve or length.
const ED448_PUBLIC: &str = r"-----BEGIN PUBLIC KEY-----\nMEMwBQYDK2VxAzoA94j2RHjA+PPw/0J8msEFwPALBZPGnWwvQ30WGLnuWFkv+SkN\n3sqTARX/0i5YqRE+krnN/XB1yaCA\n-----END PUBLIC KEY-----";
const RSA1024_PUBLIC: &str = r"-----BEGIN PUBLIC KEY-----\nMIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQCcrmNkDKTaYiFtQft7b7+OTpd7\nEuDOw/jcfcYz1ki+lBvM+2w5RmvLoK4CG0Y93AaST6nOxMHWv2o5urlANjrTsD4B\nJ7WWunKunnNcItQ6MmRPQV7DBV6BfNa/36HiFpDl8FXx7NyfioWqpAcABaCBWBom\n8isnLK1k0psj32jm7wIDAQAB\n-----END PUBLIC KEY-----";
const P384_PUBLIC: &str = r"-----BEGIN PUBLIC KEY-----\nMHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEiNDsEwwVi0kpsGuFoiHBEx6dwIlYbpq/\nLhfVxuEwY7ioe+jY2b9XvBr7qWHhpO0HEw4NsGxQ/kKn/yWm+J/vhyIPsnsFLsBK\ntrZ0YwhZL2ZumNSm9hlBEcuZA5A7IpqL\n-----END PUBLIC KEY-----";
const P256_PUBLIC: &str = r"-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAECgH+BR0rjuSE9fH3cRy3hgZ6M5Z/\nyHNCPJcaYkZWrCcfhmfJlPZ7uyroY1Lx7wQ2LdhSRioMOLT5/Jj5dge+Fw==\n-----END PUBLIC KEY-----";
const ED_PUBLIC: &str = include_str!("../../../tests/it/keys/ed.pub.pem");

#[test]
fn a_function_asks_for_what_its_parts_need_and_for_nothing_else() {
    const AWS: [&str; 3] = ["AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"];
    for (parts, needs) in [
        (&[][..], &[][..]),
        (&[Part::RouteRequirements], &[]),
        (&[Part::AppName], &["MFA_APP_NAME"]),
        (&[Part::Users], &["MFA_JWT_SECRET", "MFA_HASH_KEY"]),
        (&[Part::SealingKeys], &["MFA_SEALING_KEYS"]),
        (&[Part::SigningKey], &[]),
        (&[Part::Table], &[AWS[0], AWS[1], AWS[2], "MFA_TABLE"]),
        (&[Part::Sending], &AWS),
    ] {
        assert_eq!(faults_of(parts, &[]), needs, "{parts:?}");
        let broken: Vec<_> = least().into_keys().filter(|name| name.starts_with("MFA_")).collect();
        let broken: Vec<_> = broken.iter().map(|name| (name.as_str(), "\n")).chain([("MFA_HASH_KEY", "%")]).collect();
        let found = faults_of(parts, &broken);
        assert_eq!(found.contains(&"MFA_HASH_KEY".to_owned()), parts.contains(&Part::Users), "{parts:?}");
    }
}

#[test]
fn public_halves_are_enough_for_a_function_that_does_not_sign() {
    let asymmetric = ("MFA_JWT_ALGORITHM", "ES256");
    let next = ("MFA_NEXT_SIGNING_KEY", ED_PUBLIC);
    let of = |vars: &[(&str, &str)]| {
        let config = Config::from_vars(&[], &variables(vars)).expect("a configuration");
        config.jwt.public_keys
    };
    let told = of(&[asymmetric, ("MFA_SIGNING_PUBLIC_KEY", EC_PUBLIC), next]);
    let derived = of(&[asymmetric, ("MFA_SIGNING_KEY", EC_PRIVATE), next]);
    assert_eq!(told, derived);
    assert_eq!(told.len(), 2);
    let private = ("MFA_NEXT_SIGNING_KEY", include_str!("../../../tests/it/keys/ed.pem"));
    assert_eq!(told, of(&[asymmetric, ("MFA_SIGNING_PUBLIC_KEY", EC_PUBLIC), private]));

    let not_signing = |vars: &[(&str, &str)]| faults_of(&[], vars);
    let signing = |vars: &[(&str, &str)]| faults_of(&[Part::SigningKey], vars);
    assert_eq!(not_signing(&[asymmetric]), ["MFA_SIGNING_PUBLIC_KEY"]);
    assert_eq!(not_signing(&[next]), ["MFA_NEXT_SIGNING_KEY"]);
    assert_eq!(signing(&[("MFA_SIGNING_PUBLIC_KEY", EC_PUBLIC)]), ["MFA_SIGNING_KEY"]);
    let pair = [("MFA_SIGNING_KEY", EC_PRIVATE), ("MFA_SIGNING_PUBLIC_KEY", EC_PUBLIC)];
    assert_eq!(signing(&pair), Vec::<String>::new());
    let mismatch = [("MFA_SIGNING_KEY", EC_PRIVATE), ("MFA_SIGNING_PUBLIC_KEY", ED_PUBLIC)];
    assert_eq!(signing(&mismatch), ["MFA_SIGNING_PUBLIC_KEY"]);
    assert_eq!(signing(&[pair[0], ("MFA_NEXT_SIGNING_KEY", P384_PUBLIC)]), ["MFA_NEXT_SIGNING_KEY"]);
    for wrong in [EC_PRIVATE, P384_PUBLIC, ED448_PUBLIC, RSA1024_PUBLIC, "-----BEGIN PUBLIC KEY-----", "k1"] {
        assert_eq!(not_signing(&[("MFA_SIGNING_PUBLIC_KEY", wrong)]), ["MFA_SIGNING_PUBLIC_KEY"], "{wrong}");
    }
    let unused = [("MFA_SIGNING_KEY", "not read"), ("MFA_SIGNING_PUBLIC_KEY", EC_PUBLIC)];
    assert_eq!(not_signing(&unused), Vec::<String>::new(), "a private key that is not used is not read");
}

#[test]
fn a_public_key_of_another_curve_or_length_is_a_fault_and_not_a_refusal_of_every_token() {
    let rsa = include_str!("../../../tests/it/keys/rsa.pub.pem");
    let all = [EC_PUBLIC, ED_PUBLIC, rsa, P384_PUBLIC, ED448_PUBLIC, RSA1024_PUBLIC];
    for (algorithm, fits) in [("ES256", EC_PUBLIC), ("EdDSA", ED_PUBLIC), ("RS256", rsa)] {
        for key in all {
            let own = ("MFA_SIGNING_KEY", OWN_PRIVATE);
            let found = faults(&[("MFA_JWT_ALGORITHM", algorithm), ("MFA_JWT_PUBLIC_KEY", key), own]);
            assert_eq!(found.is_empty(), key == fits, "{algorithm} {key}");
        }
    }
}

#[test]
fn a_key_set_at_an_address_needs_an_issuer() {
    let own = ("MFA_SIGNING_KEY", OWN_PRIVATE);
    let url = [own, ("MFA_JWT_ALGORITHM", "RS256"), ("MFA_JWT_KEY_SET_URL", "https://login.example/keys")];
    assert_eq!(faults(&url), ["MFA_JWT_ISSUER"]);
    assert_eq!(faults(&[&url[..], &[("MFA_JWT_ISSUER", "https://login.example")]].concat()), Vec::<String>::new());
}

#[test]
fn a_shared_secret_signs_our_tokens_with_the_algorithm_of_the_login() {
    for (name, algorithm) in [("HS256", Algorithm::HS256), ("HS384", Algorithm::HS384), ("HS512", Algorithm::HS512)] {
        let config = with(&[("MFA_JWT_ALGORITHM", name)]).expect("a configuration");
        assert_eq!(config.jwt.signing_key.map(|key| key.algorithm), Some(algorithm));
        assert!(config.jwt.public_keys.is_empty());
    }
}

/// A login of `MFA_LOGINS` with a shared secret.
fn entry(name: &str, changes: &[(&str, &str)]) -> serde_json::Value {
    let mut entry =
        serde_json::json!({ "name": name, "MFA_JWT_SECRET": format!("the secret of {name}, long enough for it") });
    for (name, value) in changes {
        entry[*name] = (*value).into();
    }
    entry
}

fn faults_of_logins(entries: &[serde_json::Value], more: &[(&'static str, &str)]) -> Vec<String> {
    let logins = serde_json::to_string(entries).expect("JSON");
    let settings = [("MFA_JWT_SECRET", ""), ("MFA_SIGNING_KEY", OWN_PRIVATE), ("MFA_LOGINS", &logins)];
    let Err(faults) = with(&[&settings[..], more].concat()) else { return Vec::new() };
    faults.to_string().lines().skip(1).map(|line| line.trim().to_owned()).collect()
}

#[test]
fn several_logins_are_told_apart_or_nothing_starts() {
    let issuer = ("MFA_JWT_ISSUER", "https://login.example");
    let [first, second] = ["MFA_JWT_AUDIENCE"; 2].map(|name| move |value| (name, value));
    assert_eq!(faults_of_logins(&[entry("a", &[]), entry("b", &[])], &[]), Vec::<String>::new());
    let told_apart = [entry("a", &[issuer, first("x,y")]), entry("b", &[issuer, second("z")])];
    assert_eq!(faults_of_logins(&told_apart, &[]), Vec::<String>::new());

    let secret = ("MFA_JWT_SECRET", "a secret that two logins share, by mistake or not");
    let set = serde_json::json!({ "keys": [Jwk::from_encoding_key(
        &jsonwebtoken::EncodingKey::from_ec_pem(EC_PRIVATE.as_bytes()).expect("a key"), Algorithm::ES256,
    ).expect("a JWK")] })
    .to_string();
    let [algorithm, none] = [("MFA_JWT_ALGORITHM", "ES256"), ("MFA_JWT_SECRET", "")];
    for (why, entries) in [
        ("an issuer", [entry("a", &[issuer]), entry("b", &[issuer])]),
        (
            "an issuer, and one audience in common",
            [entry("a", &[issuer, first("x,y")]), entry("b", &[issuer, second("y,z")])],
        ),
        ("an issuer, and only one has audiences", [entry("a", &[issuer, first("x")]), entry("b", &[issuer])]),
        ("a secret", [entry("a", &[secret]), entry("b", &[secret])]),
        (
            "a key in two forms",
            [
                entry("a", &[algorithm, none, ("MFA_JWT_PUBLIC_KEY", EC_PUBLIC)]),
                entry("b", &[algorithm, none, ("MFA_JWT_KEY_SET", &set)]),
            ],
        ),
    ] {
        let found = faults_of_logins(&entries, &[]);
        assert!(found.len() == 1 && found[0].contains("entries `a` and `b` share"), "{why}: {found:?}");
    }
}

#[test]
fn what_is_wrong_in_an_entry_is_told_with_its_name() {
    for (entries, wrong) in [
        (vec![entry("a", &[("MFA_JWT_SECRET", "short")])], "entry `a`: MFA_JWT_SECRET must be at least 32 bytes"),
        (vec![entry("a", &[("MFA_JWT_AUDIENCES", "x")])], "entry `a`: MFA_JWT_AUDIENCES is no setting of a login"),
        (vec![entry("a", &[("MFA_REQUIRED", "true")])], "entry `a`: MFA_REQUIRED is no setting of a login"),
        (vec![entry("a", &[("MFA_LOGIN", "cognito")])], "entry `a`: MFA_JWT_ISSUER is required"),
        (vec![entry("", &[])], "needs entries with a `name`"),
        (vec![entry("a b", &[])], "needs entries with a `name`"),
        (vec![entry("a", &[]), entry("a", &[])], "two entries with one name"),
        (vec![], "must be a JSON list"),
    ] {
        let found = faults_of_logins(&entries, &[]);
        assert!(
            found.iter().any(|fault| fault.starts_with("MFA_LOGINS") && fault.contains(wrong)),
            "{wrong}: {found:?}"
        );
    }
    let beside = faults_of_logins(&[entry("a", &[])], &[("MFA_JWT_ISSUER", "https://login.example")]);
    assert!(beside[0].contains("replaces MFA_LOGIN, MFA_JWT_"), "{beside:?}");
    let unsigned = faults_of_logins(&[entry("a", &[])], &[("MFA_SIGNING_KEY", "")]);
    assert!(unsigned[0].starts_with("MFA_SIGNING_KEY"), "{unsigned:?}");
    let spaces = |users: Option<&str>| {
        let changes: Vec<_> = users.map(|users| ("users", users)).into_iter().collect();
        let logins = serde_json::to_string(&[entry("a", &changes)]).expect("JSON");
        let settings = [("MFA_JWT_SECRET", ""), ("MFA_SIGNING_KEY", OWN_PRIVATE), ("MFA_LOGINS", logins.as_str())];
        with(&settings).expect("a configuration").jwt.logins[0].users.clone()
    };
    assert_eq!([spaces(None), spaces(Some("")), spaces(Some("all"))], ["a", "", "all"]);
}

#[test]
fn a_preset_needs_at_most_four_lines_more_and_single_settings_win() {
    let own = ("MFA_SIGNING_KEY", OWN_PRIVATE);
    for preset in &PRESETS {
        let name = ("MFA_LOGIN", preset.name);
        let (issuer, audience) =
            (("MFA_JWT_ISSUER", "https://login.example/tenant/v2.0/"), ("MFA_JWT_AUDIENCE", "app"));
        let settings: &[_] = match preset.name {
            "nest-auth" | "custom" => &[name],
            _ => &[name, issuer, audience, own],
        };
        let login = with(settings).unwrap_or_else(|faults| panic!("{}: {faults}", preset.name)).jwt.logins.remove(0);
        let LoginKeyConfig::At(url) = login.key else { continue };
        let expected = match preset.name {
            "entra" => "https://login.example/tenant/discovery/v2.0/keys",
            "firebase" => "https://www.googleapis.com/service_accounts/v1/jwk/securetoken@system.gserviceaccount.com",
            _ => "https://login.example/tenant/v2.0/",
        };
        assert!(url.starts_with(expected) && !url.contains("//.well"), "{}: {url}", preset.name);
        if preset.name != "firebase" {
            assert_eq!(faults(&[name, own, audience]), ["MFA_JWT_ISSUER"], "{}", preset.name);
        }
    }
    let claims = |settings: &[(&'static str, &str)]| {
        let login = with(
            &[&[("MFA_JWT_ISSUER", "https://x.example"), ("MFA_JWT_AUDIENCE", "app"), own][..], settings].concat(),
        );
        let login = login.expect("a login");
        login.jwt.logins[0].user_claim.as_ref().map(|claim| claim.as_str().to_owned())
    };
    assert_eq!(claims(&[("MFA_LOGIN", "okta")]).as_deref(), Some("uid"));
    assert_eq!(claims(&[("MFA_LOGIN", "okta"), ("MFA_JWT_USER_CLAIM", "sub")]).as_deref(), Some("sub"));
    let secret = ("MFA_JWT_SECRET", "a secret of an operator's own choice");
    let legacy = [("MFA_LOGIN", "supabase"), ("MFA_JWT_ALGORITHM", "HS256"), secret];
    assert_eq!(faults(&legacy), Vec::<String>::new(), "a shared secret needs no key set");
    assert_eq!(
        faults(&[
            ("MFA_LOGIN", "okta"),
            ("MFA_JWT_AUDIENCE", "app"),
            own,
            ("MFA_JWT_PUBLIC_KEY", EC_PUBLIC),
            ("MFA_JWT_ALGORITHM", "ES256")
        ]),
        Vec::<String>::new()
    );
    assert_eq!(faults(&[("MFA_LOGIN", "Cognito")]), ["MFA_LOGIN"]);
}

#[test]
fn every_setting_of_a_preset_is_a_variable_of_a_login() {
    for preset in &PRESETS {
        for (name, value) in preset.settings {
            assert!(Config::variables().contains(name), "{}: {name}", preset.name);
            let is_whole = !value.contains('{') || preset.value(name, Some("https://x.example/tenant/v2.0/")).is_some();
            assert!(is_whole && preset.value(name, None).is_some() != value.contains('{'), "{}: {name}", preset.name);
        }
    }
}

#[test]
fn an_added_claim_is_none_that_anybody_reads_or_sets() {
    let added =
        |claims: &str, more: &[(&'static str, &str)]| faults(&[&[("MFA_ADD_CLAIMS", claims)][..], more].concat());
    assert_eq!(added(r#"{"aal":"aal2","https://x.example/mfa":true}"#, &[]), Vec::<String>::new());
    for name in [
        "sub",
        "id",
        "iss",
        "aud",
        "azp",
        "client_id",
        "cid",
        "email",
        "phone",
        "phone_number",
        "email_verified",
        "xms_edov",
        "phone_verified",
        "sessionId",
        "sid",
        "origin_jti",
        "jti",
        "exp",
        "iat",
        "nbf",
        "amr",
        "acr",
        "auth_time",
        "type",
        "token_use",
        "token_type",
        "typ",
        "events",
        "mfa",
        "isMfaVerified",
        "isMfaEnabled",
        "mfa_x",
        "nonce",
        "cnf",
        "act",
    ] {
        assert_eq!(added(&serde_json::json!({ name: "x" }).to_string(), &[]), ["MFA_ADD_CLAIMS"], "{name}");
    }
    for name in crate::config::POLICY_CLAIMS {
        assert_eq!(added(&serde_json::json!({ name: true }).to_string(), &[]), ["MFA_ADD_CLAIMS"], "{name}");
    }
    let policy = ("MFA_JWT_EXEMPT_CLAIM", "app/exempt");
    assert_eq!(added(r#"{"app":{"exempt":true}}"#, &[policy]), ["MFA_ADD_CLAIMS"]);
    let user = ("MFA_JWT_USER_CLAIM", "app/user");
    assert_eq!(added(r#"{"app":{"user":"bob"}}"#, &[user]), ["MFA_ADD_CLAIMS"]);
    for bad in ["[]", "1", "{", "\"x\""] {
        assert_eq!(added(bad, &[]), ["MFA_ADD_CLAIMS"], "{bad}");
    }
}

#[test]
fn an_issuer_of_our_own_is_an_address_at_which_a_key_set_can_be_found() {
    let own = ("MFA_SIGNING_KEY", OWN_PRIVATE);
    for good in ["https://mfa.example", "https://api.example/prod", "http://127.0.0.1:9000"] {
        assert_eq!(faults(&[("MFA_ISSUER", good), own]), Vec::<String>::new(), "{good}");
    }
    for bad in [
        "https://mfa.example/",
        "http://mfa.example",
        "mfa.example",
        "https://x.example/?a=b",
        "https://x.example/#a",
        "https://",
    ] {
        assert_eq!(faults(&[("MFA_ISSUER", bad), own]), ["MFA_ISSUER"], "{bad}");
    }
    assert_eq!(faults(&[("MFA_ISSUER", "https://mfa.example")]), ["MFA_ISSUER"], "a shared secret has no key set");
}

#[test]
fn a_persons_address_is_read_from_notes_of_a_backend_alone() {
    let claim = ("MFA_JWT_SOURCE_IP_CLAIM", "ip");
    assert_eq!(faults(&[claim]), Vec::<String>::new());
    let signed_elsewhere =
        [("MFA_JWT_ALGORITHM", "ES256"), ("MFA_JWT_PUBLIC_KEY", EC_PUBLIC), ("MFA_SIGNING_KEY", OWN_PRIVATE)];
    assert_eq!(faults(&[&signed_elsewhere[..], &[claim]].concat()), ["MFA_JWT_SOURCE_IP_CLAIM"]);
}

#[test]
fn an_unknown_variable_is_a_fault_that_names_the_nearest_known_one() {
    let Err(told) = with(&[("MFA_REQIRED", "true"), ("MFA_SMS_COUNTRY", "+1"), ("MFA_OF_THE_NEXT_RELEASE", "")]) else {
        panic!("unknown")
    };
    let told = told.to_string();
    assert!(told.contains("MFA_REQIRED is unknown. The nearest known name is MFA_REQUIRED"), "{told}");
    assert!(told.contains("MFA_SMS_COUNTRY is unknown. The nearest known name is MFA_SMS_COUNTRIES"), "{told}");
    assert!(!told.contains("NEXT_RELEASE"), "an empty value counts as not set: {told}");
    assert_eq!(faults_of(&[], &[("MFA_JWT_SECRTE", "x")]), ["MFA_JWT_SECRTE"], "whatever the function uses");
    assert_eq!(faults_of(&[], &[("MFA_LOGINS", "not read"), ("OTHER", "x")]), Vec::<String>::new());
}

#[test]
fn null_is_not_set_and_what_is_no_text_is_a_fault() {
    let users = |entry: serde_json::Value| {
        let logins = serde_json::to_string(&[entry]).expect("JSON");
        let settings = [("MFA_JWT_SECRET", ""), ("MFA_SIGNING_KEY", OWN_PRIVATE), ("MFA_LOGINS", logins.as_str())];
        with(&settings).expect("a configuration").jwt.logins[0].users.clone()
    };
    let mut without = entry("a", &[]);
    without["users"] = serde_json::Value::Null;
    without["MFA_JWT_ISSUER"] = serde_json::Value::Null;
    assert_eq!(users(without), "a", "and never the space of a bundle with one login");
    for (setting, value) in [("MFA_JWT_EMAIL_CLAIM", r#"["email"]"#), ("MFA_JWT_AUDIENCE", "{}"), ("users", "[]")] {
        let mut odd = entry("a", &[]);
        odd[setting] = serde_json::from_str(value).expect("JSON");
        assert!(faults_of_logins(&[odd], &[])[0].contains(setting), "{setting}");
    }
    let twice = r#"[{"name":"a","users":"x","users":"","MFA_JWT_SECRET":"the secret of a, long enough for it"}]"#;
    let own = ("MFA_SIGNING_KEY", OWN_PRIVATE);
    assert_eq!(faults(&[("MFA_JWT_SECRET", ""), own, ("MFA_LOGINS", twice)])[0], "MFA_LOGINS");
    assert_eq!(faults(&[("MFA_ADD_CLAIMS", r#"{"a":1,"a":2}"#)]), ["MFA_ADD_CLAIMS"]);
    assert_eq!(faults(&[("MFA_ADD_CLAIMS", r#"{"https://x.example/email_verified":true}"#)]), ["MFA_ADD_CLAIMS"]);
}

#[test]
fn keys_of_development_need_a_table_on_this_machine_wherever_they_stand() {
    const OWN: &str = include_str!("../../../local/keys/ed.pem");
    let local = ("MFA_DYNAMODB_ENDPOINT", "http://127.0.0.1:8000");
    let secret = ("MFA_JWT_SECRET", development::JWT_SECRET);
    assert!(faults_of_logins(&[entry("a", &[secret])], &[])[0].contains("document prints"));
    assert_eq!(faults_of_logins(&[entry("a", &[secret])], &[local]), Vec::<String>::new());
    for own in [OWN, include_str!("../../../local/keys/ec.pem"), include_str!("../../../local/keys/rsa.pem")] {
        assert_eq!(faults(&[("MFA_SIGNING_KEY", own)]), ["MFA_SIGNING_KEY"]);
        assert_eq!(faults(&[("MFA_SIGNING_KEY", own), local]), Vec::<String>::new());
    }
    let key = jsonwebtoken::EncodingKey::from_rsa_pem(include_bytes!("../../../local/keys/rsa.pem")).expect("a key");
    let jwk = Jwk::from_encoding_key(&key, Algorithm::RS256).expect("a JWK");
    let set = serde_json::json!({ "keys": [jwk] }).to_string();
    let login = [("MFA_SIGNING_KEY", OWN_PRIVATE), ("MFA_JWT_ALGORITHM", "RS256"), ("MFA_JWT_KEY_SET", set.as_str())];
    assert_eq!(faults(&login), ["MFA_JWT_PUBLIC_KEY"]);
    assert_eq!(faults(&[&login[..], &[local]].concat()), Vec::<String>::new());
}

#[test]
fn what_the_list_of_logins_replaces_is_set_nowhere_else() {
    for (name, value) in [("MFA_REQUIRE_VERIFIED_CONTACT", "marked"), ("MFA_JWT_PHONE_PREFIX", "+")] {
        assert!(faults_of_logins(&[entry("a", &[])], &[(name, value)])[0].contains("replaces"), "{name}");
    }
    let two_signatures = [
        entry("old", &[("MFA_JWT_ISSUER", "https://x.example"), ("MFA_JWT_AUDIENCE", "app"), ("users", "")]),
        entry(
            "new",
            &[
                ("MFA_JWT_ISSUER", "https://x.example"),
                ("MFA_JWT_AUDIENCE", "app"),
                ("users", ""),
                ("MFA_JWT_SECRET", ""),
                ("MFA_JWT_ALGORITHM", "ES256"),
                ("MFA_JWT_PUBLIC_KEY", EC_PUBLIC),
            ],
        ),
    ];
    assert_eq!(faults_of_logins(&two_signatures, &[]), Vec::<String>::new(), "a token has one algorithm");
    let no_tenant = [("MFA_LOGIN", "entra"), ("MFA_SIGNING_KEY", OWN_PRIVATE)];
    let issuer = ("MFA_JWT_ISSUER", "https://login.microsoftonline.com");
    assert!(!faults(&[&no_tenant[..], &[issuer]].concat()).is_empty(), "no address follows from it");
}

#[test]
fn no_claim_is_handed_on_under_a_name_of_the_authorizers_own() {
    for name in TOLD_BY_AUTHORIZER {
        assert_eq!(faults(&[("MFA_AUTHORIZER_CLAIMS", name)]), ["MFA_AUTHORIZER_CLAIMS"], "{name}");
    }
    assert_eq!(faults(&[("MFA_AUTHORIZER_CLAIMS", "email,app/role")]), Vec::<String>::new());
}

/// A PEM as people and their tools hand it on.
fn pasted(pem: &str) -> Vec<String> {
    vec![
        pem.replace('\n', "\\n"),
        pem.replace('\n', "\\\\n"),
        pem.replace('\n', "\r\n"),
        pem.replace('\n', " "),
        pem.replace('\n', "\n    "),
        pem.replace('\n', "\n> "),
        format!("\u{feff}\u{a0}{pem}\u{200b}"),
        format!("\"{}\"", pem.trim()),
        format!("'{}'", pem.replace('\n', "\\r\\n")),
        pem.replace("-----", "\u{2014}\u{2014}-"),
        pem.replace("-----", "\u{2013}"),
        format!("Bag Attributes\n    localKeyID: 01-02\n{pem}"),
        format!("-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n{pem}"),
    ]
}

#[test]
fn a_pem_is_taken_as_people_paste_it() {
    let keys = |name: &str, pem: &str| {
        let asymmetric = ("MFA_JWT_ALGORITHM", "ES256");
        let own = ("MFA_SIGNING_KEY", OWN_PRIVATE);
        let config = with(&[asymmetric, ("MFA_JWT_PUBLIC_KEY", P256_PUBLIC), own, ("MFA_NEXT_SIGNING_KEY", pem)]);
        let login = with(&[asymmetric, own, ("MFA_JWT_PUBLIC_KEY", if name == "public" { pem } else { EC_PUBLIC })]);
        let config = config.unwrap_or_else(|faults| panic!("{pem}: {faults}"));
        assert!(login.is_ok(), "{pem}");
        config.jwt.public_keys
    };
    for (name, pem) in [("public", EC_PUBLIC), ("private", EC_PRIVATE)] {
        let plain = keys(name, pem);
        for text in pasted(pem) {
            assert_eq!(keys(name, &text), plain, "{text}");
        }
    }
    for cut in [&EC_PUBLIC[..60], &EC_PUBLIC.replace("END PUBLIC", "END PRIVATE"), "BEGIN PUBLIC KEY", "-----", "\\"] {
        let changes = [("MFA_JWT_ALGORITHM", "ES256"), ("MFA_SIGNING_KEY", OWN_PRIVATE), ("MFA_JWT_PUBLIC_KEY", cut)];
        assert_eq!(faults(&changes), ["MFA_JWT_PUBLIC_KEY"], "{cut}");
    }
}

#[test]
fn settings_that_stand_in_one_variable_are_read_as_if_each_stood_alone() {
    let routes = "POST /transfers = mfa max_age=300; $default = token";
    let text =
        format!("MFA_REQUIRED=true MFA_CODE_LENGTH=8\n  MFA_AUTHORIZER_ROUTES={routes}\r\n\tMFA_JWT_ISSUER=a=b MFA_X");
    for text in [text.clone(), text.replace(['\r', '\n', '\t'], " "), format!("\n{text}\n\n")] {
        let config = with(&[("MFA_SETTINGS", &text)]).expect("a configuration");
        assert!(config.policy.required);
        assert_eq!(config.policy.code_length, 8);
        assert_eq!(config.jwt.logins[0].issuer.as_deref(), Some("a=b MFA_X"));
        assert_eq!(config.route_requirements, RouteRequirements::parse(routes).expect("routes"));
    }
    assert_eq!(faults(&[("MFA_SETTINGS", " \n ")]), Vec::<String>::new());
    // What is wrong with a setting is told by its name.
    assert_eq!(
        faults(&[("MFA_SETTINGS", "MFA_CODE_LENGTH=5 MFA_CODE_LENGHT=6")]),
        ["MFA_CODE_LENGTH", "MFA_CODE_LENGHT"]
    );
    assert_eq!(faults(&[("MFA_SETTINGS", "MFA_CODE_LENGTH=")]), Vec::<String>::new());
}

#[test]
fn settings_that_cannot_be_read_that_stand_elsewhere_or_that_are_secret_are_faults() {
    for wrong in [
        "true",
        "MFA_REQUIRED",
        "required=true",
        "please MFA_REQUIRED=true",
        "MFA_REQUIRED=true MFA_REQUIRED=true",
        "=MFA_REQUIRED=true",
        "MFA_APP_NAME=Twice",
        "MFA_HASH_KEY=QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=",
        "MFA_SIGNING_KEY=x",
        "MFA_JWT_SECRET=0123456789012345678901234567890123456789",
        "MFA_LOGINS=[]",
        "MFA_SEALING_KEYS=k1:QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=",
        "MFA_NEXT_SIGNING_KEY=-----BEGIN PRIVATE KEY-----",
        "MFA_SETTINGS=MFA_REQUIRED=true",
    ] {
        assert_eq!(faults(&[("MFA_SETTINGS", wrong)]), ["MFA_SETTINGS"], "{wrong}");
    }
    // A parameter that was left empty is set by itself too.
    assert_eq!(faults(&[("MFA_EMAIL_FROM", ""), ("MFA_SETTINGS", "MFA_EMAIL_FROM=a@example.com")]), ["MFA_SETTINGS"]);
}

#[test]
fn a_secret_that_a_document_prints_is_refused() {
    for printed in development::PRINTED_SECRETS {
        assert_eq!(faults(&[("MFA_JWT_SECRET", printed)]), ["MFA_JWT_SECRET"], "{printed}");
    }
}

#[test]
fn a_login_that_cannot_be_told_from_our_own_tokens_is_a_fault() {
    let asymmetric = [("MFA_JWT_ALGORITHM", "ES256"), ("MFA_SIGNING_KEY", EC_PRIVATE), ("MFA_JWT_SECRET", "")];
    let with_key = |key| [&asymmetric[..], &[("MFA_JWT_PUBLIC_KEY", key)]].concat();
    assert_eq!(faults(&with_key(EC_PUBLIC)), ["MFA_SIGNING_KEY"]);
    assert_eq!(faults(&with_key(P256_PUBLIC)), Vec::<String>::new());
    let issuer = "https://id.example.com";
    let both = [("MFA_ISSUER", issuer), ("MFA_JWT_ISSUER", issuer)];
    assert_eq!(faults(&[&with_key(P256_PUBLIC)[..], &both].concat()), ["MFA_ISSUER"]);
}

#[test]
fn what_would_refuse_every_token_or_nothing_is_a_fault_at_start() {
    // A provider whose access tokens say nothing of what they are.
    for preset in PRESETS.iter().filter(|preset| preset.needs_audience) {
        let settings = [
            ("MFA_LOGIN", preset.name),
            ("MFA_JWT_SECRET", ""),
            ("MFA_JWT_ISSUER", "https://id.example.com/v2.0"),
            ("MFA_SIGNING_KEY", OWN_PRIVATE),
        ];
        assert_eq!(faults(&settings), ["MFA_JWT_AUDIENCE"], "{}", preset.name);
        assert_eq!(faults(&[&settings[..], &[("MFA_JWT_AUDIENCE", "web")]].concat()), Vec::<String>::new());
    }
    // A secret that nothing would be checked with.
    let asymmetric =
        [("MFA_JWT_ALGORITHM", "ES256"), ("MFA_JWT_PUBLIC_KEY", P256_PUBLIC), ("MFA_SIGNING_KEY", OWN_PRIVATE)];
    let secret = ("MFA_JWT_SECRET", "a secret of an operator's own choice");
    assert_eq!(faults(&[&asymmetric[..], &[secret]].concat()), ["MFA_JWT_SECRET"]);
    // No method at all.
    assert_eq!(faults(&[("MFA_METHODS", "sms"), ("MFA_SMS_DOMAIN", "example.com")]), ["MFA_SMS_COUNTRIES"]);
    // A claim that an application would take for a passed second factor.
    for claim in ["isMfaVerified", "mfa", "email,mfa/method"] {
        assert_eq!(faults(&[("MFA_AUTHORIZER_CLAIMS", claim)]), ["MFA_AUTHORIZER_CLAIMS"], "{claim}");
    }
}

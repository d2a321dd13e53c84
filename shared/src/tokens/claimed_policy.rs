//! What a login token says of whether its user must use MFA.

use serde_json::{Map, Value};

use super::claims;
use crate::{
    config::PolicyClaims,
    domain::{ClaimedPolicy, Timestamp},
};

/// Reads the policy of a token's user. `null` counts as absent: many applications write it for what
/// they do not say.
pub(super) fn claimed_policy(claims: &Map<String, Value>, names: &PolicyClaims) -> ClaimedPolicy {
    ClaimedPolicy {
        required: names.required.find(claims).is_some_and(says_yes),
        required_from: names.required_from.find(claims).filter(|date| !date.is_null()).map(moment),
        exempt: names.exempt.find(claims) == Some(&Value::Bool(true)),
    }
}

/// Attributes of some providers are always texts, or numbers.
fn says_yes(value: &Value) -> bool {
    match value {
        Value::Bool(yes) => *yes,
        Value::String(text) => text == "true",
        Value::Number(number) => number.as_u64() == Some(1),
        Value::Null | Value::Array(_) | Value::Object(_) => false,
    }
}

/// The moment that a claim names: a date or date-time of RFC 3339, or a number of seconds. What
/// cannot be read is the first of all moments: it requires MFA now.
fn moment(value: &Value) -> Timestamp {
    let read = match value {
        Value::String(text) => Timestamp::parse(text),
        Value::Number(_) => claims::millis_of(value).map(Timestamp::from_millis),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    // Seconds that are milliseconds by mistake lie some 50,000 years ahead.
    read.filter(|moment| *moment < Timestamp::END_OF_DATES).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::config::Config;

    fn read_with(claims: &Value, settings: &[(&str, &str)]) -> ClaimedPolicy {
        let settings = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let config = Config::from_vars(&[], &settings).expect("a configuration");
        claimed_policy(claims.as_object().expect("claims"), &config.jwt.logins[0].policy_claims)
    }

    fn read(claims: &Value) -> ClaimedPolicy {
        read_with(claims, &[])
    }

    #[test]
    fn a_claim_requires_if_it_says_so_in_one_of_the_ways_of_providers() {
        for yes in [json!(true), json!("true"), json!(1)] {
            assert!(read(&json!({ "mfa_required": yes })).required, "{yes}");
        }
        for no in
            [json!(false), json!("false"), json!(0), json!(2), json!("1"), json!("yes"), json!(null), json!([true])]
        {
            assert!(!read(&json!({ "mfa_required": no })).required, "{no}");
        }
    }

    #[test]
    fn only_the_boolean_exempts() {
        assert!(read(&json!({ "mfa_exempt": true })).exempt);
        for no in [json!("true"), json!(1), json!(false), json!(null), json!([true]), json!({ "mfa_exempt": true })] {
            assert!(!read(&json!({ "mfa_exempt": no })).exempt, "{no}");
        }
    }

    #[test]
    fn a_date_is_read_in_each_form_and_what_is_none_requires_now() {
        let noon = Timestamp::from_secs(1_900_065_600);
        for (date, moment) in [
            (json!("2030-03-18T12:00:00Z"), noon),
            (json!("2030-03-18T14:00:00+02:00"), noon),
            (json!(1_900_065_600), noon),
            (json!(1_900_065_600.5), Timestamp::from_millis(1_900_065_600_500)),
            (json!("2030-03-18"), Timestamp::from_secs(1_900_022_400)),
        ] {
            assert_eq!(read(&json!({ "mfa_required_from": date })).required_from, Some(moment), "{date}");
        }
        for none in [
            json!("soon"),
            json!(""),
            json!("1900065600"),
            json!(-1),
            json!(1e23),
            json!(1_900_065_600_000_u64),
            json!(253_402_300_800_u64),
            json!(true),
            json!(false),
            json!([]),
            json!({}),
        ] {
            let read = read(&json!({ "mfa_required_from": none }));
            assert_eq!(read.required_from, Some(Timestamp::default()), "{none}");
        }
        for absent in [json!({}), json!({ "mfa_required_from": null, "mfa_required": null, "mfa_exempt": null })] {
            assert_eq!(read(&absent), ClaimedPolicy::default(), "{absent}");
        }
    }

    #[test]
    fn the_claims_have_the_names_of_the_configuration_alone() {
        let settings = [
            ("MFA_JWT_REQUIRED_CLAIM", "app/required"),
            ("MFA_JWT_REQUIRED_FROM_CLAIM", "https://acme.example/from"),
            ("MFA_JWT_EXEMPT_CLAIM", "custom:exempt"),
        ];
        let claims = json!({ "app": { "required": true }, "https://acme.example/from": 7, "custom:exempt": true });
        let expected = ClaimedPolicy { required: true, required_from: Some(Timestamp::from_secs(7)), exempt: true };
        assert_eq!(read_with(&claims, &settings), expected);
        let others = json!({ "mfa_required": true, "mfa_required_from": 7, "mfa_exempt": true });
        assert_eq!(read_with(&others, &settings), ClaimedPolicy::default());
    }
}

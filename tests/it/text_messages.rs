//! Text messages through End User Messaging, and what a number that gets none means to its user.

use std::sync::Arc;

use mfa_tests::{InjectedFault, Login, TestApp};
use serde_json::{Value, json};

const IDENTITY: &str = "arn:aws:sms-voice:us-east-1:123456789012:pool/pool-0123456789abcdef";
const SERVICE: [(&str, &str); 2] =
    [("MFA_SMS_SERVICE", "end-user-messaging"), ("MFA_SMS_ORIGINATION_IDENTITY", IDENTITY)];

const INVALID: &str = "+15550100123";
const OPTED_OUT: &str = "+15550101123";
const BLOCKED: &str = "+15550102123";
const NOT_VERIFIED: &str = "+15550103123";
const OVER_THE_SPEND_LIMIT: &str = "+15550104123";
const OF_A_DISABLED_ACCOUNT: &str = "+15550105123";

const DAY: u64 = 86_400;

async fn start(more: &[(&str, &str)]) -> Arc<TestApp> {
    TestApp::start_with(&[&SERVICE[..], more].concat()).await
}

fn with_phone(mfa: &Arc<TestApp>, number: &str) -> Login {
    mfa.user("alice").with_email("alice@example.com").with_phone(number).login()
}

async fn usable(login: &Login) -> Value {
    login.status().await["verifiedMethods"].clone()
}

#[tokio::test]
async fn a_message_carries_what_the_operator_set_and_ids_of_india_go_to_india_alone() {
    let mfa = start(&[
        ("MFA_SMS_CONFIGURATION_SET", "codes"),
        ("MFA_SMS_PROTECT_CONFIGURATION", "protect-1"),
        ("MFA_SMS_MAX_PRICE", "0.25"),
        ("MFA_SMS_DLT_ENTITY_ID", "1201159543060917386"),
        ("MFA_SMS_DLT_TEMPLATE_ID", "1107169412345678901"),
    ])
    .await;
    with_phone(&mfa, "+442079460018").challenge("sms").await.assert_ok();
    mfa.user("bob").with_phone("+919876543210").login().challenge("sms").await.assert_ok();
    let [british, indian] = mfa.inbox.messages().try_into().expect("two messages");
    let common = [
        format!("OriginationIdentity: {IDENTITY}"),
        "MessageType: TRANSACTIONAL".to_owned(),
        "ProtectConfigurationId: protect-1".to_owned(),
        "MaxPrice: 0.25".to_owned(),
    ];
    assert_eq!(british.parameters, common);
    assert_eq!(indian.parameters[..4], common);
    assert_eq!(indian.parameters[4..], ["IN_ENTITY_ID: 1201159543060917386", "IN_TEMPLATE_ID: 1107169412345678901"]);
    assert_eq!((british.to.as_str(), british.configuration_set.as_deref()), ("+442079460018", Some("codes")));
    let code = british.code.expect("a code");
    assert_eq!(british.text.lines().last(), Some(format!("@example.com #{code}").as_str()));
}

#[tokio::test]
async fn a_code_verifies_and_the_log_names_the_message() {
    let mfa = start(&[]).await;
    let alice = with_phone(&mfa, "+442079460018");
    let code = alice.receive_code("sms").await;
    let id = mfa.inbox.messages()[0].id.clone();
    let line: Value = serde_json::from_str(mfa.log().lines().last().expect("a line")).expect("JSON");
    assert_eq!(line["message_id"], json!(id));
    alice.verify("sms", &code).await.assert_ok();
}

#[tokio::test]
async fn a_number_that_cannot_be_reached_is_told_and_is_no_method_for_a_day() {
    for (number, cause) in [
        (INVALID, "rejected: ValidationException INVALID_PARAMETER"),
        (OPTED_OUT, "barred: ConflictException DESTINATION_PHONE_NUMBER_OPTED_OUT"),
        (BLOCKED, "rejected: ConflictException DESTINATION_COUNTRY_BLOCKED_BY_PROTECT_CONFIGURATION"),
        (NOT_VERIFIED, "barred: ConflictException DESTINATION_PHONE_NUMBER_NOT_VERIFIED"),
    ] {
        let mfa = start(&[]).await;
        let alice = with_phone(&mfa, number);
        assert_eq!(usable(&alice).await, json!(["email", "sms"]), "{number}");
        mfa.take_log();
        alice.challenge("sms").await.assert_problem(422, "MFA_DELIVERY_REJECTED");
        let line: Value = serde_json::from_str(mfa.log().lines().last().expect("a line")).expect("JSON");
        assert_eq!(line["cause"], cause);
        assert_eq!(usable(&alice).await, json!(["email"]), "{number}");

        mfa.advance(DAY - 1);
        assert_eq!(usable(&with_phone(&mfa, number)).await, json!(["email"]), "{number}, a second before");
        mfa.advance(1);
        assert_eq!(usable(&with_phone(&mfa, number)).await, json!(["email", "sms"]), "{number}, a day after");
    }
}

#[tokio::test]
async fn a_number_that_takes_codes_again_is_a_method_at_once() {
    let mfa = start(&[]).await;
    let alice = with_phone(&mfa, OPTED_OUT);
    alice.challenge("sms").await.assert_problem(422, "MFA_DELIVERY_REJECTED");
    mfa.inbox.take_rejected(true);
    let code = alice.receive_code("sms").await;
    assert_eq!(usable(&alice).await, json!(["email", "sms"]));
    alice.verify("sms", &code).await.assert_ok();
}

#[tokio::test]
async fn the_mark_concerns_one_number_of_one_user() {
    let mfa = start(&[]).await;
    with_phone(&mfa, OPTED_OUT).challenge("sms").await.assert_problem(422, "MFA_DELIVERY_REJECTED");
    let other_number = with_phone(&mfa, "+442079460018");
    assert_eq!(usable(&other_number).await, json!(["email", "sms"]));
    other_number.challenge("sms").await.assert_ok();
    let other_user = mfa.user("bob").with_phone(OPTED_OUT).login();
    assert_eq!(usable(&other_user).await, json!(["sms"]), "nobody learns what another user's number takes");
}

#[tokio::test]
async fn who_opted_out_keeps_the_gate_shut_and_a_country_that_the_operator_blocks_does_not() {
    for (number, gate) in [(OPTED_OUT, 401), (NOT_VERIFIED, 401), (BLOCKED, 200), (INVALID, 200)] {
        let mfa = start(&[("MFA_REQUIRED", "true"), ("MFA_METHODS", "totp,sms")]).await;
        let alice = mfa.user("alice").with_phone(number).login();
        alice.setup().await.assert_problem(401, "MFA_REQUIRED");
        alice.challenge("sms").await.assert_problem(422, "MFA_DELIVERY_REJECTED");
        assert_eq!(alice.setup().await.status, gate, "{number}");
        let status = alice.status().await;
        assert_eq!(status["deadEnd"] == json!(true), gate == 401, "{number}: {status}");
    }
}

#[tokio::test]
async fn an_owner_who_opts_out_keeps_a_proven_number_bound_when_mfa_becomes_required() {
    let mfa = start(&[("MFA_METHODS", "totp,sms")]).await;
    mfa.inbox.take_rejected(true);
    let alice = mfa.user("alice").with_phone(OPTED_OUT);
    let login = alice.login();
    let code = login.receive_code("sms").await;
    login.verify("sms", &code).await.assert_ok();
    mfa.inbox.take_rejected(false);
    mfa.advance(3600);
    let required = mfa.redeployed_with(&[("MFA_REQUIRED", "true")]);
    let thief = alice.login().at(&required);
    thief.challenge("sms").await.assert_problem(422, "MFA_DELIVERY_REJECTED");
    thief.setup().await.assert_problem(401, "MFA_REQUIRED");
    let moved = mfa.user("alice").with_phone("+442079460018").login().at(&required);
    moved.challenge("sms").await.assert_problem(400, "MFA_METHOD_NOT_AVAILABLE");
    moved.setup().await.assert_problem(401, "MFA_REQUIRED");
}

#[tokio::test]
async fn mfa_that_was_switched_on_with_a_number_that_opted_out_stays_on_until_it_takes_codes_again() {
    let mfa = start(&[("MFA_METHODS", "totp,sms")]).await;
    let alice = mfa.user("alice").with_phone(OPTED_OUT).login();
    alice.toggle(true).await.assert_ok();
    alice.challenge("sms").await.assert_problem(422, "MFA_DELIVERY_REJECTED");
    let status = alice.status().await;
    assert_eq!((&status["isEnabled"], &status["deadEnd"]), (&json!(true), &json!(true)));
    alice.toggle(false).await.assert_problem(401, "MFA_REQUIRED");

    mfa.inbox.take_rejected(true);
    let code = alice.receive_code("sms").await;
    alice.verify("sms", &code).await.assert_ok();
}

#[tokio::test]
async fn mfa_is_not_switched_on_with_a_number_that_is_known_to_get_nothing() {
    let mfa = start(&[("MFA_METHODS", "totp,sms")]).await;
    let alice = mfa.user("alice").with_phone(OPTED_OUT).login();
    alice.challenge("sms").await.assert_problem(422, "MFA_DELIVERY_REJECTED");
    alice.toggle(true).await.assert_problem(403, "MFA_CANNOT_ENABLE_WITHOUT_METHOD");
}

#[tokio::test]
async fn a_fault_of_the_account_is_a_503_that_costs_no_send_and_leaves_no_mark() {
    for (number, cause) in [
        (OVER_THE_SPEND_LIMIT, "refused: ServiceQuotaExceededException MONTHLY_SPEND_LIMIT_REACHED_FOR_TEXT"),
        (OF_A_DISABLED_ACCOUNT, "refused: AccessDeniedException ACCOUNT_DISABLED"),
    ] {
        let mfa = start(&[]).await;
        let alice = with_phone(&mfa, number);
        alice.challenge("sms").await.assert_problem(503, "MFA_DELIVERY_FAILED");
        let line: Value = serde_json::from_str(mfa.log().lines().last().expect("a line")).expect("JSON");
        assert_eq!(line["cause"], cause);
        assert_eq!(usable(&alice).await, json!(["email", "sms"]));
        alice.challenge("email").await.assert_ok();
    }
}

#[tokio::test]
async fn a_call_that_is_throttled_is_made_again_and_one_whose_answer_is_lost_is_not() {
    let mfa = start(&[]).await;
    let alice = with_phone(&mfa, "+442079460018");
    mfa.fault_proxy.break_calls("SendTextMessage", InjectedFault::ThrottleOnce);
    alice.challenge("sms").await.assert_ok();
    mfa.advance(60);
    mfa.fault_proxy.break_calls("SendTextMessage", InjectedFault::LoseOneAnswer);
    alice.challenge("sms").await.assert_problem(503, "MFA_DELIVERY_FAILED");
    let sent = mfa.fault_proxy.take_calls().iter().filter(|call| call.what == "SendTextMessage").count();
    assert_eq!(sent, 2, "one that was throttled before, and one whose answer was lost");
    let code = mfa.inbox.messages().pop().and_then(|message| message.code).expect("it arrived");
    alice.verify("sms", &code).await.assert_ok();
}

#[tokio::test]
async fn a_code_costs_no_more_units_and_calls_than_through_sns() {
    let mut costs = Vec::new();
    for settings in [&SERVICE[..], &[]] {
        let mfa = TestApp::start_with(settings).await;
        let alice = mfa.user("alice").with_phone(INVALID).login();
        let good = mfa.user("carol").with_phone("+442079460018").login();
        mfa.fault_proxy.take_calls();
        let cost = || {
            let calls = mfa.fault_proxy.take_calls();
            (calls.len(), calls.iter().map(|call| call.units).sum::<f64>().to_string())
        };
        good.challenge("sms").await.assert_ok();
        let sent = cost();
        alice.challenge("sms").await.assert_problem(422, "MFA_DELIVERY_REJECTED");
        let refused = cost();
        alice.status().await;
        let marked = cost();
        good.status().await;
        assert_eq!(marked, cost(), "the mark is in the ledger, which is read in any case");
        costs.push((sent, refused, marked));
    }
    assert_eq!(costs[0], costs[1]);
}

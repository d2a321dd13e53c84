//! The sample event, and the real binary as Lambda runs it.

use mfa_status::Status;
use mfa_tests::{
    SampleEvent, TestApp,
    nasty_events::{assert_answers_nasty_events, assert_documented, assert_foreign, with},
    runtime_api::RunningFunction,
    sample_event::as_payload_1,
};
use proptest::{
    prelude::{Just, Strategy, any},
    prop_oneof,
    sample::select,
    strategy::ValueTree,
    test_runner::TestRunner,
};
use serde_json::{Map, Value};

mfa_tests::sample_event!("status", SampleEvent::of::<Status>());

#[tokio::test]
async fn every_nasty_event_is_answered_and_the_process_lives_on() {
    assert_answers_nasty_events::<Status>(env!("CARGO_BIN_EXE_status"), &SampleEvent::of::<Status>()).await;
}

#[tokio::test]
async fn a_line_of_the_log_has_the_names_that_lambda_and_powertools_know() {
    let mfa = TestApp::start().await;
    let mut function = RunningFunction::start(&mfa, env!("CARGO_BIN_EXE_status")).await;
    for cold in [true, false] {
        let answer = function.invoke(SampleEvent::of::<Status>().event().to_string()).await.expect("an answer");
        let line = function.log_line().await;
        let names: Vec<_> = line.as_object().expect("an object").keys().map(String::as_str).collect();
        let expected = ["timestamp", "level", "message", "service", "function_name", "cold_start", "correlation_id"];
        for name in expected {
            assert!(names.contains(&name), "{name}: {line}");
        }
        assert_eq!((&line["level"], &line["service"]), (&"INFO".into(), &"status".into()));
        assert_eq!((&line["function_name"], &line["cold_start"]), (&"test".into(), &cold.into()));
        assert_eq!(line["correlation_id"], answer["headers"]["x-request-id"]);
        // 2026-01-31T12:34:56.789Z
        let time = line["timestamp"].as_str().expect("a text");
        assert!(time.len() == 24 && &time[10..11] == "T" && time.ends_with('Z'), "{time}");
    }
}

#[tokio::test]
async fn any_event_is_answered_and_the_process_lives_on() {
    let mfa = TestApp::start().await;
    let mut function = RunningFunction::start(&mfa, env!("CARGO_BIN_EXE_status")).await;
    let mut runner = TestRunner::deterministic();
    let events = any_event();
    let (mut requests, mut foreign) = (0, 0);
    for _ in 0..600 {
        let event = events.new_tree(&mut runner).expect("an event").current().to_string();
        let answer = function.invoke(event.as_str()).await.unwrap_or_else(|error| panic!("{event}: {error}"));
        let line = function.log_line().await;
        assert_documented::<Status>(&event, &answer);
        if answer["statusCode"] == 500 {
            let shape = line["cause"].as_str().and_then(|cause| cause.split_once(", but ")).expect("a shape").1;
            assert_foreign(&event, &answer, &line, shape);
            foreign += 1;
        } else {
            requests += 1;
        }
    }
    assert!(requests > 100 && foreign > 100, "{requests} requests, {foreign} foreign events");
    assert_eq!(function.end().await, "", "a function writes its log lines and nothing else");
}

/// Any JSON, or a request of either payload with some of its fields changed.
fn any_event() -> impl Strategy<Value = Value> {
    let request = SampleEvent::of::<Status>().event();
    let requests = [as_payload_1(&request), request].map(|request| {
        let changes = proptest::collection::vec((select(pointers("", &request)), any_json()), 1..6);
        changes.prop_map(move |changes| {
            changes.into_iter().fold(request.clone(), |event, (pointer, value)| with(&event, &pointer, value))
        })
    });
    let [rest, http] = requests;
    prop_oneof![1 => any_json(), 3 => rest, 3 => http]
}

/// Every place in a value.
fn pointers(at: &str, value: &Value) -> Vec<String> {
    let fields = value.as_object().into_iter().flatten();
    let within = fields.flat_map(|(name, value)| pointers(&format!("{at}/{name}"), value));
    within.chain((!at.is_empty()).then(|| at.to_owned())).collect()
}

fn any_json() -> impl Strategy<Value = Value> {
    const TEXTS: [&str; 12] =
        ["", " ", "\0", "\"<> ", "%ff%zz", "[", "http://[", "GET", "a\r\nb: c", "\u{1f600}", "true", "Bearer x"];
    const NAMES: [&str; 8] =
        ["requestContext", "http", "method", "httpMethod", "identity", "headers", "authorization", "x y"];
    let text = prop_oneof![select(&TEXTS[..]).prop_map(ToOwned::to_owned), any::<String>()];
    let name = prop_oneof![select(&NAMES[..]).prop_map(ToOwned::to_owned), any::<String>()];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text.prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 6, move |inner| {
        let fields = proptest::collection::vec((name.clone(), inner.clone()), 0..6);
        prop_oneof![
            proptest::collection::vec(inner, 0..6).prop_map(Value::from),
            fields.prop_map(|fields| Value::from(Map::from_iter(fields))),
        ]
    })
}

//! The real binary, as Lambda runs it for the stream of the table.

use mfa_tests::{TestApp, json, runtime_api::invoke};

#[tokio::test]
async fn the_binary_tells_of_the_records_of_a_stream_and_gives_back_what_it_cannot_read() {
    let mfa = TestApp::start_telling(&[]).await;
    mfa.user("alice").with_email("alice@example.com").login().enrol().await;
    let mut records = mfa.written().await;
    let answer = invoke(&mfa, env!("CARGO_BIN_EXE_notify"), &json!({ "Records": records }).to_string()).await;
    assert_eq!(answer, json!({ "batchItemFailures": [] }));
    assert_eq!(mfa.inbox.messages().len(), 1);
    assert_eq!(mfa.inbox.events().len(), 1);

    for record in &mut records {
        // A packed list of a format that only a later release reads.
        record["dynamodb"]["NewImage"]["d"] = json!({ "B": "Agg=" });
    }
    let answer = invoke(&mfa, env!("CARGO_BIN_EXE_notify"), &json!({ "Records": records }).to_string()).await;
    let numbers: Vec<_> =
        records.iter().map(|record| json!({ "itemIdentifier": record["dynamodb"]["SequenceNumber"] })).collect();
    assert_eq!(answer, json!({ "batchItemFailures": numbers }));
}

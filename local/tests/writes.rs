//! That a server that runs long does not slow down, although what is written is watched for `notify`.
//! `cargo test -p mfa-local --test writes -- --ignored --nocapture` measures it.
#![expect(clippy::print_stdout, reason = "the measurement is printed")]

use mfa_local::{LocalTable, Services, StartServices, clock::LocalClock, stream::Stream};
use serde_json::json;
use tokio::time::Instant;

/// How many writes are made, and how many of them are one measurement.
const WRITES: usize = 20_000;
const PART: usize = 2_000;

#[tokio::test]
#[ignore = "it takes a minute, and measures"]
async fn the_last_writes_of_twenty_thousand_are_as_fast_as_the_first() {
    let clock = LocalClock::wall();
    let wanted = StartServices { watch: true, ..StartServices::default() };
    let services = Services::start(wanted, &clock).await.expect("services");
    let table = LocalTable::new(&services.endpoints.dynamodb, "writes");
    table.create(false).await.expect("a table");
    let stream = Stream::Watched(services.writes.expect("a watched table"));
    let mut parts = Vec::new();
    let mut seen = 0;
    for part in 0..WRITES / PART {
        let began = Instant::now();
        for n in 0..PART {
            let value = json!({ "N": (part * PART + n).to_string() });
            table.set(&format!("USER#{}", n % 100), "MFA#LEDGER", "v", Some(&value)).await.expect("a write");
        }
        seen += stream.take(usize::MAX).await.expect("records").len();
        parts.push(began.elapsed().as_micros() / PART as u128);
        println!("writes {:>6} to {:>6}: {:>5} microseconds each", part * PART, (part + 1) * PART, parts[part]);
    }
    assert_eq!(seen, WRITES, "each write is a record");
    assert!(parts[WRITES / PART - 1] < 2 * parts[1], "{parts:?}");
}

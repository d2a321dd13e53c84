//! What `docs/import.md` shows is read.
#![expect(clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

use std::{fs, path::Path, process::Command};

use mfa::domain::Policy;
use mfa::domain::Timestamp;
use mfa_import::{Format, SecretEncoding, read};

/// 2030-01-01T00:00:00Z.
const NOW: Timestamp = Timestamp::from_secs(1_893_456_000);

fn page() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/import.md")).expect("the page")
}

/// The one block of a kind.
fn block(kind: &str) -> String {
    let (page, fence) = (page(), format!("```{kind}\n"));
    let mut blocks = page.split(&fence).skip(1);
    let block = blocks.next().and_then(|rest| rest.split("```").next()).unwrap_or_else(|| panic!("no block {kind}"));
    assert!(blocks.next().is_none(), "one block {kind}");
    block.to_owned()
}

/// The users of a file, each with its number of authenticators.
fn users(format: Format, file: &[u8]) -> Vec<(String, usize)> {
    let mut users = Vec::new();
    read(format, file, NOW, |row| {
        let user = row.user.unwrap_or_else(|problem| panic!("line {}: {problem}", row.line));
        users.push((user.user, user.authenticators.len()));
    })
    .expect("read");
    users
}

#[test]
fn the_examples_are_read_whole() {
    for (format, expected) in [
        (Format::JsonLines, &[("alice", 1), ("42", 1), ("carol", 0)][..]),
        (Format::Csv, &[("alice", 2), ("carol", 0)]),
        (Format::Otpauth, &[("alice@example.com", 1), ("42", 1)]),
    ] {
        let expected: Vec<_> = expected.iter().map(|(user, count)| ((*user).to_owned(), *count)).collect();
        assert_eq!(users(format, block(format.as_str()).as_bytes()), expected);
    }
}

#[test]
fn every_format_field_and_encoding_is_described() {
    let page = page();
    let formats = Format::ALL.map(Format::as_str);
    let encodings = SecretEncoding::ALL.map(SecretEncoding::as_str);
    for name in formats.iter().chain(&encodings) {
        assert!(page.contains(&format!("`{name}`")), "{name}");
    }
    let (least, most) = Policy::IMPORTED_SECRET.into_inner();
    assert!(page.contains(&format!("| Secret | {least} to {most} bytes.")));
    // A field that is unknown is told, so these are all known.
    let tables = page.split("### JSON Lines").nth(1).and_then(|rest| rest.split("```").next()).expect("tables");
    let fields: Vec<_> = tables.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    assert_eq!(fields.len(), 14);
    let (of_user, of_authenticator) = fields.split_at(7);
    let nulls = |names: &[&str]| names.iter().map(|name| format!("\"{name}\":null")).collect::<Vec<_>>().join(",");
    let user = nulls(of_user).replace("\"user\":null", "\"user\":\"x\"");
    let secret = nulls(of_authenticator).replace("\"secret\":null", "\"secret\":\"GEZDGNBVGY3TQOJQ\"");
    let line =
        format!("{{{}}}", user.replace("\"authenticators\":null", &format!("\"authenticators\":[{{{secret}}}]")));
    assert_eq!(users(Format::JsonLines, line.as_bytes()), [("x".to_owned(), 1)]);
    let head = fields.iter().filter(|name| **name != "authenticators").copied().collect::<Vec<_>>().join(",");
    assert_eq!(users(Format::Csv, head.as_bytes()), []);
}

#[test]
#[ignore = "needs python3; bash .ci/run import runs it"]
fn the_script_for_any_other_system_writes_what_is_read() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("script");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder");
    let table = "import sqlite3\n\
                 db = sqlite3.connect('app.db')\n\
                 db.execute('CREATE TABLE users (id, totp_secret, totp_name)')\n\
                 rows = [(1, 'GEZDGNBVGY3TQOJQ', None), ('b', None, None), ('c', 'JBSWY3DPEHPK3PXP', 'Phone')]\n\
                 db.executemany('INSERT INTO users VALUES (?, ?, ?)', rows)\n\
                 db.commit()\n";
    for script in [table.to_owned(), block("python")] {
        let ran = Command::new("python3").args(["-c", &script]).current_dir(&folder).status().expect("python3 runs");
        assert!(ran.success());
    }
    let file = fs::read(folder.join("users.jsonl")).expect("the file");
    assert_eq!(users(Format::JsonLines, &file), [("1".to_owned(), 1), ("c".to_owned(), 1)]);
}

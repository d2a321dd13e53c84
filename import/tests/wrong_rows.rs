//! What is wrong with a line is told by its number, and the other lines are read.
#![expect(clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests fail by panicking")]

use std::{
    fs,
    io::{BufReader, Read},
    path::Path,
};

use mfa::domain::Timestamp;
use mfa_import::{Format, LONGEST_LINE, Problem, Row, read};
use proptest::prelude::*;

/// 2030-01-01T00:00:00Z.
const NOW: Timestamp = Timestamp::from_secs(1_893_456_000);
const SECRET: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

/// Each row as its line, and the user or what is wrong.
fn rows(format: Format, input: &[u8]) -> Vec<(u64, Result<String, Problem>)> {
    let mut found = Vec::new();
    let sink = |Row { line, user }| found.push((line, user.map(|user| user.user)));
    read(format, input, NOW, sink).expect("the file is read");
    found
}

/// What is wrong with `line`, between two right lines, which are read.
#[track_caller]
fn problem_of(format: Format, line: &str) -> Problem {
    let (head, right): (_, fn(&str) -> String) = match format {
        Format::JsonLines => {
            ("", |user| format!("{{\"user\":\"{user}\",\"authenticators\":[{{\"secret\":\"{SECRET}\"}}]}}"))
        }
        Format::Csv => (CSV_HEAD, |user| format!("{user},{SECRET}{}", ",".repeat(7))),
        Format::Otpauth => ("", |user| format!("{user},otpauth://totp/x?secret={SECRET}")),
        _ => unreachable!("no lines"),
    };
    let input = format!("{head}{}\n{line}\n{}\n", right("before"), right("after"));
    let mut found = rows(format, input.as_bytes());
    let first = u64::from(!head.is_empty()) + 1;
    let (before, after) = (found.remove(0), found.pop());
    assert_eq!(
        (before, after),
        ((first, Ok("before".to_owned())), Some((first + 2, Ok("after".to_owned())))),
        "{line}"
    );
    match found.as_slice() {
        [(number, Err(problem))] if *number == first + 1 => problem.clone(),
        other => panic!("{line}: {other:?}"),
    }
}

const CSV_HEAD: &str = "user,secret,algorithm,digits,period,name,lastStep,provenEmail,enabled\n";

fn named(field: &str, expected: &'static str) -> Problem {
    Problem::WrongType { field: field.to_owned(), expected }
}

#[test]
fn a_wrong_json_line_is_told_and_the_others_are_read() {
    let with = |fields: &str| format!("{{\"user\":\"x\",\"authenticators\":[{{\"secret\":\"{SECRET}\"{fields}}}]}}");
    let user = |fields: &str| format!("{{\"authenticators\":[{{\"secret\":\"{SECRET}\"}}]{fields}}}");
    let six: Vec<_> = (0..6)
        .map(|n| format!("{{\"secret\":\"GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJ{n}\"}}").replace(['0', '1'], "A"))
        .collect();
    for (line, expected) in [
        ("{\"user\":\"x\"".to_owned(), Problem::LineNotJson { column: 11 }),
        ("[]".to_owned(), Problem::NotAnObject("the row".to_owned())),
        (user(""), Problem::Missing("user".to_owned())),
        (user(",\"user\":\"\""), Problem::UserEmpty),
        (user(",\"user\":\" \""), Problem::UserEmpty),
        (user(",\"user\":1.5"), named("user", "a text or a whole number")),
        (user(&format!(",\"user\":\"{}\"", "x".repeat(256))), Problem::UserTooLong),
        (user(",\"user\":\"before\""), Problem::DuplicateUser { first: 1 }),
        (
            user(",\"user\":\"x\",\"recoverycodes\":3"),
            Problem::UnknownField { name: "recoverycodes".to_owned(), nearest: Some("recoveryCodes") },
        ),
        (
            with(",\"issuer\":\"Example\""),
            Problem::UnknownField { name: "authenticators[0].issuer".to_owned(), nearest: None },
        ),
        (user(",\"user\":\"x\",\"enabled\":\"yes\""), named("enabled", "true or false")),
        (user(",\"user\":\"x\",\"provenEmail\":\"alice\""), Problem::Email),
        (user(",\"user\":\"x\",\"provenPhone\":\"0170 1234567\""), Problem::Phone),
        (with(",\"digits\":7"), Problem::UnknownDigits(7)),
        (with(",\"digits\":\"6\""), named("authenticators[0].digits", "a whole number")),
        (with(",\"period\":45"), Problem::UnknownPeriod(45)),
        (with(",\"algorithm\":\"MD5\""), Problem::UnknownAlgorithm),
        (with(",\"secretEncoding\":\"rot13\""), Problem::UnknownEncoding),
        (with(",\"secretEncoding\":\"hex\""), Problem::SecretMalformed(mfa_import::SecretEncoding::Hex)),
        (with(",\"lastStep\":1893456000"), Problem::StepAhead),
        (with(&format!(",\"name\":\"{}\"", "x".repeat(129))), Problem::Name),
        (
            "{\"user\":\"x\",\"authenticators\":[{\"secret\":\"GEZDGNBVGY3TQOJ1\"}]}".to_owned(),
            Problem::SecretMalformed(mfa_import::SecretEncoding::Base32),
        ),
        (
            "{\"user\":\"x\",\"authenticators\":[{\"secret\":\"GEZDGNBV\"}]}".to_owned(),
            Problem::SecretLength { bytes: 5 },
        ),
        (
            "{\"user\":\"x\",\"authenticators\":[{}]}".to_owned(),
            Problem::Missing("authenticators[0].secret".to_owned()),
        ),
        ("{\"user\":\"x\",\"authenticators\":{}}".to_owned(), named("authenticators", "a list")),
        ("{\"user\":\"x\",\"recoveryCodes\":10}".to_owned(), Problem::NoMethod),
        (format!("{{\"user\":\"x\",\"authenticators\":[{}]}}", six.join(",")), Problem::TooManyAuthenticators(6)),
        (
            format!("{{\"user\":\"x\",\"authenticators\":[{{\"secret\":\"{SECRET}\"}},{{\"secret\":\"{SECRET}\"}}]}}"),
            Problem::SameSecret,
        ),
        (format!("{{\"user\":\"{}\"}}", "x".repeat(LONGEST_LINE)), Problem::LineTooLong),
    ] {
        assert_eq!(problem_of(Format::JsonLines, &line), expected, "{line:.200}");
    }
}

#[test]
fn a_wrong_line_of_a_table_is_told_and_the_others_are_read() {
    for (line, expected) in [
        ("x,GEZDGNBVGY3TQOJ1,,,,,,,", Problem::SecretMalformed(mfa_import::SecretEncoding::Base32)),
        (",GEZDGNBVGY3TQOJQ,,,,,,,", Problem::UserEmpty),
        ("x,GEZDGNBVGY3TQOJQ", Problem::FieldCount { expected: 9, found: 2 }),
        ("x,GEZDGNBVGY3TQOJQ,,7,,,,,", Problem::UnknownDigits(7)),
        ("x,GEZDGNBVGY3TQOJQ,,six,,,,,", named("digits", "a whole number")),
        ("x,GEZDGNBVGY3TQOJQ,,,,,,alice,", Problem::Email),
        ("x,GEZDGNBVGY3TQOJQ,,,,,,,on", named("enabled", "true or false")),
        ("x,,SHA1,,,,,,", Problem::Missing("secret".to_owned())),
        ("x,,,,,,,,", Problem::NoMethod),
        ("x,GEZDGNBVGY3TQOJQ,,,,\"open,,,", Problem::OpenQuote),
    ] {
        assert_eq!(problem_of(Format::Csv, line), expected, "{line}");
    }
}

#[test]
fn a_wrong_address_is_told_and_the_others_are_read() {
    for (line, expected) in [
        ("x,otpauth://hotp/x?secret=GEZDGNBVGY3TQOJQ&counter=1", Problem::Hotp),
        ("otpauth://totp/?secret=GEZDGNBVGY3TQOJQ", Problem::UserEmpty),
        ("x,https://example.com", Problem::NotOtpauth),
        ("otpauth-migration://offline?data=Cg", Problem::NotOtpauth),
    ] {
        assert_eq!(problem_of(Format::Otpauth, line), expected, "{line}");
    }
}

#[test]
fn a_user_of_several_lines_is_read_whole_or_not_at_all() {
    let uri = |user: &str, secret: &str| format!("{user},otpauth://totp/x?secret={secret}\n");
    let input = [
        uri("alice", SECRET),
        uri("alice", "GEZDGNBVGY3TQOJ1"),
        uri("bob", SECRET),
        uri("alice", SECRET),
        uri("carol", SECRET),
        uri("bob", SECRET),
    ];
    let found = rows(Format::Otpauth, input.concat().as_bytes());
    let malformed = Problem::SecretMalformed(mfa_import::SecretEncoding::Base32);
    let expected = [
        (1, Err(Problem::OfSameUser { line: 2 })),
        (2, Err(malformed)),
        (3, Ok("bob".to_owned())),
        (4, Err(Problem::DuplicateUser { first: 1 })),
        (5, Ok("carol".to_owned())),
        (6, Err(Problem::DuplicateUser { first: 3 })),
    ];
    assert_eq!(found, expected);
    let table = format!("user,secret,provenEmail\nx,{SECRET},a@example.com\nx,GEZDGNBVGY3TQOJQ,b@example.com\n");
    assert_eq!(rows(Format::Csv, table.as_bytes()), [(2, Err(Problem::Differs { field: "provenEmail" }))]);
}

#[test]
fn a_user_who_was_refused_does_not_come_back_in_part() {
    let line = |user: &str, n: u8| {
        format!(
            "{user},otpauth://totp/x?secret={}\n",
            "GEZDGNBVGY3TQOJ".to_owned() + ["Q", "A", "B", "C", "D", "E"][usize::from(n)]
        )
    };
    let six: String = (0..6).map(|n| line("alice", n)).collect();
    let found = rows(Format::Otpauth, format!("{six}{}{}", line("bob", 0), line("alice", 0)).as_bytes());
    let expected = [
        (1, Err(Problem::TooManyAuthenticators(6))),
        (7, Ok("bob".to_owned())),
        (8, Err(Problem::DuplicateUser { first: 1 })),
    ];
    assert_eq!(found, expected);
}

#[test]
fn each_line_without_a_user_is_told() {
    let table = format!("user,secret\n,{SECRET}\n ,{SECRET}\nx,{SECRET}\n");
    let expected = [(2, Err(Problem::UserEmpty)), (3, Err(Problem::UserEmpty)), (4, Ok("x".to_owned()))];
    assert_eq!(rows(Format::Csv, table.as_bytes()), expected);
}

#[test]
fn a_user_who_comes_twice_in_one_line_is_told() {
    let credential = "{\"totp\":{\"config\":{\"totp_url\":\"otpauth://totp/x?secret=GEZDGNBVGY3TQOJQ\"}}}";
    let identity = format!("{{\"id\":\"a\",\"credentials\":{credential}}}");
    let found = rows(Format::Kratos, format!("[{identity},{identity}]").as_bytes());
    assert_eq!(found, [(1, Ok("a".to_owned())), (1, Err(Problem::DuplicateUser { first: 1 }))]);
}

#[test]
fn a_table_whose_head_is_wrong_is_not_read() {
    for (head, expected) in [
        ("user,sercet", Problem::UnknownField { name: "sercet".to_owned(), nearest: Some("secret") }),
        ("user;secret", Problem::UnknownField { name: "user;secret".to_owned(), nearest: None }),
        ("user,secret,User", Problem::ColumnTwice("user")),
        ("secret", Problem::Missing("user".to_owned())),
    ] {
        let input = format!("{head}\nalice,{SECRET}\nbob,{SECRET}\n");
        assert_eq!(rows(Format::Csv, input.as_bytes()), [(1, Err(expected))]);
    }
}

#[test]
fn marks_line_ends_and_blank_lines_of_any_editor_are_taken() {
    let line = |user: &str| format!("{{\"user\":\"{user}\",\"authenticators\":[{{\"secret\":\"{SECRET}\"}}]}}");
    let both = |line: u64| [(line, Ok("alice".to_owned())), (line + 2, Ok("bob".to_owned()))];
    let json = format!("\u{feff}{}\r\n\r\n{}", line("alice"), line("bob"));
    assert_eq!(rows(Format::JsonLines, json.as_bytes()), both(1));
    let csv = format!("\u{feff}user,secret\r\nalice,{SECRET}\r\n \r\nbob,{SECRET}\r\n");
    assert_eq!(rows(Format::Csv, csv.as_bytes()), both(2));
    let uris = format!("\u{feff}otpauth://totp/alice?secret={SECRET}\r\n\t\r\notpauth://totp/bob?secret={SECRET}\r\n");
    assert_eq!(rows(Format::Otpauth, uris.as_bytes()), both(1));
    let keycloak = "\u{feff}{\"users\":[]}\r\n";
    assert_eq!(rows(Format::Keycloak, keycloak.as_bytes()), []);
    let latin_1 = [b"{\"user\":\"J\xfcrgen\"}\n", line("alice").as_bytes()].concat();
    assert_eq!(rows(Format::JsonLines, &latin_1), [(1, Err(Problem::NotUtf8)), (2, Ok("alice".to_owned()))]);
}

#[test]
fn the_credentials_of_other_systems_that_cannot_be_kept_are_told() {
    let otp = |data: &str, value: &str| {
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        let (data, secret) = (quoted(data), quoted(&format!("{{\"value\":\"{value}\"}}")));
        format!(
            "{{\"users\":[{{\"id\":\"a\",\"credentials\":[{{\"type\":\"otp\",\"credentialData\":{data},\"secretData\":{secret}}}]}}]}}"
        )
    };
    let device = |fields: &str| {
        format!(
            "[{{\"model\":\"otp_totp.totpdevice\",\"fields\":{{\"user\":1,\"key\":\"{}\",{fields}}}}}]",
            "61".repeat(20)
        )
    };
    let identity = |credentials: &str| format!("[{{\"id\":\"a\",\"credentials\":{credentials}}}]");
    for (format, input, expected) in [
        (Format::Keycloak, otp("{\"subType\":\"hotp\"}", "abcdefghijklmnop"), Problem::Hotp),
        (Format::Keycloak, otp("{\"subType\":\"totp\",\"period\":45}", "abcdefghijklmnop"), Problem::UnknownPeriod(45)),
        (
            Format::Keycloak,
            otp("{\"subType\":\"totp\",\"secretEncoding\":\"B\"}", "abcdefghijk"),
            Problem::UnknownEncoding,
        ),
        (Format::Keycloak, otp("{\"subType\":\"totp\"}", "short"), Problem::SecretLength { bytes: 5 }),
        (Format::Keycloak, "{\"realm\":\"x\"}".to_owned(), Problem::NoList("users")),
        (Format::Kratos, "[{\"id\":\"a\"}]".to_owned(), Problem::NoCredentials),
        (Format::Kratos, identity("{\"totp\":{\"type\":\"totp\"}}"), Problem::NoCredentials),
        (Format::Kratos, identity("{\"totp\":{\"config\":{\"totp_url\":\"x\"}}}"), Problem::NotOtpauth),
        (Format::Django, device("\"t0\":1000"), Problem::OtherStart),
        (Format::Django, device("\"drift\":-4"), Problem::ClockOff(-4)),
        (Format::Django, device("\"step\":15"), Problem::UnknownPeriod(15)),
        (Format::Django, "[{\"model\":\"otp_hotp.hotpdevice\",\"fields\":{\"user\":1}}]".to_owned(), Problem::Hotp),
        (Format::AutheliaYaml, "totp_configurations: [".to_owned(), Problem::FileNotYaml),
        (
            Format::AutheliaCsv,
            format!("user,secret\nalice,{SECRET}"),
            Problem::UnknownField { name: "user".to_owned(), nearest: None },
        ),
    ] {
        let found = rows(format, input.as_bytes());
        let told: Vec<_> = found.iter().map(|(_, user)| user.as_ref().err()).collect();
        assert_eq!(told, [Some(&expected)], "{input}");
    }
}

/// A file of many lines that nobody holds.
struct Lines {
    next: u64,
    line: Vec<u8>,
    longest: usize,
}

impl Read for Lines {
    fn read(&mut self, bytes: &mut [u8]) -> std::io::Result<usize> {
        if self.line.is_empty() && self.next < 100_000 {
            self.next += 1;
            self.line =
                format!("{{\"user\":{},\"authenticators\":[{{\"secret\":\"{SECRET}\"}}]}}\n", self.next).into_bytes();
        }
        let count = bytes.len().min(self.line.len());
        bytes[..count].copy_from_slice(&self.line[..count]);
        self.line.drain(..count);
        self.longest = self.longest.max(count);
        Ok(count)
    }
}

#[test]
fn a_hundred_thousand_rows_are_read_one_by_one() {
    let mut expected = 1;
    let file = BufReader::with_capacity(4096, Lines { next: 0, line: Vec::new(), longest: 0 });
    read(Format::JsonLines, file, NOW, |row| {
        assert_eq!((row.line, row.user.is_ok()), (expected, true));
        expected += 1;
    })
    .expect("read");
    assert_eq!(expected, 100_001);
}

fn fixture(format: Format) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(format.as_str())).expect("a fixture")
}

/// Every run of letters and digits of a fixture that may be a part of a secret.
fn long_words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| word.len() >= 12 && word.bytes().any(|b| b.is_ascii_digit()))
}

/// Reads it in every format. No problem may show a part of it that may be a secret.
fn read_as_everything(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    for format in Format::ALL {
        let mut problems = Vec::new();
        read(format, input, NOW, |row| problems.extend(row.user.err())).expect("read");
        for problem in problems {
            // A spoilt field name is shown if it still resembles a field, or is short.
            let is_name = |word: &str| match &problem {
                Problem::UnknownField { nearest, .. } => nearest.is_some() || word.len() < 16,
                _ => false,
            };
            let sentence = problem.to_string();
            assert!(sentence.len() < 300, "{sentence}");
            let shown = long_words(&text).find(|word| sentence.contains(*word) && !is_name(word));
            assert_eq!(shown, None, "{format:?}: {sentence}");
        }
    }
}

#[test]
fn a_file_that_is_cut_off_anywhere_shows_no_secret() {
    for format in Format::ALL {
        let file = fixture(format);
        for end in (0..=file.len()).step_by(29) {
            read_as_everything(&file[..end]);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_file_that_is_spoilt_anywhere_shows_no_secret(
        format in prop::sample::select(&Format::ALL),
        spoilt in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut file = fixture(format);
        for (place, byte) in spoilt {
            let place = place.index(file.len());
            file[place] = byte;
        }
        read_as_everything(&file);
    }

    #[test]
    fn whatever_a_file_holds_reading_it_ends(file in prop::collection::vec(any::<u8>(), 0..300)) {
        for format in Format::ALL {
            read(format, file.as_slice(), NOW, |_| {}).expect("read");
        }
    }
}

#[test]
fn a_secret_where_a_name_belongs_is_not_shown() {
    let secret = "GEZDGNBVGY3TQOJQ";
    let json = format!(r#"{{"user":"alice","{secret}":1}}"#);
    for (format, file) in [(Format::Csv, format!("{secret},alice\n")), (Format::JsonLines, json)] {
        let problems: Vec<_> = rows(format, file.as_bytes()).into_iter().filter_map(|(_, user)| user.err()).collect();
        assert!(!problems.is_empty());
        for problem in problems {
            assert!(!problem.to_string().contains(secret), "{problem}");
        }
    }
}

//! A sample of each format, in the stored form of its system: what is read of it gives the codes
//! that the apps of its users show. `oathtool` computed the codes.
#![expect(clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

use std::{fs, path::Path, process::Command};

use mfa::domain::{
    Timestamp, TotpVariant,
    code::Otp,
    totp::{TotpSecret, Verdict},
};
use mfa_import::{Format, ImportedUser, Row, read};
use zeroize::Zeroizing;

/// 2030-01-01T00:00:00Z.
const NOW: Timestamp = Timestamp::from_secs(1_893_456_000);

/// An authenticator of a sample, as the app of its owner has it.
struct Sample {
    format: Format,
    user: &'static str,
    /// Which of the user's authenticators it is.
    place: usize,
    base32: &'static str,
    variant: &'static str,
    /// What `oathtool` says that it shows.
    code: &'static str,
}

const fn sample(
    format: Format,
    user: &'static str,
    place: usize,
    base32: &'static str,
    variant: &'static str,
    code: &'static str,
) -> Sample {
    Sample { format, user, place, base32, variant, code }
}

#[rustfmt::skip]
const SAMPLES: &[Sample] = &[
    sample(Format::JsonLines, "alice", 0, "AUIBWJRRHRDVEXLION7ITFE7VK24BS6W", "SHA1/6/30", "726998"),
    sample(Format::JsonLines, "alice", 1, "FI2UAS2WMFWHPAUNTCR25OOEZ7NOL4H3AYIRYJZSHVEFGXTJOR7Q", "SHA256/8/60", "85664627"),
    sample(Format::JsonLines, "42", 0, "J5NGK4D3Q2IZZJ5S", "SHA1/6/30", "468241"),
    sample(Format::Csv, "alice", 0, "AUIBWJRRHRDVEXLION7ITFE7VK24BS6W", "SHA1/6/30", "726998"),
    sample(Format::Csv, "alice", 1, "OR7YVFNAVO3MDTGX4LW7QAYODESC6OSFKBNWM4L4Q6JJ3KFTX3E5JX7K6UAAWFRBFQ3UETKYMNXHTBEPTKS3BO6G2HOOP4X5BAJR4KI", "SHA512/8/60", "93764111"),
    sample(Format::Csv, "42", 0, "J5NGK4D3Q2IZZJ5S", "SHA1/6/30", "468241"),
    sample(Format::Otpauth, "alice@example.com", 0, "AUIBWJRRHRDVEXLION7ITFE7VK24BS6W", "SHA1/6/30", "726998"),
    sample(Format::Otpauth, "42", 0, "FI2UAS2WMFWHPAUNTCR25OOEZ7NOL4H3AYIRYJZSHVEFGXTJOR7Q", "SHA256/8/60", "85664627"),
    sample(Format::Otpauth, "42", 1, "J5NGK4D3Q2IZZJ5S", "SHA1/6/30", "468241"),
    sample(Format::AutheliaYaml, "alice", 0, "TGSK7OWF2DN6N4P4A4JB2KBTHZEVIX3K", "SHA1/6/30", "081324"),
    sample(Format::AutheliaYaml, "bob", 0, "X3E5JX7K6UAAWFRBFQ3UETKYMNXHTBEP", "SHA512/8/60", "37895370"),
    sample(Format::AutheliaCsv, "alice", 0, "TGSK7OWF2DN6N4P4A4JB2KBTHZEVIX3K", "SHA1/6/30", "081324"),
    sample(Format::AutheliaCsv, "bob", 0, "X3E5JX7K6UAAWFRBFQ3UETKYMNXHTBEP", "SHA512/8/60", "37895370"),
    sample(Format::Kratos, "0b7f5f1c-0d9a-4d3e-8f67-1f3f4f1e6a01", 0, "4PXPSBAPDISTAO2GKFOGO4T5RCJZ5KNU", "SHA1/6/30", "637104"),
    sample(Format::Kratos, "0b7f5f1c-0d9a-4d3e-8f67-1f3f4f1e6a03", 0, "BAJR4KJUH5FFKYDLO2AYZF5CVW4MHTWZ", "SHA1/6/30", "704456"),
    sample(Format::Keycloak, "6f1c1a3e-50f9-4b6c-9c6c-0a3b9c1d2e01", 0, "OZNDI5KCOFFUIQLIGJQVE5ZTPBGG2OKU", "SHA1/6/30", "491671"),
    sample(Format::Keycloak, "6f1c1a3e-50f9-4b6c-9c6c-0a3b9c1d2e01", 1, "FU4EGTSZMRXXVBMQTOTLDPGH2LO6R476", "SHA256/8/60", "04700926"),
    sample(Format::Keycloak, "6f1c1a3e-50f9-4b6c-9c6c-0a3b9c1d2e02", 0, "KJOWQ436RGKJ7KVVYDF5NYPM64BA2GBD", "SHA1/6/30", "604190"),
    sample(Format::Keycloak, "f:0c1d7a52-4a63-4a57-b7c5-0f5b8f6c1f11:carol", 0, "J5NGK4D3Q2IZZJ5S", "SHA1/6/30", "468241"),
    sample(Format::Django, "7", 0, "O6BI3GFDV244JT624XYPWBQRDQTTEPKI", "SHA1/6/30", "556702"),
    sample(Format::Django, "7", 1, "TGSK7OWF2DN6N4P4A4JB2KBTHZEVIX3K", "SHA1/6/30", "081324"),
    sample(Format::Django, "8", 0, "TST3FPOI2PPOT5H7BIKSAKZWIFGFOYTN", "SHA1/8/60", "65111849"),
];

fn rows(format: Format) -> Vec<Row> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(format.as_str());
    let file = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut rows = Vec::new();
    read(format, file.as_slice(), NOW, |row| rows.push(row)).expect("the file is read");
    rows
}

fn users(format: Format) -> Vec<ImportedUser> {
    rows(format)
        .into_iter()
        .map(|row| row.user.unwrap_or_else(|problem| panic!("line {}: {problem}", row.line)))
        .collect()
}

/// What a user is, without the secrets.
fn summary(line: u64, user: &ImportedUser) -> String {
    let authenticators = user.authenticators.iter().map(|one| {
        let last = one.last_step.map(|step| format!(" after {step}")).unwrap_or_default();
        format!("{} {}{last}", one.variant, one.name)
    });
    let login = user.login.as_ref().map(|login| format!(" of {login}")).unwrap_or_default();
    let email = user.proven_email.as_ref().map(|email| email.as_str().to_owned());
    let phone = user.proven_phone.as_ref().map(|phone| phone.as_str().to_owned());
    let codes = (user.recovery_codes > 0).then(|| format!("{} codes", user.recovery_codes));
    let off = (!user.enabled).then(|| "off".to_owned());
    let all: Vec<_> = authenticators.chain([email, phone, codes, off].into_iter().flatten()).collect();
    format!("{line} {}{login}: {}", user.user, all.join(", "))
}

#[test]
fn each_sample_is_read_whole() {
    let expected: [(Format, &[&str]); 8] = [
        (
            Format::JsonLines,
            &[
                "1 alice: SHA1/6/30 Phone, SHA256/8/60 Authenticator after 31557598, alice@example.com, 7 codes",
                "2 42 of staff: SHA1/6/30 Authenticator",
                "3 carol: +12025550123, off",
            ],
        ),
        (
            Format::Csv,
            &[
                "2 alice: SHA1/6/30 Phone, old, SHA512/8/60 Tablet after 31557598, alice@example.com, 7 codes",
                "4 42: SHA1/6/30 Authenticator",
                "5 carol: carol@example.com",
            ],
        ),
        (
            Format::Otpauth,
            &[
                "1 alice@example.com: SHA1/6/30 Authenticator",
                "2 42: SHA256/8/60 Authenticator, SHA1/6/30 Authenticator",
            ],
        ),
        (
            Format::AutheliaYaml,
            &["2 alice: SHA1/6/30 Authenticator", "10 bob: SHA512/8/60 Authenticator after 31557481"],
        ),
        (Format::AutheliaCsv, &["2 alice: SHA1/6/30 Authenticator", "3 bob: SHA512/8/60 Authenticator"]),
        (
            Format::Kratos,
            &[
                "2 0b7f5f1c-0d9a-4d3e-8f67-1f3f4f1e6a01: SHA1/6/30 Authenticator, 2 codes",
                "90 0b7f5f1c-0d9a-4d3e-8f67-1f3f4f1e6a03: SHA1/6/30 Authenticator",
            ],
        ),
        (
            Format::Keycloak,
            &[
                "7 6f1c1a3e-50f9-4b6c-9c6c-0a3b9c1d2e01: SHA1/6/30 Phone, SHA256/8/60 Authenticator, 3 codes",
                "58 6f1c1a3e-50f9-4b6c-9c6c-0a3b9c1d2e02: SHA1/6/30 Authenticator",
                "75 f:0c1d7a52-4a63-4a57-b7c5-0f5b8f6c1f11:carol: SHA1/6/30 Key fob",
            ],
        ),
        (
            Format::Django,
            &["17 7: SHA1/6/30 Phone after 63115198, SHA1/6/30 default, 2 codes", "37 8: SHA1/8/60 default"],
        ),
    ];
    for (format, expected) in expected {
        let found = rows(format).into_iter().map(|row| match row.user {
            Ok(user) => summary(row.line, &user),
            Err(problem) => format!("{} {problem}", row.line),
        });
        assert_eq!(found.collect::<Vec<_>>(), expected, "{format:?}");
    }
    assert_eq!(expected.map(|(format, _)| format), Format::ALL);
}

#[test]
fn each_authenticator_of_a_sample_accepts_the_code_that_its_app_shows() {
    for sample in SAMPLES {
        let name = format!("{:?} {} {}", sample.format, sample.user, sample.place);
        let users = users(sample.format);
        let user = users.iter().find(|user| user.user == sample.user).unwrap_or_else(|| panic!("{name}"));
        let one = &user.authenticators[sample.place];
        assert_eq!(one.secret.to_base32().as_str(), sample.base32, "{name}");
        assert_eq!(one.variant.to_string(), sample.variant, "{name}");
        let secret = TotpSecret::new(Zeroizing::new(one.secret.as_bytes().to_vec()), one.variant);
        let otp = Otp::parse(sample.code, one.variant.digits.count()).expect("a code");
        let step = one.variant.period.step_at(NOW);
        assert_eq!(secret.judge(&otp, NOW, one.last_step), Verdict::Fresh(step), "{name}");
    }
    let authenticators = |format| users(format).iter().map(|user| user.authenticators.len()).sum::<usize>();
    assert_eq!(Format::ALL.map(authenticators).iter().sum::<usize>(), SAMPLES.len(), "each one is a sample");
}

#[test]
#[ignore = "needs oathtool, which bash .ci/run import installs"]
fn oathtool_shows_these_codes() {
    for sample in SAMPLES {
        let variant: TotpVariant = sample.variant.parse().expect("a variant");
        let padding = "=".repeat((8 - sample.base32.len() % 8) % 8);
        let output = Command::new("oathtool")
            .arg(format!("--totp={}", variant.algorithm.as_str().to_lowercase()))
            .arg(format!("--digits={}", variant.digits.count()))
            .arg(format!("--time-step-size={}s", variant.period.as_secs()))
            .args(["--now=2030-01-01 00:00:00 UTC", "--base32"])
            .arg(format!("{}{padding}", sample.base32))
            .output()
            .expect("oathtool runs");
        let code = String::from_utf8_lossy(&output.stdout);
        assert_eq!(code.trim(), sample.code, "{:?} {} {}", sample.format, sample.user, sample.place);
    }
}

use mfa::domain::{DeviceName, LONGEST_USER_ID, Policy};

use crate::{LONGEST_LINE, SecretEncoding};

/// What is wrong with a line, and what to do. It shows no secret: of a field it shows the name, and
/// of a value at most a number.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The bytes are no text.
    #[error("the line is not UTF-8. Save the file as UTF-8")]
    NotUtf8,
    /// A line that is not read, so that no file fills the memory.
    #[error("the line is longer than {LONGEST_LINE} bytes. Check the line breaks: each line is one user")]
    LineTooLong,
    /// A line is not JSON.
    #[error("the line is not JSON (column {column}). Each line is one JSON object")]
    LineNotJson {
        /// Where the reader stopped.
        column: usize,
    },
    /// A file is not JSON, or no longer.
    #[error("the file is not JSON from here on. Nothing behind this line was read. Export it again")]
    FileNotJson,
    /// A file is not YAML.
    #[error("the file is not the YAML of an export. Nothing was read. Export it again")]
    FileNotYaml,
    /// A file holds JSON, but no list of users.
    #[error("there is no list `{0}` here. Check that the file is such an export, and of which format it is")]
    NoList(&'static str),
    /// Something else stands where an object must.
    #[error("{0} must be an object")]
    NotAnObject(String),
    /// A field or a column that the format does not have.
    #[error("there is no field `{}`{}", .name, .nearest.map_or_else(String::new, |nearest| format!(". Did you mean `{nearest}`?")))]
    UnknownField {
        /// Its name.
        name: String,
        /// The field that was perhaps meant.
        nearest: Option<&'static str>,
    },
    /// A field or a column that must be there.
    #[error("`{0}` is missing")]
    Missing(String),
    /// A field has a value of another type.
    #[error("`{field}` must be {expected}")]
    WrongType {
        /// The field.
        field: String,
        /// What it must be.
        expected: &'static str,
    },
    /// The head of a table names a column twice.
    #[error("the column `{0}` stands there twice")]
    ColumnTwice(&'static str),
    /// A line of a table has more or fewer fields than its head.
    #[error("the line has {found} fields, and the head of the table has {expected}. Quote fields that hold a comma")]
    FieldCount {
        /// How many the head has.
        expected: usize,
        /// How many the line has.
        found: usize,
    },
    /// A quoted field does not end in its line.
    #[error("a quoted field does not end in its line. Write two quotes for one, and no line break in a field")]
    OpenQuote,
    /// The user id is empty.
    #[error("the user id is empty. It is what the login token names the user by")]
    UserEmpty,
    /// A blank at an end is part of an id, and no login token has it.
    #[error("the user id begins or ends with a blank")]
    UserHasBlanks,
    /// No login token could name this user.
    #[error("the user id is longer than {LONGEST_USER_ID} bytes, and no login token can name it")]
    UserTooLong,
    /// The user stands in the file twice.
    #[error("the user stands in line {first} already. Keep one of the two, or put the lines of a user together")]
    DuplicateUser {
        /// The line of the first time.
        first: u64,
    },
    /// Another line of the same user is wrong.
    #[error("line {line} of the same user is wrong. A user is imported with all authenticators, or not at all")]
    OfSameUser {
        /// The other line.
        line: u64,
    },
    /// Two lines of one user say different things of the user.
    #[error("`{field}` is another one than in an earlier line of the same user. Write it once")]
    Differs {
        /// The field.
        field: &'static str,
    },
    /// A secret is not written as it should.
    #[error("the secret is not {}. Check that it was copied whole", .0.as_str())]
    SecretMalformed(SecretEncoding),
    /// A secret is too short or too long.
    #[error(
        "the secret has {bytes} bytes, and {} to {} are allowed. Let the user set up a new authenticator",
        Policy::IMPORTED_SECRET.start(),
        Policy::IMPORTED_SECRET.end()
    )]
    SecretLength {
        /// Its length.
        bytes: usize,
    },
    /// The same secret twice for one user.
    #[error("two authenticators of this user have the same secret. Keep one of them")]
    SameSecret,
    /// The encoding of a secret is unknown.
    #[error("the encoding of the secret is unknown. Use base32, hex or base64")]
    UnknownEncoding,
    /// No such hash.
    #[error("the algorithm is unknown. Authenticators use SHA1, SHA256 or SHA512")]
    UnknownAlgorithm,
    /// Another number of digits.
    #[error("the authenticator shows {0} digits, and 6 or 8 are read. Let the user set up a new one")]
    UnknownDigits(u64),
    /// Another length of the steps.
    #[error("the authenticator changes its code every {0} s, and 30 and 60 are read. Let the user set up a new one")]
    UnknownPeriod(u64),
    /// Codes that are counted.
    #[error("this is HOTP, whose codes are counted and not timed. Let the user set up an authenticator app")]
    Hotp,
    /// Steps that are counted from another moment.
    #[error("the authenticator counts its steps from another moment than 1970 (t0). Let the user set up a new one")]
    OtherStart,
    /// A clock that is too far from ours.
    #[error("the clock of the authenticator is {0} steps off, and one is allowed. Let the user set up a new one")]
    ClockOff(i64),
    /// No code could be later.
    #[error("`lastStep` lies in the future. It is the last used moment in seconds, divided by the period")]
    StepAhead,
    /// A name that the routes would refuse.
    #[error(
        "the name of the authenticator is longer than {} characters, or holds a control character",
        DeviceName::LONGEST
    )]
    Name,
    /// More authenticators than a user may have.
    #[error("the user has {0} authenticators, and {max} are allowed. Leave some out", max = Policy::MAX_DEVICES)]
    TooManyAuthenticators(usize),
    /// Not an address that mail can go to.
    #[error("`provenEmail` is no e-mail address that a code can be sent to")]
    Email,
    /// Not a number that text messages can go to.
    #[error("`provenPhone` is no phone number in international form, such as +12025550123")]
    Phone,
    /// Nothing to import.
    #[error("the user has neither an authenticator nor a proven address, so there is nothing to import")]
    NoMethod,
    /// Not an `otpauth` address.
    #[error("this is no otpauth address, such as otpauth://totp/Example:alice?secret=…")]
    NotOtpauth,
    /// A parameter of an `otpauth` address stands there twice.
    #[error("the otpauth address has `{0}` twice")]
    ParameterTwice(&'static str),
    /// An export left the credentials out.
    #[error("the credentials are not in the export. Export it with them, as docs/import.md says")]
    NoCredentials,
    /// A form of an older release, which is not read.
    #[error("this has the form of an early release of {0}. Export it with a newer one")]
    TooOld(&'static str),
}

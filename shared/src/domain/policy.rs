use std::time::Duration;

use super::{Channel, Countries, Method, TotpAlgorithm, TotpDigits, TotpPeriod, TotpVariant};

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

/// The numbers and switches of the rules. What an operator may set is a field. The rest is a
/// constant.
#[expect(clippy::struct_excessive_bools, reason = "each is one switch of the operator's")]
#[derive(Clone, Debug)]
pub struct Policy {
    /// Whether MFA is offered at all. If not, every route but `status` and `jwks` answers 403.
    ///
    /// Defaults to `true`.
    pub enabled: bool,

    /// Whether everybody must use MFA. It then cannot be switched off, and the first success
    /// switches it on.
    ///
    /// Defaults to `false`.
    pub required: bool,

    /// Whether a person may switch MFA on and off.
    ///
    /// Defaults to `true`.
    pub allow_user_toggle: bool,

    /// Told to clients by `status`: whether to let people choose among their methods.
    ///
    /// Defaults to `true`.
    pub allow_method_selection: bool,

    /// The methods that the application offers, in the order in which they are listed.
    ///
    /// Defaults to `totp` alone.
    pub methods: Vec<Method>,

    /// The countries that text messages may go to. If there are none, SMS is off.
    ///
    /// Answers SMS pumping: a number in a country where nobody uses the application costs money and
    /// helps nobody.
    pub sms_countries: Countries,

    /// Text messages a day, for the whole application.
    ///
    /// Bounds the bill of an attack that the other limits do not see. Defaults to `1000`. Allowed:
    /// `1..=10_000_000`.
    pub sms_per_day: u32,

    /// Whether, while MFA is on, a code goes to an address that the ledger has not seen proven only
    /// under a proof.
    ///
    /// Otherwise whoever can change the address in the application has the factor. Defaults to
    /// `true`.
    pub bind_addresses: bool,

    /// Whether only a login that gave a right code may change factors, from the start, if the user
    /// has an address that codes can go to. Somebody who knows only the password can then plant
    /// nothing, and switching on does not prove an address.
    ///
    /// Defaults to `false`, so that clients that switch on at once go on working.
    pub enrol_with_code: bool,

    /// Digits of a code that is sent.
    ///
    /// Defaults to `6`. Allowed: `6..=10`. NIST SP 800-63B-4 3.1.3.2 asks for at least six.
    pub code_length: u8,

    /// How long a code that was sent stays valid.
    ///
    /// Defaults to 300 s. Allowed: 60 s to 600 s, the most that NIST SP 800-63B-4 3.1.3.2 allows.
    pub code_lifetime: Duration,

    /// The lifetime of our access tokens. The first one never outlives the login token.
    ///
    /// Defaults to 900 s. Allowed: 60 s to 900 s.
    pub access_token_lifetime: Duration,

    /// Whether a passed second factor opens a session, whose refresh tokens give new access tokens.
    ///
    /// Defaults to `true`.
    pub sessions: bool,

    /// How long a session lives, however much it is used.
    ///
    /// Bounds a thief who always refreshes within [`Self::REFRESH_GRACE`] of the owner, and
    /// therefore stays unseen. Defaults to 12 h. Allowed: 300 s to 12 h, the most that NIST SP
    /// 800-63B 4.2.3 (revision 3) allows between authentications.
    pub session_lifetime: Duration,

    /// Whether a device may be trusted, and then need no code for [`Self::TRUST_LIFETIME`].
    ///
    /// Defaults to `true`.
    pub trusted_devices: bool,

    /// Whether a caller may be known by the network that a request comes from. If a backend makes
    /// the requests, its network says nothing about the person.
    ///
    /// Defaults to `true`.
    pub known_networks: bool,

    /// How many proxies before the API append to `X-Forwarded-For`; `0` takes the gateway's source
    /// address.
    ///
    /// Defaults to `0`. Allowed: `0..=5`. Too high a number lets a sender choose the address that
    /// is limited.
    pub forwarded_hops: u8,

    /// Which changes the owner is told by e-mail (NIST SP 800-63B-4 4.6, ASVS 6.3.7).
    ///
    /// Defaults to `important` if e-mails have a sender, and otherwise to `off`.
    pub notices: Notices,

    /// Whether the application is told of changes, on an event bus.
    ///
    /// Defaults to `false`: it is set by naming the bus.
    pub event_feed: bool,
}

impl Policy {
    /// Whether anybody is told of changes, so that who the owner is must be known.
    #[must_use]
    pub fn tells(&self) -> bool {
        self.event_feed || self.notices != Notices::Off
    }

    /// Wrong answers in a row, over all factors, before the first lock.
    ///
    /// Answers unlimited guessing with a stolen password (`AuthQuake`, 2024). With three valid TOTP
    /// codes in a million, five tries succeed once in 66,000 accounts. NIST SP 800-63B-4 3.2.2
    /// allows up to 100.
    pub const FAILURES_BEFORE_LOCK: u8 = 5;

    /// How long the first lock lasts. Each further one lasts twice as long, up to
    /// [`Self::LONGEST_LOCK`].
    pub const FIRST_LOCK: Duration = Duration::from_mins(15);

    /// The longest lock. With longer ones, a stranger with the password could keep the owner out.
    pub const LONGEST_LOCK: Duration = DAY;

    /// The highest lock level. 15 min × 2⁷ is more than a day.
    pub const HIGHEST_LOCK_LEVEL: u8 = 7;

    /// The lock level falls by one for each such span without a lock, and one wrong answer of the
    /// long-term budget is forgiven.
    pub const LOCK_LEVEL_DECAY: Duration = DAY;

    /// Unforgiven wrong answers before each further one locks. Right answers do not forgive them.
    /// Each day forgives one.
    ///
    /// Answers the patient guesser: four tries after every sign-in of the owner would never make
    /// five in a row, and would add up to 1,460 a year. With this it is 388 at most
    /// (`docs/decisions/0004-long-term-budget.md`).
    pub const UNFORGIVEN_BEFORE_LOCK: u8 = 15;

    /// The most that the long-term budget remembers, so that it recovers within a month.
    pub const MOST_UNFORGIVEN: u8 = 30;

    /// Wrong answers in a row after which codes stay off until a recovery code or an operator
    /// helps.
    ///
    /// NIST SP 800-63B-4 3.2.2: no more than 100 consecutive failed attempts.
    pub const FAILURES_BEFORE_OFF: u8 = 100;

    /// What `Retry-After` says when codes are off.
    pub const OFF_RETRY_AFTER: Duration = DAY;

    /// How old a proof may be for the routes behind the MFA gate. Clients are told it as `max_age`
    /// (RFC 9470).
    pub const PROOF_FRESH_FOR: Duration = Duration::from_mins(15);

    /// Authenticators a user may have.
    pub const MAX_DEVICES: usize = 5;

    /// Passkeys a user may have, beside the authenticators.
    pub const MAX_PASSKEYS: usize = 5;

    /// The longest credential id of a new passkey, in bytes. Authenticators make ids of 16 to 128
    /// bytes, and the specification allows 1,023.
    pub const LONGEST_CREDENTIAL_ID: usize = 255;

    /// How long a challenge of a passkey counts. `WebAuthn` Level 3 15.1 recommends five to ten
    /// minutes for a person who has to find a key.
    pub const PASSKEY_CHALLENGE_LIFETIME: Duration = Duration::from_mins(5);

    /// Challenges of one user an hour, for everybody. Known callers have as many again.
    ///
    /// Bounds what asking costs the application. It is high, because a page asks whenever it is shown.
    pub const PASSKEY_CHALLENGES: u32 = 60;

    /// Wrong answers of passkeys of one user an hour. Nobody can guess a signature, so this only bounds
    /// what trying costs the application.
    pub const WRONG_PASSKEYS: u32 = 10;

    /// The length of the secret of an imported authenticator, in bytes: from 10 to 64.
    ///
    /// RFC 4226 (R6) demands 128 bits. Many systems made secrets of 80 bits, 16 characters of base 32,
    /// and their users must not be lost: nobody can try 2⁸⁰ of them, least of all online. 64 bytes are
    /// the block of SHA-1 and SHA-256; a longer secret would be a mistake.
    pub const IMPORTED_SECRET: std::ops::RangeInclusive<usize> = 10..=64;

    /// Set-ups that may be open at once. A further one replaces the oldest.
    pub const MAX_OPEN_SETUPS: usize = 3;

    /// How long a set-up waits for its first code.
    pub const SETUP_LIFETIME: Duration = Duration::from_mins(10);

    /// How far a wrong clock may be behind for the log to say so.
    pub const TOTP_BEHIND_TOLD: Duration = Duration::from_mins(10);

    /// How authenticators that are set up here make their codes. Not all apps know another hash,
    /// other digits or another period.
    pub const TOTP: TotpVariant =
        TotpVariant { algorithm: TotpAlgorithm::Sha1, digits: TotpDigits::Six, period: TotpPeriod::Seconds30 };

    /// Bytes of a TOTP secret: 160 bits, the length of its hash (RFC 4226 4, R6).
    pub const TOTP_SECRET_BYTES: usize = 20;

    /// Logins of one user that may have a code outstanding at once, so that a stranger cannot void
    /// the owner's.
    pub const MAX_OUTSTANDING_CODES: usize = 3;

    /// How long the item of a code is kept after the code's end, so that a late try is told
    /// "expired".
    pub const CODE_KEPT_AFTER_EXPIRY: Duration = HOUR;

    /// How many of them may belong to callers who are not known.
    pub const OUTSTANDING_FOR_ANYBODY: usize = 2;

    /// The networks that a caller is known by. One more replaces the one that was used longest ago.
    pub const KNOWN_NETWORKS: usize = 3;

    /// How long a network is known after a right code. Longer than a device is trusted, because its
    /// owner may enter none that long.
    pub const NETWORK_KNOWN_FOR: Duration = Duration::from_hours(60 * 24);

    /// The least time between sends to one user: after the first send within the hour, after the
    /// second, and after each later one.
    pub const SEND_SPACING: [Duration; 3] = [Duration::from_secs(30), Duration::from_mins(1), Duration::from_mins(2)];

    /// Sends to one user within an hour, for everybody. Known callers have as many again, so that a
    /// stranger with the password cannot use up the owner's.
    pub const SENDS_PER_SHARE: usize = 5;

    /// Sends a user gets back within an hour after the provider refused them.
    pub const SENDS_REFUNDED_PER_HOUR: usize = 2;

    /// The hour of the send limits.
    pub const SEND_WINDOW: Duration = HOUR;

    /// Sends to one destination an hour, over all users who have not proven it.
    ///
    /// Answers flooding one mailbox from many accounts.
    pub const SENDS_PER_DESTINATION: u32 = 10;

    /// Text messages an hour to numbers that were not proven, from one IPv4 address or one IPv6
    /// /64.
    pub const SMS_PER_SOURCE: u32 = 30;

    /// Text messages an hour to numbers that were not proven, from one IPv6 /48.
    pub const SMS_PER_SITE: u32 = 300;

    /// The part of [`Policy::sms_per_day`] that is kept for known callers with a proven number: one
    /// in so many.
    pub const SMS_RESERVE: u32 = 5;

    /// Text messages of that part to one number in a day.
    pub const RESERVED_SMS_PER_NUMBER: u32 = 5;

    /// See [`Policy::sms_per_day`].
    pub const SMS_DAY: Duration = DAY;

    /// How long a number that the provider took no code for is no usable method.
    ///
    /// Its owner opts in again with a text message to the application, and an operator changes what the
    /// account may send: neither tells this service, so a refusal must not count for ever. A request
    /// for a code asks the provider before that time.
    pub const NUMBER_UNREACHABLE_FOR: Duration = DAY;

    /// Addresses that the ledger keeps a mark of. One more replaces the oldest.
    pub const MAX_MARKED_ADDRESSES: usize = 2;

    /// Proven addresses that the ledger remembers. One more replaces the oldest.
    pub const MAX_PROVEN_ADDRESSES: usize = 4;

    /// Recovery codes in a set.
    pub const RECOVERY_CODES: usize = 10;

    /// Bytes of a recovery code: 120 bits, so that a keyed hash is enough (ASVS 6.5.2) and a wrong
    /// one is no guess.
    pub const RECOVERY_CODE_BYTES: usize = 15;

    /// How long the login that made a recovery set gets no other. After a double click, exactly one
    /// answer carries codes.
    pub const RECOVERY_SPACING: Duration = Duration::from_secs(10);

    /// Wrong recovery codes of one user an hour. Nobody can guess them, so this only bounds what
    /// trying costs the application.
    pub const WRONG_RECOVERY_CODES: u32 = 10;

    /// How long a used refresh token still gets the same successor, because the answer may have
    /// been lost.
    pub const REFRESH_GRACE: Duration = Duration::from_secs(10);

    /// The sessions that a trusted device may have opened and that go on.
    pub const SESSIONS_OF_TRUSTED_DEVICE: usize = 2;

    /// How long a trusted device needs no code.
    pub const TRUST_LIFETIME: Duration = Duration::from_hours(30 * 24);

    /// Trusted devices of a user. One more replaces the oldest. Concurrent requests may leave some
    /// more.
    pub const MAX_TRUSTED_DEVICES: usize = 10;

    /// How often a commit is tried that loses its race.
    pub const COMMIT_TRIES: u32 = 8;

    /// The bounds of the random pause before it is tried again.
    pub const COMMIT_PAUSE: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(80));

    /// What `Retry-After` says when every try lost its race.
    pub const CONTENDED_RETRY_AFTER: Duration = Duration::from_secs(1);

    /// The lengths that a code of `method` may have.
    #[must_use]
    pub fn lengths_of(&self, method: Method) -> Vec<u8> {
        match method.channel() {
            Channel::Browser => Vec::new(),
            Channel::Device => TotpDigits::ALL.map(TotpDigits::count).into(),
            Channel::Free | Channel::Paid => vec![self.code_length],
        }
    }

    /// Whether the application offers `method`.
    #[must_use]
    pub fn offers(&self, method: Method) -> bool {
        self.methods.contains(&method)
    }
}

/// Which changes an owner is told by e-mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Notices {
    /// None.
    Off,
    /// Those that give or take a way in, or that show an attack.
    Important,
    /// All.
    All,
}

impl Notices {
    /// Reads `off`, `important` or `all`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "off" => Some(Self::Off),
            "important" => Some(Self::Important),
            "all" => Some(Self::All),
            _ => None,
        }
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            enabled: true,
            required: false,
            allow_user_toggle: true,
            allow_method_selection: true,
            methods: vec![Method::Totp],
            sms_countries: Countries::default(),
            sms_per_day: 1000,
            bind_addresses: true,
            enrol_with_code: false,
            code_length: 6,
            code_lifetime: 5 * MINUTE,
            access_token_lifetime: 15 * MINUTE,
            sessions: true,
            session_lifetime: 12 * HOUR,
            trusted_devices: true,
            known_networks: true,
            forwarded_hops: 0,
            notices: Notices::Off,
            event_feed: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operator_chooses_the_length_of_codes_that_are_sent_and_of_no_others() {
        let policy = Policy { code_length: 7, ..Policy::default() };
        for (method, lengths) in [(Method::Email, &[7][..]), (Method::Sms, &[7]), (Method::Totp, &[6, 8])] {
            assert_eq!(policy.lengths_of(method), lengths, "{method:?}");
        }
    }
}

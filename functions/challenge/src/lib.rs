//! `POST /auth/mfa/challenge`: sends a code by e-mail or text message.

use lambda_http::http::Method as HttpMethod;
use mfa::{
    App,
    config::Part,
    delivery::{EmailSender, NotSent, SmsSender},
    domain::{
        Address, Channel, CodeId, Context, Method, Policy, Refusal, Source, Timestamp,
        challenge::{self, Cancelled, CodeRequest, Failure, Reserved},
        code::Otp,
        trust::{self, TrustToken},
    },
    http::{BearerToken, Call, Endpoint, ErrorCode, Fields, LogLine, Problem, ReadBody},
    messages::{Asked, Locale, Messages},
    metrics::{self, Metric},
    random,
    storage::{StoreError, Table, UserQuery},
};
use serde::Serialize;

/// The endpoint.
pub struct Challenge {
    messages: Messages,
    email: Option<EmailSender>,
    sms: Option<SmsSender>,
}

/// `{method}`.
#[derive(Debug)]
pub struct ChallengeBody {
    method: Method,
}

/// What was sent, and to which masked address. For an authenticator only the message.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ChallengeReply {
    message: &'static str,
    #[serde(flatten)]
    sent: Option<Sent>,
}

/// What a client shows while it waits for the code.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Sent {
    expires_in: u64,
    resend_after: u64,
    destination: String,
}

impl ReadBody for ChallengeBody {
    fn read(fields: &Fields, _: &Policy) -> Result<Self, Problem> {
        Ok(Self { method: fields.method("POST /auth/mfa/challenge-passkey")? })
    }
}

impl Challenge {
    /// Builds the endpoint of `app`. Opens no connection to what sends.
    #[must_use]
    pub fn new(app: &App) -> Self {
        let config = &app.config;
        Self {
            messages: Messages::new(config.messages.clone()),
            email: config.email.as_ref().map(|email| EmailSender::new(&config.aws, email)),
            sms: config.sms.as_ref().map(|sms| SmsSender::new(&config.aws, sms)),
        }
    }

    /// Reserves the code in the ledger, charges it, stores it and delivers it, in this order, so
    /// that no code arrives that does not count. Everything random is drawn before the first write.
    async fn send_code(
        &self,
        app: &App,
        call: &Call<ChallengeBody>,
        method: Method,
        address: Address,
    ) -> Result<ChallengeReply, Problem> {
        let App { policy, keys, table, .. } = app;
        let cx = call.context(policy, keys);
        let user = call.auth.caller.user;
        let trust_token = call.trust_token().ok().and_then(TrustToken::parse);
        let trusted_device = trust_token.map(|token| keys.trust_id(user, &token));
        let id = CodeId(random::bytes()?);
        let source = call.auth.caller.source.clone().unwrap_or_else(|| call.source.clone());
        let letter = Letter {
            otp: new_code(policy.code_length)?,
            locale: self.messages.locale(app.verifier.locale(&call.auth.claims), call.header("accept-language")),
            user_agent: call.user_agent(),
        };
        let request = CodeRequest { id, method, address, source, trusted_device };

        let query = UserQuery::user(user);
        let query = if trusted_device.is_some() { query.and_trusted() } else { query };
        let reserved = table.decide(query, call.now, |snapshot| challenge::reserve(snapshot, &request, &cx)).await;
        let reserved = match reserved {
            Ok(reserved) => reserved,
            Err(StoreError::Refused(refusal)) => return Err(refusal.into()),
            Err(error) => {
                undo(table, &request, None, Failure::ReservationUnknown, &cx).await;
                return Err(error.into());
            }
        };
        if let Err(unsent) = self.charge_store_deliver(table, &request, &letter, &reserved, &cx).await {
            let cancelled = undo(table, &request, Some(&reserved), unsent.failure(), &cx).await;
            return Err(unsent.problem(cancelled, &reserved));
        }
        let sent = Sent {
            expires_in: reserved.code.until.since(cx.now).as_secs(),
            resend_after: reserved.resend_after.as_secs(),
            destination: request.address.masked(),
        };
        Ok(ChallengeReply { message: SENT, sent: Some(sent) })
    }

    async fn charge_store_deliver(
        &self,
        table: &Table,
        request: &CodeRequest,
        letter: &Letter<'_>,
        reserved: &Reserved,
        cx: &Context<'_>,
    ) -> Result<(), Unsent> {
        charge(table, request, reserved, cx).await?;
        let slot = reserved.code.slot(cx.caller.shares_login());
        let stored = request.stored(&letter.otp, reserved.code.until, cx);
        match table.put_code(cx.caller.user, slot, &stored, cx.now).await {
            Ok(true) => {}
            Ok(false) => return Err(Unsent::Superseded),
            Err(error) => return Err(Unsent::NotStored(error)),
        }
        let delivered = self.deliver(request, letter, reserved, cx.now).await;
        count(request.method, &delivered);
        delivered.map_err(Unsent::NotDelivered)
    }

    async fn deliver(
        &self,
        request: &CodeRequest,
        letter: &Letter<'_>,
        reserved: &Reserved,
        now: Timestamp,
    ) -> Result<(), NotSent> {
        let Letter { otp, locale, user_agent } = letter;
        let not_configured = || NotSent::Refused("the method is not configured".to_owned());
        match request.method {
            Method::Email => {
                let (Address::Email(to), Some(sender)) = (&request.address, &self.email) else {
                    return Err(not_configured());
                };
                if reserved.may_be_in_vain() && sender.suppresses(to).await {
                    return Err(NotSent::Rejected("on the suppression list of SES".to_owned()));
                }
                let asked = asked(user_agent, &request.source, now);
                sender.send(to, self.messages.email(*locale, otp.as_str(), &asked)).await
            }
            Method::Sms => {
                let (Address::Phone(to), Some(sender)) = (&request.address, &self.sms) else {
                    return Err(not_configured());
                };
                sender.send(to, self.messages.sms(*locale, otp.as_str())).await
            }
            Method::Totp | Method::Passkey => Err(not_configured()),
        }
    }
}

impl Endpoint for Challenge {
    const NAME: &'static str = "challenge";
    const METHOD: HttpMethod = HttpMethod::POST;
    const PATH: &'static str = "/auth/mfa/challenge";
    const USES: &'static [Part] = &[Part::Users, Part::Table, Part::AppName, Part::Sending];
    const ERRORS: &'static [ErrorCode] = &[
        ErrorCode::MissingRequiredField,
        ErrorCode::MfaMethodNotAvailable,
        ErrorCode::MfaDeliveryRejected,
        ErrorCode::RateLimited,
        ErrorCode::AccountLocked,
        ErrorCode::MfaDeliveryFailed,
    ];
    type Auth = BearerToken;
    type Body = ChallengeBody;
    type Reply = ChallengeReply;

    fn advice(&self) -> Option<String> {
        let too_long = self.messages.too_long();
        let tags: Vec<_> = too_long.iter().map(|locale| locale.tag()).collect();
        (!tags.is_empty()).then(|| {
            format!(
                "text messages in these languages are sent in English, because with MFA_APP_NAME and MFA_SMS_DOMAIN \
                 they would be two: {}",
                tags.join(", ")
            )
        })
    }

    fn describe(&self, _: &App, body: &ChallengeBody, log: &mut LogLine) {
        log.of_method(body.method);
    }

    async fn handle(&self, app: &App, call: Call<ChallengeBody>) -> Result<ChallengeReply, Problem> {
        let policy = &app.policy;
        let method = call.body.method;
        if !policy.offers(method) {
            return Err(Refusal::MethodNotOffered.into());
        }
        match method.channel() {
            // Nothing can be sent.
            Channel::Browser => Err(Refusal::MethodNotOffered.into()),
            Channel::Device => challenge_totp(app, &call).await,
            Channel::Free | Channel::Paid => {
                let contact = &call.auth.caller.contact;
                let address = contact.allowed_address(method, policy).map_err(Refusal::NoAddress)?;
                self.send_code(app, &call, method, address).await
            }
        }
    }
}

/// What is written to the person.
struct Letter<'a> {
    otp: Otp,
    locale: Locale,
    user_agent: &'a str,
}

/// Who asked. Of what the caller writes, only words of ours are taken over.
fn asked(user_agent: &str, source: &Source, now: Timestamp) -> Asked {
    let (browser, system) = trust::browser_and_system(user_agent);
    let named: Vec<_> = browser.into_iter().chain(system).collect();
    let device = (!named.is_empty()).then(|| named.join(", "));
    Asked { device, time: now.to_minute(), network: source.network() }
}

const SENT: &str = "MFA code sent successfully";

/// When to try again if the provider took nothing and nothing was charged, in seconds.
const RETRY_SOON: u64 = 5;

async fn challenge_totp(app: &App, call: &Call<ChallengeBody>) -> Result<ChallengeReply, Problem> {
    let query = UserQuery::user(call.auth.caller.user);
    app.table.decide(query, call.now, challenge::totp_is_ready).await?;
    Ok(ChallengeReply { message: SENT, sent: None })
}

/// Why a reserved code is not on its way.
enum Unsent {
    /// A limit outside the ledger refused it, or could not be read.
    NotCharged(StoreError),
    /// A newer code of this login was stored first.
    Superseded,
    /// Its item could not be stored.
    NotStored(StoreError),
    /// The provider did not take it, or did not say whether it did.
    NotDelivered(NotSent),
}

impl Unsent {
    fn failure(&self) -> Failure {
        match self {
            Self::NotCharged(StoreError::Refused(_)) => Failure::LimitReached,
            Self::NotCharged(_) => Failure::LimitUnknown,
            Self::Superseded => Failure::Superseded,
            Self::NotStored(_) => Failure::StoreUnknown,
            Self::NotDelivered(NotSent::Rejected(_)) => Failure::Rejected,
            Self::NotDelivered(NotSent::Barred(_)) => Failure::Barred,
            Self::NotDelivered(NotSent::Refused(_) | NotSent::Throttled(_)) => Failure::NotSent,
            Self::NotDelivered(NotSent::Unknown(_)) => Failure::MayArrive,
        }
    }

    fn problem(self, cancelled: Cancelled, reserved: &Reserved) -> Problem {
        let Cancelled { refunded, switched_off } = cancelled;
        match self {
            Self::NotCharged(error) | Self::NotStored(error) => error.into(),
            Self::Superseded => Refusal::Contended.into(),
            Self::NotDelivered(not_sent @ (NotSent::Rejected(_) | NotSent::Barred(_))) => {
                Problem::DeliveryRejected { cause: not_sent.to_string(), switched_off }
            }
            Self::NotDelivered(not_sent) => Problem::DeliveryFailed {
                cause: not_sent.to_string(),
                retry_after: if refunded { RETRY_SOON } else { reserved.resend_after.as_secs() },
            },
        }
    }
}

/// Counts a delivery.
fn count(method: Method, delivered: &Result<(), NotSent>) {
    let (sent, failed, rejected) = match method {
        Method::Sms => (Metric::SmsSent, Metric::SmsFailed, Metric::SmsRejected),
        Method::Email | Method::Totp | Method::Passkey => {
            (Metric::EmailsSent, Metric::EmailsFailed, Metric::EmailsRejected)
        }
    };
    let is_rejected = matches!(delivered, Err(NotSent::Rejected(_) | NotSent::Barred(_)));
    if delivered.is_ok() {
        metrics::count(sent, 1.0);
    }
    metrics::sample(failed, delivered.is_err() && !is_rejected);
    metrics::sample(rejected, is_rejected);
}

/// Raises the counters.
async fn charge(table: &Table, request: &CodeRequest, reserved: &Reserved, cx: &Context<'_>) -> Result<(), Unsent> {
    let charged = table.charge(&reserved.limits, cx.now).await;
    match (charged, request.method.channel()) {
        // A paid code is not sent if its counter cannot be raised. A free one is.
        (Err(StoreError::Unavailable(_)), Channel::Free) => Ok(()),
        (charged, Channel::Browser | Channel::Device | Channel::Free | Channel::Paid) => {
            charged.map_err(Unsent::NotCharged)
        }
    }
}

/// Undoes what must be undone after the failure. If undoing fails, the code expires.
async fn undo(
    table: &Table,
    request: &CodeRequest,
    reserved: Option<&Reserved>,
    failure: Failure,
    cx: &Context<'_>,
) -> Cancelled {
    let Some(undo) = failure.undo() else { return Cancelled::default() };
    let cancel = |snapshot: &_| challenge::cancel(snapshot, request, reserved, undo, cx);
    table.decide(UserQuery::user(cx.caller.user), cx.now, cancel).await.unwrap_or_default()
}

fn new_code(length: u8) -> Result<Otp, Problem> {
    loop {
        if let Some(code) = Otp::from_random(random::number()?, length) {
            return Ok(code);
        }
    }
}

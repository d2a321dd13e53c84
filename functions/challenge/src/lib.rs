//! `POST /auth/mfa/challenge`: sends a code by e-mail or text message.

use lambda_http::http::Method as HttpMethod;
use mfa::{
    Bundle,
    delivery::{EmailSender, NotSent, SmsSender, messages::MessageTexts},
    domain::{
        Address, Caller, CodeId, CodeRecord, Context, Method, Policy, Refusal,
        challenge::{self, Announced, Order, Unsent},
        code::Otp,
        ledger::SentCode,
    },
    http::{Bearer, Call, Endpoint, Fields, Problem, ReadBody},
    random,
    storage::{Fault, Subject, Table},
};
use serde::Serialize;

/// The endpoint.
pub struct Challenge {
    texts: MessageTexts,
    email: Option<EmailSender>,
    sms: Option<SmsSender>,
}

/// `{method}`.
#[derive(Debug)]
pub struct ChallengeBody {
    method: Method,
}

/// What was sent where. For an authenticator the message alone.
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
        Ok(Self { method: fields.method()? })
    }
}

impl Challenge {
    /// Built from the bundle. Opens no connection to SES or SNS.
    #[must_use]
    pub fn new(bundle: &Bundle) -> Self {
        let config = &bundle.config;
        Self {
            texts: config.message_texts(),
            email: config.email.as_ref().map(|email| EmailSender::new(&config.aws, email)),
            sms: config.sms.as_ref().map(|sms| SmsSender::new(&config.aws, sms)),
        }
    }

    /// Announces the code in the ledger, counts it, writes it, sends it: in this order, so that no code arrives that does not count.
    async fn send_code(
        &self,
        bundle: &Bundle,
        call: &Call<ChallengeBody>,
        address: Address,
    ) -> Result<ChallengeReply, Problem> {
        let Bundle { policy, keys, table, .. } = bundle;
        let cx = call.context(policy, keys);
        let source = keys.limit_key(call.source.as_bytes());
        let order = Order { id: CodeId(random::bytes()?), address, source };

        let subject = Subject::user(call.who.caller.user);
        let announced = table.decide(subject, call.now, |snapshot| challenge::announce(snapshot, &order, &cx)).await;
        let announced = match announced {
            Ok(announced) => announced,
            Err(Fault::Refused(refusal)) => return Err(refusal.into()),
            // It may have been announced all the same; it surely is not sent.
            Err(fault) => {
                void(table, &order, None, Unsent::GiveBack, &cx).await;
                return Err(fault.into());
            }
        };
        let otp = new_code(policy.code_length)?;
        if let Err(failure) = count(table, &order, &announced, &cx).await {
            let unsent = if matches!(failure, Fault::Refused(_)) { Unsent::Keep } else { Unsent::GiveBack };
            // The code from before still lies there.
            void(table, &order, announced.previous.as_ref(), unsent, &cx).await;
            return Err(failure.into());
        }
        if let Err(failure) = write(table, &order, &otp, &announced, &cx).await {
            void(table, &order, None, Unsent::GiveBack, &cx).await;
            return Err(failure.into());
        }
        if let Err(not_sent) = self.deliver(&order.address, &otp).await {
            return Err(failed_delivery(table, not_sent, &order, &announced, &cx).await);
        }
        let sent = Sent {
            expires_in: announced.until.since(call.now).as_secs(),
            resend_after: announced.resend_after.as_secs(),
            destination: order.address.masked(),
        };
        Ok(ChallengeReply { message: SENT, sent: Some(sent) })
    }

    async fn deliver(&self, address: &Address, otp: &Otp) -> Result<(), NotSent> {
        match (address, &self.email, &self.sms) {
            (Address::Email(to), Some(email), _) => email.send(to, self.texts.email(otp.as_str())).await,
            (Address::Phone(to), _, Some(sms)) => sms.send(to, self.texts.sms(otp.as_str(), sms.domain())).await,
            _ => Err(NotSent::Refused("the method is not configured".to_owned())),
        }
    }
}

impl Endpoint for Challenge {
    const NAME: &'static str = "challenge";
    const METHOD: HttpMethod = HttpMethod::POST;
    const PATH: &'static str = "/auth/mfa/challenge";
    type Who = Bearer;
    type Body = ChallengeBody;
    type Reply = ChallengeReply;

    async fn handle(&self, bundle: &Bundle, call: Call<ChallengeBody>) -> Result<ChallengeReply, Problem> {
        let policy = &bundle.policy;
        let method = call.body.method;
        if !policy.offers(method) {
            return Err(Refusal::MethodNotAvailable.into());
        }
        if method == Method::Totp {
            return challenge_totp(bundle, &call).await;
        }
        let address = call.who.caller.contact.address(method, policy).ok_or(Refusal::MethodNotAvailable)?;
        self.send_code(bundle, &call, address).await
    }
}

const SENT: &str = "MFA code sent successfully";

/// When to try again where the provider took nothing and nothing was counted, in seconds.
const RETRY_SOON: u64 = 5;

async fn challenge_totp(bundle: &Bundle, call: &Call<ChallengeBody>) -> Result<ChallengeReply, Problem> {
    let subject = Subject::user(call.who.caller.user);
    bundle.table.decide(subject, call.now, challenge::totp_is_ready).await?;
    Ok(ChallengeReply { message: SENT, sent: None })
}

/// Raises the counters.
async fn count(table: &Table, order: &Order, announced: &Announced, cx: &Context<'_>) -> Result<(), Fault> {
    match table.raise_all(&announced.counters, cx.now).await {
        // A text message costs money: where nobody can count it, it is not sent. An e-mail is.
        Err(Fault::Unavailable(_)) if order.address.method() == Method::Email => Ok(()),
        raised => raised,
    }
}

/// Writes the code's item, over that of the login's code from before.
async fn write(table: &Table, order: &Order, otp: &Otp, announced: &Announced, cx: &Context<'_>) -> Result<(), Fault> {
    let Caller { user, login, .. } = *cx.caller;
    let record = CodeRecord {
        id: order.id,
        tag: cx.keys.code_tag(user, order.id, &order.address, otp),
        announced: cx.now,
        until: announced.until,
    };
    // A newer code of this login was announced meanwhile: that one counts.
    if table.put_code(user, login, &record).await? { Ok(()) } else { Err(Refusal::Contended.into()) }
}

/// What a failed delivery means for the user: what surely was not sent is void and given back; what may arrive
/// stays valid, and counted.
async fn failed_delivery(
    table: &Table,
    not_sent: NotSent,
    order: &Order,
    announced: &Announced,
    cx: &Context<'_>,
) -> Problem {
    let given_back = not_sent.is_certain() && void(table, order, None, Unsent::GiveBack, cx).await;
    let cause = not_sent.to_string();
    let retry_after = if given_back { RETRY_SOON } else { announced.resend_after.as_secs() };
    match not_sent {
        NotSent::Rejected(_) => Problem::DeliveryRejected(cause),
        NotSent::Refused(_) | NotSent::Unknown(_) => Problem::DeliveryFailed { cause, retry_after },
    }
}

/// Voids a code that surely was not sent; if this fails, it expires by itself. Says whether the send was given back.
async fn void(table: &Table, order: &Order, previous: Option<&SentCode>, unsent: Unsent, cx: &Context<'_>) -> bool {
    let void = |snapshot: &_| challenge::void(snapshot, order.id, previous, cx.now, unsent, cx.now);
    table.decide(Subject::user(cx.caller.user), cx.now, void).await.unwrap_or(false)
}

fn new_code(length: u8) -> Result<Otp, Problem> {
    loop {
        if let Some(code) = Otp::from_random(random::number()?, length) {
            return Ok(code);
        }
    }
}

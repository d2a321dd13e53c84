//! `POST /auth/mfa/challenge`: sends a code by e-mail or text message.

use lambda_http::http::Method;
use mfa::{
    Bundle,
    delivery::{EmailSender, NotSent, SmsSender, messages::MessageTexts},
    domain::{
        Address, CodeId, CodeRecord, Context, Method as Factor, Refusal,
        challenge::{self, Announced, Order},
        code::Otp,
    },
    http::{Call, Endpoint, Fields, Problem, ReadBody},
    random,
    storage::Subject,
};
use serde::Serialize;

/// The endpoint.
pub struct Challenge {
    bundle: Bundle,
    texts: MessageTexts,
    email: Option<EmailSender>,
    sms: Option<SmsSender>,
}

/// `{method}`.
#[derive(Debug)]
pub struct ChallengeBody {
    method: Factor,
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
    fn read(fields: &Fields) -> Result<Self, Problem> {
        Ok(Self { method: fields.method()? })
    }
}

impl Challenge {
    /// Built from the bundle. Opens no connection to SES or SNS.
    #[must_use]
    pub fn new(bundle: &Bundle) -> Self {
        let config = &bundle.config;
        Self {
            bundle: bundle.clone(),
            texts: config.message_texts(),
            email: config.email.as_ref().map(|email| EmailSender::new(&config.aws, email)),
            sms: config.sms.as_ref().map(|sms| SmsSender::new(&config.aws, sms)),
        }
    }

    async fn challenge_totp(&self, call: &Call<ChallengeBody>) -> Result<ChallengeReply, Problem> {
        let subject = Subject { user: call.caller.user, code_of: None };
        self.bundle.table.decide(subject, call.now, challenge::totp_is_ready).await?;
        Ok(ChallengeReply { message: SENT, sent: None })
    }

    /// Announces the code in the ledger, writes it, sends it: in this order, so that no code arrives that does not count.
    async fn send_code(&self, call: &Call<ChallengeBody>, address: Address) -> Result<ChallengeReply, Problem> {
        let Bundle { policy, keys, table, .. } = &self.bundle;
        let cx = call.context(policy, keys);
        let user = call.caller.user;
        let subject = Subject { user, code_of: None };
        let source = keys.limit_key(call.source.as_bytes());
        let order = Order { id: CodeId(random::bytes()?), address, source };

        let announced = table.decide(subject, call.now, |snapshot| challenge::announce(snapshot, &order, &cx)).await?;

        let otp = new_code(policy.code_length)?;
        if let Err(problem) = self.write_and_send(&order, &otp, &announced, &cx).await {
            if problem.surely_not_sent {
                // What surely was not sent is void and costs nothing. If this fails too, it expires by itself.
                let give_back = |snapshot: &_| challenge::give_back(snapshot, order.id, call.now, call.now);
                let _ = table.decide(subject, call.now, give_back).await;
            }
            return Err(problem.answer);
        }
        let sent = Sent {
            expires_in: announced.until.since(call.now).as_secs(),
            resend_after: announced.resend_after.as_secs(),
            destination: order.address.masked(),
        };
        Ok(ChallengeReply { message: SENT, sent: Some(sent) })
    }

    async fn write_and_send(
        &self,
        order: &Order,
        otp: &Otp,
        announced: &Announced,
        cx: &Context<'_>,
    ) -> Result<(), SendProblem> {
        let caller = cx.caller;
        let record = CodeRecord {
            id: order.id,
            tag: cx.keys.code_tag(caller.user, order.id, &order.address, otp),
            announced: cx.now,
            until: announced.until,
        };
        let written = self.bundle.table.put_code(caller.user, caller.login, &record).await;
        if !written.map_err(|fault| SendProblem::before_sending(fault.into()))? {
            // A newer code of this login was announced meanwhile: that one counts.
            let retry_at = cx.now.plus(announced.resend_after);
            return Err(SendProblem::before_sending(Refusal::TooManySends { retry_at }.into()));
        }
        match (&order.address, &self.email, &self.sms) {
            (Address::Email(to), Some(email), _) => email.send(to, self.texts.email(otp.as_str())).await?,
            (Address::Phone(to), _, Some(sms)) => {
                sms.send(to, self.texts.sms(otp.as_str(), sms.domain())).await?;
            }
            _ => return Err(SendProblem::before_sending(Refusal::MethodNotAvailable.into())),
        }
        Ok(())
    }
}

const SENT: &str = "MFA code sent successfully";

/// Why a code is not known to be on its way, and whether it surely is not.
struct SendProblem {
    answer: Problem,
    surely_not_sent: bool,
}

impl SendProblem {
    const fn before_sending(answer: Problem) -> Self {
        Self { answer, surely_not_sent: true }
    }
}

impl From<NotSent> for SendProblem {
    fn from(not_sent: NotSent) -> Self {
        Self { surely_not_sent: not_sent.is_certain(), answer: not_sent.into() }
    }
}

fn new_code(length: u8) -> Result<Otp, Problem> {
    loop {
        if let Some(code) = Otp::from_random(random::number()?, length) {
            return Ok(code);
        }
    }
}

impl Endpoint for Challenge {
    const NAME: &'static str = "challenge";
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/auth/mfa/challenge";
    type Body = ChallengeBody;
    type Reply = ChallengeReply;

    async fn handle(&self, call: Call<ChallengeBody>) -> Result<ChallengeReply, Problem> {
        let policy = &self.bundle.policy;
        let method = call.body.method;
        if !policy.offers(method) {
            return Err(Refusal::MethodNotAvailable.into());
        }
        if method == Factor::Totp {
            return self.challenge_totp(&call).await;
        }
        let address = call.caller.contact.address(method, policy).ok_or(Refusal::MethodNotAvailable)?;
        self.send_code(&call, address).await
    }
}

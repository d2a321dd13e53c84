use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{
    Form, Json, Router,
    body::Bytes,
    extract::{FromRequest, Path, Request, State},
    http::{HeaderName, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::clock::LocalClock;

/// How many messages are kept.
const KEPT: usize = 500;

/// Takes the calls that the AWS SDKs make to SES v2, SNS, End User Messaging and `EventBridge`, and keeps
/// the newest 500 messages and events.
#[derive(Clone)]
pub struct Inbox {
    messages: Arc<Mutex<Messages>>,
    clock: LocalClock,
}

#[derive(Default)]
struct Messages {
    kept: VecDeque<InboxMessage>,
    events: VecDeque<FeedEvent>,
    received: u64,
    fed: u64,
    /// Whether `…@rejected.example` is taken too, and the numbers that End User Messaging refuses.
    takes_rejected: bool,
    /// Whether no mail is taken, because the sender is not verified.
    refuses_sender: bool,
    troubles: Troubles,
}

/// An event of the feed.
#[derive(Clone, Debug, Serialize)]
pub struct FeedEvent {
    /// Its type.
    #[serde(rename = "detail-type")]
    pub detail_type: String,
    /// Where it comes from.
    pub source: String,
    /// The bus that it was put onto.
    pub bus: String,
    /// What it says.
    pub detail: Value,
}

/// The troubles of providers that the inbox can play. `None`: codes go to another service, which it
/// cannot trouble.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Troubles {
    /// Whether SES takes no mail: it answers 503.
    pub ses_is_down: Option<bool>,
    /// Whether SNS, or End User Messaging, takes no text message: it says that there were too many.
    pub sns_throttles: Option<bool>,
}

impl Troubles {
    /// Asks that all troubles end.
    pub const NONE: Self = Self { ses_is_down: Some(false), sns_throttles: Some(false) };

    /// The troubles after a request for `wanted`. What `wanted` leaves out, or what cannot be played,
    /// stays as it is.
    #[must_use]
    pub fn changed(self, wanted: Self) -> Self {
        let change = |now: Option<bool>, wanted: Option<bool>| now.map(|now| wanted.unwrap_or(now));
        Self {
            ses_is_down: change(self.ses_is_down, wanted.ses_is_down),
            sns_throttles: change(self.sns_throttles, wanted.sns_throttles),
        }
    }
}

/// A message that the bundle sent.
#[derive(Clone, Debug, Default, Serialize)]
pub struct InboxMessage {
    /// The number of the message, counted from 1.
    pub id: String,
    /// `email` or `sms`.
    pub channel: &'static str,
    /// The e-mail address or phone number of the recipient.
    pub to: String,
    /// The subject of an e-mail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The plain text.
    pub text: String,
    /// The HTML version of an e-mail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub html: Option<String>,
    /// The headers of an e-mail that the bundle sets, as `Name: value`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<String>,
    /// The configuration set of SES or End User Messaging.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub configuration_set: Option<String>,
    /// What else End User Messaging was told of a text message, as `Name: value`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<String>,
    /// The code in the text.
    pub code: Option<String>,
    /// When the message arrived, by the bundle's clock.
    pub at: String,
}

impl Inbox {
    /// An inbox for the providers that `troubles` names.
    pub(crate) fn new(clock: LocalClock, troubles: Troubles) -> Self {
        Self { messages: Arc::new(Mutex::new(Messages { troubles, ..Messages::default() })), clock }
    }

    /// The kept messages, oldest first.
    #[must_use]
    pub fn messages(&self) -> Vec<InboxMessage> {
        self.lock().kept.iter().cloned().collect()
    }

    /// How many messages have arrived, those no longer kept included.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.lock().received
    }

    /// Forgets all messages and events.
    pub fn clear(&self) {
        let mut messages = self.lock();
        messages.kept.clear();
        messages.events.clear();
    }

    /// From now on, mail to `…@rejected.example` is taken, and text messages to the numbers that End
    /// User Messaging refuses, or they are refused again.
    pub fn take_rejected(&self, takes: bool) {
        self.lock().takes_rejected = takes;
    }

    /// From now on, the sender of mail is verified, or not.
    pub fn verify_sender(&self, verified: bool) {
        self.lock().refuses_sender = !verified;
    }

    /// The troubles of the providers.
    #[must_use]
    pub fn troubles(&self) -> Troubles {
        self.lock().troubles
    }

    /// From now on, the providers have the troubles that `wanted` names, of those that can be played.
    pub fn trouble(&self, wanted: Troubles) {
        let mut messages = self.lock();
        messages.troubles = messages.troubles.changed(wanted);
    }

    /// The kept events, oldest first.
    #[must_use]
    pub fn events(&self) -> Vec<FeedEvent> {
        self.lock().events.iter().cloned().collect()
    }

    /// Serves SES, SNS, End User Messaging and `EventBridge` at one address. Their paths or headers differ.
    pub(crate) fn router(&self) -> Router {
        Router::new()
            .route("/v2/email/outbound-emails", post(send_email))
            .route("/v2/email/suppression/addresses/{address}", get(get_suppressed_destination))
            .route("/", post(text_message))
            .with_state(self.clone())
    }

    /// Keeps a message, and gives it its number, the time and the code in it.
    fn keep(&self, message: InboxMessage) -> String {
        let code = find_code(&message.text);
        let at = self.clock.now().to_rfc3339();
        let mut messages = self.lock();
        messages.received += 1;
        let id = messages.received.to_string();
        messages.kept.push_back(InboxMessage { id: id.clone(), code, at, ..message });
        if messages.kept.len() > KEPT {
            messages.kept.pop_front();
        }
        id
    }

    fn lock(&self) -> MutexGuard<'_, Messages> {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `SendEmail` of the SES API v2.
async fn send_email(State(inbox): State<Inbox>, Json(call): Json<Value>) -> Response {
    let text_at = |path: &str| call.pointer(path).and_then(Value::as_str).map(ToOwned::to_owned);
    let Some(to) = text_at("/Destination/ToAddresses/0") else {
        return ses_error(StatusCode::BAD_REQUEST, "BadRequestException", "no destination");
    };
    if inbox.troubles().ses_is_down == Some(true) {
        return ses_error(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", "the service is unavailable");
    }
    if inbox.lock().refuses_sender {
        let message = "Email address is not verified. The following identities failed the check: the sender";
        return ses_error(StatusCode::BAD_REQUEST, "MessageRejected", message);
    }
    // The real SES takes plain ASCII alone.
    if !to.is_ascii() || to.ends_with("@rejected.example") && !inbox.lock().takes_rejected {
        return ses_error(StatusCode::BAD_REQUEST, "MessageRejected", "the address is refused");
    }
    if to.ends_with("@throttled.example") {
        return ses_error(StatusCode::TOO_MANY_REQUESTS, "TooManyRequestsException", "too many requests");
    }
    if to.ends_with(SUPPRESSED) {
        return Json(json!({ "MessageId": "suppressed" })).into_response();
    }
    let id = inbox.keep(InboxMessage {
        channel: "email",
        to,
        subject: text_at("/Content/Simple/Subject/Data"),
        text: text_at("/Content/Simple/Body/Text/Data").unwrap_or_default(),
        html: text_at("/Content/Simple/Body/Html/Data"),
        headers: headers(&call),
        configuration_set: text_at("/ConfigurationSetName"),
        ..InboxMessage::default()
    });
    Json(json!({ "MessageId": id })).into_response()
}

/// The headers that a call of `SendEmail` sets.
fn headers(call: &Value) -> Vec<String> {
    let list = |path: &str| call.pointer(path).and_then(Value::as_array).cloned().unwrap_or_default();
    let reply_to = list("/ReplyToAddresses");
    let reply_to = reply_to.iter().filter_map(|address| Some(format!("Reply-To: {}", address.as_str()?)));
    let others = list("/Content/Simple/Headers");
    let others = others.iter().filter_map(|header| {
        let field = |name| header.get(name).and_then(Value::as_str);
        Some(format!("{}: {}", field("Name")?, field("Value")?))
    });
    reply_to.chain(others).collect()
}

/// Mail to addresses that end so is taken and dropped, and they are on the suppression list.
const SUPPRESSED: &str = "@suppressed.example";

/// `GetSuppressedDestination` of the SES API v2.
async fn get_suppressed_destination(Path(address): Path<String>) -> Response {
    if !address.ends_with(SUPPRESSED) {
        let message = format!("Email address {address} does not exist on your suppression list.");
        return ses_error(StatusCode::NOT_FOUND, "NotFoundException", &message);
    }
    let destination = json!({ "EmailAddress": address, "Reason": "BOUNCE", "LastUpdateTime": 1_700_000_000 });
    Json(json!({ "SuppressedDestination": destination })).into_response()
}

fn ses_error(status: StatusCode, kind: &'static str, message: &str) -> Response {
    let kind = [(HeaderName::from_static("x-amzn-errortype"), kind)];
    (status, kind, Json(json!({ "message": message }))).into_response()
}

/// SNS and End User Messaging have one path. The JSON protocols of AWS name the operation in a header.
async fn text_message(State(inbox): State<Inbox>, request: Request) -> Response {
    let target = request.headers().get("x-amz-target").cloned();
    match target {
        Some(target) if target == "PinpointSMSVoiceV2.SendTextMessage" => {
            match Bytes::from_request(request, &()).await {
                Ok(body) => send_text_message(&inbox, &body),
                Err(rejection) => rejection.into_response(),
            }
        }
        Some(target) if target == "AWSEvents.PutEvents" => match Bytes::from_request(request, &()).await {
            Ok(body) => put_events(&inbox, &body),
            Err(rejection) => rejection.into_response(),
        },
        Some(_) => voice_error("UnknownOperationException", "only SendTextMessage is served here", None),
        None => match Form::<Vec<(String, String)>>::from_request(request, &()).await {
            Ok(Form(call)) => publish(&inbox, &call),
            Err(rejection) => rejection.into_response(),
        },
    }
}

/// `PutEvents` of `EventBridge`, in the AWS JSON protocol 1.1.
fn put_events(inbox: &Inbox, body: &[u8]) -> Response {
    let call: Value = serde_json::from_slice(body).unwrap_or_default();
    let mut messages = inbox.lock();
    let mut results = Vec::new();
    for entry in call.get("Entries").and_then(Value::as_array).into_iter().flatten() {
        let text = |name: &str| entry.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        messages.fed += 1;
        results.push(json!({ "EventId": messages.fed.to_string() }));
        messages.events.push_back(FeedEvent {
            detail_type: text("DetailType"),
            source: text("Source"),
            bus: text("EventBusName"),
            detail: serde_json::from_str(&text("Detail")).unwrap_or_default(),
        });
        if messages.events.len() > KEPT {
            messages.events.pop_front();
        }
    }
    amz_json(StatusCode::OK, &json!({ "FailedEntryCount": 0, "Entries": results }))
}

/// What the inbox keeps of a text message, by the names of the call.
const PARAMETERS: [&str; 4] = ["OriginationIdentity", "MessageType", "ProtectConfigurationId", "MaxPrice"];

/// `SendTextMessage` of End User Messaging, in the AWS JSON protocol 1.0.
fn send_text_message(inbox: &Inbox, body: &[u8]) -> Response {
    let call: Value = serde_json::from_slice(body).unwrap_or_default();
    let text_at = |path: &str| call.pointer(path).and_then(Value::as_str).map(ToOwned::to_owned);
    let (Some(to), Some(text)) = (text_at("/DestinationPhoneNumber"), text_at("/MessageBody")) else {
        return voice_error("ValidationException", "a number or the text is missing", Some("MISSING_PARAMETER"));
    };
    let refusal = REFUSED_NUMBERS.iter().find(|(numbers, ..)| to.starts_with(numbers));
    if let Some((_, kind, reason)) = refusal.filter(|_| !inbox.lock().takes_rejected) {
        return voice_error(kind, &format!("{to} gets nothing"), Some(reason));
    }
    if inbox.troubles().sns_throttles == Some(true) {
        return voice_error("ThrottlingException", "Rate exceeded", None);
    }
    let named = PARAMETERS.iter().filter_map(|name| Some(format!("{name}: {}", call.get(name)?.as_str()?)));
    let of_country = call.get("DestinationCountryParameters").and_then(Value::as_object).into_iter().flatten();
    let of_country = of_country.filter_map(|(name, value)| Some(format!("{name}: {}", value.as_str()?)));
    let id = inbox.keep(InboxMessage {
        channel: "sms",
        to,
        text,
        configuration_set: text_at("/ConfigurationSetName"),
        parameters: named.chain(of_country).collect(),
        ..InboxMessage::default()
    });
    amz_json(StatusCode::OK, &json!({ "MessageId": id }))
}

/// The beginnings of numbers that End User Messaging does not send to, and what it answers.
const REFUSED_NUMBERS: [(&str, &str, &str); 6] = [
    ("+15550100", "ValidationException", "INVALID_PARAMETER"),
    ("+15550101", "ConflictException", "DESTINATION_PHONE_NUMBER_OPTED_OUT"),
    ("+15550102", "ConflictException", "DESTINATION_COUNTRY_BLOCKED_BY_PROTECT_CONFIGURATION"),
    ("+15550103", "ConflictException", "DESTINATION_PHONE_NUMBER_NOT_VERIFIED"),
    ("+15550104", "ServiceQuotaExceededException", "MONTHLY_SPEND_LIMIT_REACHED_FOR_TEXT"),
    ("+15550105", "AccessDeniedException", "ACCOUNT_DISABLED"),
];

/// An error of End User Messaging. One of the form of a call names the number.
fn voice_error(kind: &str, message: &str, reason: Option<&str>) -> Response {
    let names_number = kind == "ValidationException";
    let fields = names_number.then(|| json!([{ "Name": "DestinationPhoneNumber", "Message": "is not valid" }]));
    let kind = format!("com.amazonaws.pinpointsmsvoicev2#{kind}");
    let error = json!({ "__type": kind, "Message": message, "Reason": reason, "Fields": fields });
    amz_json(StatusCode::BAD_REQUEST, &error)
}

fn amz_json(status: StatusCode, body: &Value) -> Response {
    (status, [(header::CONTENT_TYPE, "application/x-amz-json-1.0")], body.to_string()).into_response()
}

/// `Publish` of SNS, in the AWS query protocol.
fn publish(inbox: &Inbox, call: &[(String, String)]) -> Response {
    let value = |name: &str| call.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
    let (Some(to), Some(text)) = (value("PhoneNumber"), value("Message")) else {
        return sns_error(StatusCode::BAD_REQUEST, "InvalidParameter", "only Publish to a phone number is served here");
    };
    if value("Action").as_deref() != Some("Publish") || to.starts_with("+1555010") {
        return sns_error(StatusCode::BAD_REQUEST, "InvalidParameter", "Invalid parameter: PhoneNumber");
    }
    if inbox.troubles().sns_throttles == Some(true) {
        return sns_error(StatusCode::TOO_MANY_REQUESTS, "Throttled", "Rate exceeded");
    }
    let id = inbox.keep(InboxMessage { channel: "sms", to, text, ..InboxMessage::default() });
    xml(
        StatusCode::OK,
        format!(
            "<PublishResponse xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\"><PublishResult><MessageId>{id}\
             </MessageId></PublishResult><ResponseMetadata><RequestId>{id}</RequestId></ResponseMetadata></PublishResponse>"
        ),
    )
}

fn sns_error(status: StatusCode, code: &str, message: &str) -> Response {
    xml(
        status,
        format!(
            "<ErrorResponse xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\"><Error><Type>Sender</Type>\
             <Code>{code}</Code><Message>{message}</Message></Error><RequestId>local</RequestId></ErrorResponse>"
        ),
    )
}

fn xml(status: StatusCode, body: String) -> Response {
    (status, [(header::CONTENT_TYPE, "text/xml")], body).into_response()
}

/// The first run of 6 to 10 digits.
fn find_code(text: &str) -> Option<String> {
    text.split(|c: char| !c.is_ascii_digit()).find(|run| (6..=10).contains(&run.len())).map(ToOwned::to_owned)
}

//! The event feed of the application, on `EventBridge`. `docs/events/` has the schema of each type.

use std::collections::BTreeSet;

use aws_sdk_eventbridge::{Client, error::ProvideErrorMetadata, types::PutEventsRequestEntry};
use mfa::{
    App, aws,
    domain::{SecurityEvent, Timestamp, UserId, security_event::Observed},
};
use serde::Serialize;

/// What the application filters its events by, beside their types.
const SOURCE: &str = "mfa";

/// `PutEvents` takes so many at once.
const MOST: usize = 10;

/// How often events are sent that `EventBridge` did not take, before the batch is given back.
const TRIES: usize = 3;

/// Puts events onto a bus.
pub(crate) struct Feed {
    client: Client,
    bus: String,
}

/// The part of an event that is ours.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Detail<'a> {
    version: u8,
    id: &'a str,
    time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<&'a str>,
    user_key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    login: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    network: Option<String>,
    #[serde(flatten)]
    of_type: OfType,
}

/// What only some types say.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct OfType {
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    device_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recovery_codes_left: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    locked_until: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    change: Option<&'static str>,
}

impl OfType {
    fn new(event: &SecurityEvent) -> Self {
        match event {
            SecurityEvent::AuthenticatorAdded(one)
            | SecurityEvent::AuthenticatorActivated(one)
            | SecurityEvent::AuthenticatorRemoved(one)
            | SecurityEvent::PasskeySuspected(one) => {
                Self { method: Some(one.kind.as_str()), device_id: Some(one.id.to_string()), ..Self::default() }
            }
            SecurityEvent::AddressProven(method) => Self { method: Some(method.as_str()), ..Self::default() },
            SecurityEvent::RecoveryCodeUsed { left } | SecurityEvent::RecoveryCodesLow { left } => {
                Self { recovery_codes_left: Some(*left), ..Self::default() }
            }
            SecurityEvent::Locked { until } => Self { locked_until: Some(until.to_rfc3339()), ..Self::default() },
            SecurityEvent::ByOperator(change) => Self { change: Some(change.as_str()), ..Self::default() },
            SecurityEvent::MfaOn
            | SecurityEvent::MfaOff
            | SecurityEvent::RecoveryCodesMade
            | SecurityEvent::Reset
            | SecurityEvent::CodesOff
            | SecurityEvent::TokenReused
            | SecurityEvent::SessionsEnded => Self::default(),
        }
    }
}

/// Whose events they are, and from when.
pub(crate) struct About<'a> {
    /// The user.
    pub(crate) user: UserId,
    /// The user id in the application's tokens, if it is known.
    pub(crate) user_id: Option<&'a str>,
    /// The id of the change. That of each event begins so.
    pub(crate) id: &'a str,
    /// When it was committed.
    pub(crate) at: Timestamp,
}

impl Feed {
    /// The feed of a bundle, if it has one. Opens no connection.
    pub(crate) fn new(app: &App) -> Option<Self> {
        let (bus, aws) = (app.config.event_bus.clone()?, &app.config.aws);
        let config = aws::configure!(aws_sdk_eventbridge, aws, aws.eventbridge_endpoint.as_deref(), aws::retry());
        Some(Self { client: Client::from_conf(config), bus })
    }

    /// Puts the events of one change that are not in `done`, and adds those that `EventBridge` took.
    ///
    /// # Errors
    /// Says why some were not taken.
    pub(crate) async fn put(
        &self,
        observed: &Observed,
        about: &About<'_>,
        done: &mut BTreeSet<String>,
    ) -> Result<(), String> {
        let mut left = Vec::new();
        for (place, event) in observed.events.iter().enumerate() {
            let id = format!("{}.{place}", about.id);
            if !done.contains(&id) {
                let entry = self.entry(event, observed, about, &id)?;
                left.push((id, entry));
            }
        }
        let mut cause = String::new();
        for _ in 0..TRIES {
            let mut refused = Vec::new();
            for some in left.chunks(MOST) {
                let entries = some.iter().map(|(_, entry)| entry.clone()).collect();
                let answer = self.client.put_events().set_entries(Some(entries)).send().await;
                let answer = answer.map_err(|error| format!("PutEvents: {}", error.code().unwrap_or("no answer")))?;
                for (place, (id, entry)) in some.iter().enumerate() {
                    // An entry without a result was not taken, as far as anybody knows.
                    match answer.entries().get(place) {
                        Some(result) if result.error_code().is_none() && result.event_id().is_some() => {
                            done.insert(id.clone());
                        }
                        result => {
                            let code = result.and_then(|result| result.error_code());
                            code.unwrap_or("no result").clone_into(&mut cause);
                            refused.push((id.clone(), entry.clone()));
                        }
                    }
                }
            }
            left = refused;
            if left.is_empty() {
                return Ok(());
            }
        }
        Err(format!("PutEvents took {} events less: {cause}", left.len()))
    }

    fn entry(
        &self,
        event: &SecurityEvent,
        observed: &Observed,
        about: &About<'_>,
        id: &str,
    ) -> Result<PutEventsRequestEntry, String> {
        let detail = Detail {
            version: 1,
            id,
            time: about.at.to_rfc3339(),
            user_id: about.user_id,
            user_key: about.user.to_string(),
            login: observed.login.map(|login| login.to_string()),
            network: observed.network.map(|network| data_encoding::BASE64URL_NOPAD.encode(&network.0)),
            of_type: OfType::new(event),
        };
        let detail = serde_json::to_string(&detail).map_err(|error| error.to_string())?;
        let entry = PutEventsRequestEntry::builder().source(SOURCE).detail_type(event.name()).detail(detail);
        Ok(entry.event_bus_name(&self.bus).build())
    }
}

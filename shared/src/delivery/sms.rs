use super::{NotSent, end_user_messaging::EndUserMessagingSender, sns::SnsSender};
use crate::{
    config::{AwsConfig, SmsConfig, SmsService},
    domain::Phone,
};

/// Sends text messages through the service that the operator chose.
pub struct SmsSender(Sender);

enum Sender {
    Sns(SnsSender),
    EndUserMessaging(EndUserMessagingSender),
}

impl SmsSender {
    /// Builds a sender. Opens no connection.
    #[must_use]
    pub fn new(aws: &AwsConfig, sms: &SmsConfig) -> Self {
        let max_price = sms.max_price.clone();
        Self(match sms.service.clone() {
            SmsService::Sns(config) => Sender::Sns(SnsSender::new(aws, config, max_price)),
            SmsService::EndUserMessaging(config) => {
                Sender::EndUserMessaging(EndUserMessagingSender::new(aws, config, max_price))
            }
        })
    }

    /// Sends `text`. A request that was written is repeated only if the service says that it throttled
    /// it: every message costs money.
    ///
    /// # Errors
    /// [`NotSent`].
    pub async fn send(&self, to: &Phone, text: String) -> Result<(), NotSent> {
        match &self.0 {
            Sender::Sns(sender) => sender.send(to, text).await,
            Sender::EndUserMessaging(sender) => sender.send(to, text).await,
        }
    }
}

use aws_sdk_sesv2::{
    Client,
    operation::send_email::SendEmailError,
    types::{Body, Content, Destination, EmailContent, Message, MessageHeader},
};

use super::{NotSent, code_of, deliver};
use crate::{
    aws,
    config::{AwsConfig, EmailConfig},
    domain::Email,
    messages::EmailText,
};

/// Sends e-mail through SES v2.
pub struct EmailSender {
    client: Client,
    config: EmailConfig,
}

impl EmailSender {
    /// Builds a sender. Opens no connection.
    #[must_use]
    pub fn new(aws: &AwsConfig, email: &EmailConfig) -> Self {
        let endpoint = aws.ses_endpoint.as_deref();
        let config = aws::configure!(aws_sdk_sesv2, aws, endpoint, aws::send_once());
        Self { client: Client::from_conf(config), config: email.clone() }
    }

    /// Sends `text`. A request that was written is repeated only if SES says that it throttled it:
    /// otherwise the person could get two e-mails.
    ///
    /// SES accepts mail to an address on its suppression list and drops it silently:
    /// [`Self::suppresses`] tells.
    ///
    /// # Errors
    /// [`NotSent`].
    pub async fn send(&self, to: &Email, text: EmailText) -> Result<(), NotSent> {
        let content = |data: String| {
            let content = Content::builder().data(data).charset("UTF-8").build();
            content.map_err(|error| NotSent::Refused(error.to_string()))
        };
        let body = Body::builder().text(content(text.text)?).html(content(text.html)?).build();
        // RFC 3834: no holiday notice answers it.
        let header = MessageHeader::builder().name("Auto-Submitted").value("auto-generated").build();
        let header = header.map_err(|error| NotSent::Refused(error.to_string()))?;
        let message = Message::builder().subject(content(text.subject)?).body(body).headers(header).build();
        let EmailConfig { from, reply_to, configuration_set } = &self.config;
        let call = self
            .client
            .send_email()
            .from_email_address(from)
            .set_reply_to_addresses(reply_to.clone().map(|address| vec![address]))
            .set_configuration_set_name(configuration_set.clone())
            .destination(Destination::builder().to_addresses(to.as_str()).build())
            .content(EmailContent::builder().simple(message).build());
        deliver(of_ses, || async { Ok(call.clone().send().await?.message_id) }).await
    }

    /// Whether SES drops mail to this address, because earlier mail came back or was called spam. It
    /// is asked once, and if it cannot say, it counts as no: SES takes one such question a second.
    pub async fn suppresses(&self, to: &Email) -> bool {
        self.client.get_suppressed_destination().email_address(to.as_str()).send().await.is_ok()
    }
}

fn of_ses(error: &SendEmailError) -> NotSent {
    sort(code_of(error), error.meta().message().unwrap_or_default())
}

/// What the errors of `SendEmail` (SES API v2) mean for this one address.
fn sort(code: &str, message: &str) -> NotSent {
    let cause = code.to_owned();
    match code {
        // The sender, or an account in the sandbox: every address would be refused.
        "MessageRejected" if message.contains("not verified") => NotSent::Refused(cause),
        "MessageRejected" | "BadRequestException" => NotSent::Rejected(cause),
        // AccountSuspended, SendingPaused, MailFromDomainNotVerified, NotFound, LimitExceeded, and errors of the future: they say nothing about this address.
        _ => NotSent::Refused(cause),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_that_may_not_send_says_nothing_of_the_address() {
        let unverified = "Email address is not verified. The following identities failed the check: a@b.example";
        assert!(matches!(sort("MessageRejected", unverified), NotSent::Refused(cause) if cause == "MessageRejected"));
        assert!(matches!(sort("MessageRejected", "Address blacklisted."), NotSent::Rejected(_)));
        assert!(matches!(sort("BadRequestException", "Missing final '@domain'"), NotSent::Rejected(_)));
        assert!(matches!(sort("SendingPausedException", ""), NotSent::Refused(_)));
    }
}

use lambda_http::http::HeaderMap;
use serde_json::Value;

/// An answer as a client sees it.
#[derive(Debug)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Value,
}

impl Response {
    /// Returns the body. Fails unless the status is 200.
    #[track_caller]
    pub fn assert_ok(self) -> Value {
        assert_eq!(self.status, 200, "{}", self.body);
        self.body
    }

    /// Fails unless the answer is this problem, in the documented form.
    #[track_caller]
    pub fn assert_problem(self, status: u16, code: &str) -> Self {
        assert_eq!((self.status, self.code()), (status, Some(code)), "{}", self.body);
        assert_eq!(self.body["statusCode"], status);
        assert!(self.body["error"].is_string() && self.body["message"].is_string(), "{}", self.body);
        let promised = status == 429 || status == 503;
        let judged = matches!(code, "MFA_CODE_INVALID" | "VERIFICATION_CODE_INVALID");
        let was_used = self.text("message").starts_with("This code was used");
        assert_eq!(self.body["attemptsLeft"].is_u64(), judged && !was_used, "{}", self.body);
        let fields = 4 + usize::from(promised) + usize::from(judged && !was_used);
        assert_eq!(self.body.as_object().map(serde_json::Map::len), Some(fields), "{}", self.body);
        assert_eq!(self.body["retryAfter"].as_u64(), self.retry_after(), "{}", self.body);
        assert_eq!(self.headers.contains_key("retry-after"), promised, "Retry-After with {status}");
        assert_eq!(self.headers.contains_key("www-authenticate"), status == 401, "WWW-Authenticate with {status}");
        self
    }

    /// The error code, if it is an error.
    pub fn code(&self) -> Option<&str> {
        self.body["code"].as_str().filter(|_| self.status != 200)
    }

    /// The value of `Retry-After`, in seconds.
    pub fn retry_after(&self) -> Option<u64> {
        self.header("retry-after")?.parse().ok()
    }

    /// A header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// A string field of the body.
    #[track_caller]
    pub fn text(&self, name: &str) -> String {
        self.body[name].as_str().unwrap_or_else(|| panic!("no string {name} in {}", self.body)).to_owned()
    }
}

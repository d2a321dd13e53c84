use serde_json::{Map, Value};

use super::Problem;
use crate::domain::{
    Channel, DeviceName, Method, Policy,
    code::Otp,
    pasted::{self, MAX_PASTED},
    plain_name,
    recovery::RecoveryCode,
};

/// Reads a typed body from the JSON object of a request.
///
/// Written by hand rather than derived, so that every fault names its field and no value is
/// converted.
pub trait ReadBody: Sized {
    /// Reads the body. The number of digits of a code depends on the policy.
    ///
    /// # Errors
    /// [`Problem::MissingField`] or [`Problem::InvalidInput`], which names the field.
    fn read(fields: &Fields, policy: &Policy) -> Result<Self, Problem>;
}

/// For endpoints that read nothing from the body.
#[derive(Debug)]
pub struct NoBody;

impl ReadBody for NoBody {
    fn read(_: &Fields, _: &Policy) -> Result<Self, Problem> {
        Ok(Self)
    }
}

/// The fields of a JSON object. Unknown ones are ignored. Holds secrets: it cannot be printed.
#[derive(Default)]
pub struct Fields(Map<String, Value>);

impl Fields {
    /// Parses a body. An empty one has no fields.
    ///
    /// # Errors
    /// [`Problem::InvalidInput`] if it is not JSON (RFC 8259) or not an object.
    pub fn parse(body: &[u8]) -> Result<Self, Problem> {
        if body.trim_ascii().is_empty() {
            return Ok(Self::default());
        }
        match serde_json::from_slice(body) {
            Ok(Value::Object(fields)) => Ok(Self(fields)),
            Ok(_) => Err(Problem::invalid("The body must be a JSON object")),
            Err(error) => Err(Problem::invalid(format!(
                "The body is not valid JSON (line {}, column {})",
                error.line(),
                error.column()
            ))),
        }
    }

    /// A string of at most `max` characters without control characters. `None` if it is absent,
    /// null or blank.
    ///
    /// # Errors
    /// [`Problem::InvalidInput`] if it is not a string, is too long, or holds a control character.
    pub fn optional_text(&self, name: &'static str, max: usize) -> Result<Option<&str>, Problem> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if text.chars().count() > max => {
                Err(Problem::invalid(format!("{name} must be at most {max} characters")))
            }
            Some(Value::String(text)) if text.trim().is_empty() => Ok(None),
            Some(Value::String(text)) if text.chars().any(char::is_control) => {
                Err(Problem::invalid(format!("{name} must not hold control characters")))
            }
            Some(Value::String(text)) => Ok(Some(text.trim())),
            Some(_) => Err(Problem::invalid(format!("{name} must be a string"))),
        }
    }

    /// A field as [`Self::optional_text`] reads it, which must be present.
    ///
    /// # Errors
    /// [`Problem::InvalidInput`] or [`Problem::MissingField`].
    pub fn text(&self, name: &'static str, max: usize) -> Result<&str, Problem> {
        self.optional_text(name, max)?.ok_or(Problem::MissingField(name))
    }

    /// A name that a person gives, as [`plain_name`] reads it. `None` if nothing is left of it.
    ///
    /// # Errors
    /// [`Problem::InvalidInput`].
    pub fn optional_name(&self, field: &'static str) -> Result<Option<String>, Problem> {
        Ok(self.optional_text(field, DeviceName::LONGEST)?.and_then(plain_name))
    }

    /// The name of an authenticator. `None` if nothing is left of it.
    ///
    /// # Errors
    /// [`Problem::InvalidInput`].
    pub fn optional_device_name(&self, field: &'static str) -> Result<Option<DeviceName>, Problem> {
        Ok(self.optional_text(field, DeviceName::LONGEST)?.and_then(DeviceName::parse))
    }

    /// The name of an authenticator, which must be present.
    ///
    /// # Errors
    /// [`Problem::InvalidInput`] or [`Problem::MissingField`].
    pub fn device_name(&self, field: &'static str) -> Result<DeviceName, Problem> {
        self.optional_device_name(field)?.ok_or(Problem::MissingField(field))
    }

    /// A text that people type or paste, of at most 512 bytes, with whatever stands between its
    /// characters.
    ///
    /// # Errors
    /// [`Problem::InvalidInput`] or [`Problem::MissingField`].
    pub fn pasted(&self, name: &'static str) -> Result<&str, Problem> {
        match self.0.get(name) {
            None | Some(Value::Null) => Err(Problem::MissingField(name)),
            Some(Value::String(text)) if text.len() > MAX_PASTED => {
                Err(Problem::invalid(format!("{name} must be at most {MAX_PASTED} bytes")))
            }
            Some(Value::String(text)) if pasted::is_blank(text) => Err(Problem::MissingField(name)),
            Some(Value::String(text)) => Ok(text),
            Some(_) => Err(Problem::invalid(format!("{name} must be a string"))),
        }
    }

    /// A boolean. `None` if it is absent or null. `"true"` and `1` are not booleans.
    ///
    /// # Errors
    /// [`Problem::InvalidInput`].
    pub fn optional_bool(&self, name: &'static str) -> Result<Option<bool>, Problem> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Bool(value)) => Ok(Some(*value)),
            // A blank string counts as absent, as in every other field.
            Some(Value::String(text)) if text.trim().is_empty() => Ok(None),
            Some(_) => Err(Problem::invalid(format!("{name} must be true or false"))),
        }
    }

    /// A field as [`Self::optional_bool`] reads it, which must be present.
    ///
    /// # Errors
    /// [`Problem::InvalidInput`] or [`Problem::MissingField`].
    pub fn bool(&self, name: &'static str) -> Result<bool, Problem> {
        self.optional_bool(name)?.ok_or(Problem::MissingField(name))
    }

    /// The field `method`, of a method that has codes. Passkeys have routes of their own: the one in
    /// place of this is `for_passkeys`.
    ///
    /// # Errors
    /// [`Problem::MissingField`], or [`Problem::InvalidInput`] for an unknown method.
    pub fn method(&self, for_passkeys: &str) -> Result<Method, Problem> {
        match Method::parse(self.text("method", 16)?) {
            None => Err(Problem::invalid(format!("method must be one of {}", method_names()))),
            Some(method) if method.channel() == Channel::Browser => {
                Err(Problem::invalid(format!("method {} has a route of its own: {for_passkeys}", method.as_str())))
            }
            Some(method) => Ok(method),
        }
    }

    /// A field of any kind, which must be present.
    ///
    /// # Errors
    /// [`Problem::MissingField`].
    pub fn json(&self, name: &'static str) -> Result<&Value, Problem> {
        self.0.get(name).filter(|value| !value.is_null()).ok_or(Problem::MissingField(name))
    }

    /// The recovery code in the field `code`. `None` if the text does not have the form of one.
    ///
    /// # Errors
    /// [`Problem::MissingField`] or [`Problem::InvalidInput`].
    pub fn recovery_code(&self) -> Result<Option<RecoveryCode>, Problem> {
        Ok(RecoveryCode::parse(self.pasted("code")?))
    }

    /// Whether to trust the device from now on: the field `trustDevice`, or its synonym
    /// `rememberDevice`.
    ///
    /// # Errors
    /// [`Problem::InvalidInput`].
    pub fn trust_device(&self) -> Result<bool, Problem> {
        let (trust, remember) = (self.optional_bool("trustDevice")?, self.optional_bool("rememberDevice")?);
        Ok(trust.or(remember).unwrap_or(false))
    }

    /// A code in the field `otp`, with as many digits as one of `lengths`.
    ///
    /// # Errors
    /// [`Problem::MissingField`] or [`Problem::InvalidInput`].
    pub fn otp(&self, lengths: &[u8]) -> Result<Otp, Problem> {
        let text = self.pasted("otp")?;
        let otp = lengths.iter().find_map(|length| Otp::parse(text, *length));
        otp.ok_or_else(|| {
            let lengths: Vec<_> = lengths.iter().map(ToString::to_string).collect();
            Problem::invalid(format!("otp must be {} digits", lengths.join(" or ")))
        })
    }
}

fn method_names() -> String {
    let with_codes = Method::ALL.iter().filter(|method| method.channel() != Channel::Browser);
    let names: Vec<_> = with_codes.map(|method| method.as_str()).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(json: &str) -> Fields {
        Fields::parse(json.as_bytes()).expect("a JSON object")
    }

    #[test]
    fn an_empty_body_is_an_object_without_fields() {
        assert!(matches!(fields("").text("otp", 9), Err(Problem::MissingField("otp"))));
        assert!(matches!(fields(" \n").optional_text("otp", 9), Ok(None)));
    }

    #[test]
    fn what_is_no_json_object_is_refused() {
        let deep = "[".repeat(100_000);
        for bad in ["{", "[]", "null", "1", "\"x\"", "{\"a\":1e999}", "{\"a\":\"\\ud800\"}", "{}x", deep.as_str()] {
            assert!(matches!(Fields::parse(bad.as_bytes()), Err(Problem::InvalidInput(_))), "{bad:.20}");
        }
        assert!(matches!(Fields::parse(b"{\"a\":\"\xff\"}"), Err(Problem::InvalidInput(_))));
    }

    #[test]
    fn a_field_that_is_absent_null_or_blank_is_missing() {
        for json in ["{}", r#"{"otp":null}"#, r#"{"otp":""}"#, r#"{"otp":"  "}"#] {
            assert!(matches!(fields(json).text("otp", 9), Err(Problem::MissingField("otp"))), "{json}");
        }
        for json in ["{}", r#"{"enabled":null}"#, r#"{"enabled":""}"#] {
            assert!(matches!(fields(json).bool("enabled"), Err(Problem::MissingField("enabled"))), "{json}");
        }
    }

    #[test]
    fn nothing_is_coerced() {
        for json in [r#"{"otp":123456}"#, r#"{"otp":["1"]}"#, r#"{"otp":{}}"#, r#"{"otp":true}"#] {
            assert!(matches!(fields(json).text("otp", 9), Err(Problem::InvalidInput(_))), "{json}");
        }
        for json in [r#"{"enabled":"true"}"#, r#"{"enabled":1}"#, r#"{"enabled":[]}"#] {
            assert!(matches!(fields(json).bool("enabled"), Err(Problem::InvalidInput(_))), "{json}");
        }
    }

    #[test]
    fn a_string_that_is_too_long_or_holds_control_characters_is_refused() {
        assert!(fields(r#"{"label":"äöü"}"#).text("label", 3).is_ok(), "characters are counted, not bytes");
        assert!(matches!(fields(r#"{"label":"äöüß"}"#).text("label", 3), Err(Problem::InvalidInput(_))));
        assert!(matches!(fields(r#"{"label":"a\u0000"}"#).text("label", 9), Err(Problem::InvalidInput(_))));
    }
}

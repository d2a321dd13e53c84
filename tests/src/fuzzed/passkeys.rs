//! What a browser sends of a passkey: JSON, with CBOR and authenticator data inside.

use std::sync::LazyLock;

use data_encoding::BASE64URL_NOPAD;
use mfa::{
    config::PasskeyConfig,
    domain::{PasskeyId, UserId, passkey::CredentialRecord},
};
use mfa_passkeys::Ceremonies;
use serde_json::{Value, json};

static CEREMONIES: LazyLock<Ceremonies> = LazyLock::new(|| {
    let (rp_id, origins) = ("example.com".to_owned(), vec!["https://example.com".to_owned()]);
    // The laxer flow, so that more of an input is read.
    Ceremonies::new(Some(&PasskeyConfig { rp_id, origins, security_keys: true }), "Example")
});

/// Answers of browsers: an input as the whole answer, as the attestation object of a registration, and as
/// the authenticator data and the signature of a use. What is registered can be asked, and nobody forges
/// a use.
pub fn passkeys(data: &[u8]) {
    let setup = CEREMONIES.set_up(UserId([1; 16]), "alice", &[]).expect("a ceremony");
    if let Ok(answer) = serde_json::from_slice::<Value>(data) {
        assert!(CEREMONIES.registered(&setup.state, &answer).is_err());
        assert!(CEREMONIES.answered(&setup.state, &[], &answer).is_err());
    }
    let object = json!({
        "attestationObject": BASE64URL_NOPAD.encode(data),
        "clientDataJSON": client_data("webauthn.create", &setup.public_key),
    });
    let Ok(registered) = CEREMONIES.registered(&setup.state, &answer_of(b"AQID", &object)) else { return };
    let id = PasskeyId::new([1; 4], [2; 4]);
    let record = CredentialRecord { id, credential: registered.credential };
    let asked = CEREMONIES.ask(&[&record]).expect("what was registered can be asked");
    for signature in [data, &[]] {
        let response = json!({
            "authenticatorData": BASE64URL_NOPAD.encode(data),
            "clientDataJSON": client_data("webauthn.get", &asked.public_key),
            "signature": BASE64URL_NOPAD.encode(signature),
            "userHandle": null,
        });
        let answer = answer_of(&registered.answer.credential_id, &response);
        assert!(CEREMONIES.answered(&asked.state, &[&record], &answer).is_err(), "a forged use");
    }
}

fn client_data(kind: &str, public_key: &Value) -> String {
    let data = json!({ "type": kind, "challenge": public_key["challenge"], "origin": "https://example.com" });
    BASE64URL_NOPAD.encode(data.to_string().as_bytes())
}

fn answer_of(id: &[u8], response: &Value) -> Value {
    let id = BASE64URL_NOPAD.encode(id);
    json!({ "id": id, "rawId": id, "type": "public-key", "response": response })
}

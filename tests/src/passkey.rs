//! A software authenticator with the browser in front of it (`WebAuthn` Level 3), which tests can make
//! do what no browser does.

use aws_lc_rs::{
    digest::{SHA256, digest},
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair},
};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};

/// A key and the page that it is used on.
pub struct SoftKey {
    /// The credential id of the next registration, and of every answer after it.
    pub id: Vec<u8>,
    /// The origin of the page.
    pub origin: String,
    /// The relying party that the key signs for. If it is `None`, the one that it is asked for.
    pub rp_id: Option<String>,
    /// The signature counter of the next answer. 0 stays 0: such a key does not count.
    pub counter: u32,
    /// Whether it asks for a PIN or a fingerprint.
    pub verifies: bool,
    /// Whether it may be copied, and is.
    pub synced: bool,
    /// The COSE algorithm that it says it has.
    pub algorithm: i8,
    /// The type that the browser puts into the client data in place of the right one.
    pub client_type: Option<&'static str>,
    pair: EcdsaKeyPair,
}

const PRESENT: u8 = 0x01;
const VERIFIED: u8 = 0x04;
const ELIGIBLE: u8 = 0x08;
const BACKED_UP: u8 = 0x10;
const ATTESTED: u8 = 0x40;

impl SoftKey {
    /// A security key with a PIN on a page of `origin`. Its credential id is random.
    ///
    /// # Panics
    /// Without randomness.
    #[must_use]
    pub fn at(origin: &str) -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).expect("a key");
        Self {
            id: mfa::random::bytes::<32>().expect("randomness").to_vec(),
            origin: origin.to_owned(),
            rp_id: None,
            counter: 1,
            verifies: true,
            synced: false,
            algorithm: -7,
            client_type: None,
            pair,
        }
    }

    /// What `navigator.credentials.create()` gives for these options, as JSON.
    pub fn create(&mut self, public_key: &Value) -> Value {
        let rp_id = text(&public_key["rp"]["id"]);
        let mut data = self.authenticator_data(&rp_id, ATTESTED);
        data.extend([0; 16]);
        data.extend(u16::try_from(self.id.len()).expect("a short id").to_be_bytes());
        data.extend(&self.id);
        data.extend(self.cose_key());
        // {"fmt": "none", "attStmt": {}, "authData": …}
        let mut attestation = vec![0xA3, 0x63];
        attestation.extend(b"fmt\x64none\x67attStmt\xA0\x68authData\x59");
        attestation.extend(u16::try_from(data.len()).expect("short data").to_be_bytes());
        attestation.extend(data);
        let client_data = self.client_data("webauthn.create", &public_key["challenge"]);
        self.credential(&json!({
            "attestationObject": BASE64URL_NOPAD.encode(&attestation),
            "clientDataJSON": BASE64URL_NOPAD.encode(&client_data),
            "transports": ["usb"],
        }))
    }

    /// What `navigator.credentials.get()` gives for these options, as JSON.
    pub fn get(&mut self, public_key: &Value) -> Value {
        let data = self.authenticator_data(&text(&public_key["rpId"]), 0);
        let client_data = self.client_data("webauthn.get", &public_key["challenge"]);
        let signed = [&data[..], digest(&SHA256, &client_data).as_ref()].concat();
        let signature = self.pair.sign(&SystemRandom::new(), &signed).expect("a signature");
        self.credential(&json!({
            "authenticatorData": BASE64URL_NOPAD.encode(&data),
            "clientDataJSON": BASE64URL_NOPAD.encode(&client_data),
            "signature": BASE64URL_NOPAD.encode(signature.as_ref()),
            "userHandle": null,
        }))
    }

    fn credential(&self, response: &Value) -> Value {
        let id = BASE64URL_NOPAD.encode(&self.id);
        json!({ "id": id, "rawId": id, "type": "public-key", "response": response, "clientExtensionResults": {} })
    }

    fn client_data(&self, right_type: &str, challenge: &Value) -> Vec<u8> {
        let kind = self.client_type.unwrap_or(right_type);
        let data = json!({ "type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": false });
        data.to_string().into_bytes()
    }

    fn authenticator_data(&mut self, asked: &str, more: u8) -> Vec<u8> {
        let rp_id = self.rp_id.as_deref().unwrap_or(asked);
        let verified = if self.verifies { VERIFIED } else { 0 };
        let copies = if self.synced { ELIGIBLE | BACKED_UP } else { 0 };
        let mut data = digest(&SHA256, rp_id.as_bytes()).as_ref().to_vec();
        data.push(PRESENT | verified | copies | more);
        data.extend(self.counter.to_be_bytes());
        if self.counter > 0 {
            self.counter += 1;
        }
        data
    }

    /// {1: 2, 3: algorithm, -1: 1, -2: x, -3: y}
    fn cose_key(&self) -> Vec<u8> {
        // 4, then x and y.
        let (x, y) = self.pair.public_key().as_ref()[1..].split_at(32);
        let algorithm = u8::try_from(-1 - i16::from(self.algorithm)).expect("a negative number");
        let algorithm = if algorithm < 24 { vec![0x20 | algorithm] } else { vec![0x38, algorithm] };
        let before = [&[0xA5, 0x01, 0x02, 0x03][..], &algorithm, &[0x20, 0x01, 0x21, 0x58, 0x20]].concat();
        [&before, x, &[0x22, 0x58, 0x20], y].concat()
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

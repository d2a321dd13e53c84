//! What must hold of every parser of outside input, for any input.
//!
//! There is one function for each parser. The fuzz targets (`fuzz/`) hand it made-up inputs.
//! `it/corpus.rs` hands it the inputs that were kept: `fuzz/corpus/` has a folder for each name of
//! [`TARGETS`].

mod host;
mod passkeys;
mod requests;
mod settings;
mod texts;
mod tokens;

pub use passkeys::passkeys;
pub use requests::{authorizer_events, bodies, events, headers, requests};
pub use settings::{countries, key_sets, route_requirements, settings};
pub use texts::{codes, email_addresses, ids, phone_numbers, recovery_codes, refresh_tokens, trust_tokens};
pub use tokens::{claims, tokens};

/// A property of a parser. It panics if it does not hold for an input.
pub type Property = fn(&[u8]);

/// Every property, by the name of its fuzz target.
pub const TARGETS: [(&str, Property); 19] = [
    ("authorizer_events", authorizer_events),
    ("bodies", bodies),
    ("claims", claims),
    ("codes", codes),
    ("countries", countries),
    ("email_addresses", email_addresses),
    ("events", events),
    ("headers", headers),
    ("ids", ids),
    ("key_sets", key_sets),
    ("passkeys", passkeys),
    ("phone_numbers", phone_numbers),
    ("recovery_codes", recovery_codes),
    ("refresh_tokens", refresh_tokens),
    ("requests", requests),
    ("route_requirements", route_requirements),
    ("settings", settings),
    ("tokens", tokens),
    ("trust_tokens", trust_tokens),
];

/// The input as text. Input that is not UTF-8 cannot reach a parser of text.
fn text(data: &[u8]) -> Option<&str> {
    std::str::from_utf8(data).ok()
}

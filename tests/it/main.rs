//! Integration tests: the production code through the same pipeline as Lambda, against a real
//! engine.
#![expect(clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests fail by panicking")]

mod authorizer;
mod budgets;
mod challenge;
mod contract;
mod corpus;
mod dependencies;
mod errors;
mod events;
mod fault_table;
mod faults;
mod gate;
mod generate_recovery_code;
mod jwks;
mod key_sets;
mod list_devices;
mod list_trusted_devices;
mod model;
mod races;
mod refresh_token;
mod remove_device;
mod reset_totp;
mod revoke_trusted_device;
mod secrecy;
mod setup_totp;
mod status;
mod toggle;
mod tokens;
mod unreadable;
mod verify;
mod verify_recovery_code;
mod verify_totp_setup;
mod verify_trusted_device;
mod year;

//! Integration tests: the production code through the same pipeline as Lambda, against a real engine.
#![expect(clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

mod budgets;
mod challenge;
mod contract;
mod errors;
mod events;
mod faults;
mod gate;
mod generate_recovery_code;
mod list_devices;
mod races;
mod remove_device;
mod reset_totp;
mod secrecy;
mod setup_totp;
mod status;
mod toggle;
mod tokens;
mod verify;
mod verify_recovery_code;
mod verify_totp_setup;

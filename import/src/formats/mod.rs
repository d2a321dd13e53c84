//! One file for each format.

pub(crate) mod authelia;
pub(crate) mod csv;
pub(crate) mod django;
pub(crate) mod json_lines;
pub(crate) mod keycloak;
pub(crate) mod kratos;
pub(crate) mod otpauth_lines;

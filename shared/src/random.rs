//! The one place that draws random values. They always come from the operating system's generator.

use uuid::Uuid;

/// The operating system gave no random bytes. Nothing secret may be made without them.
pub type NoRandomness = getrandom::Error;

/// `N` random bytes.
///
/// # Errors
/// [`NoRandomness`] if the operating system gives none.
#[expect(clippy::disallowed_methods, reason = "the one reader of the random generator")]
pub fn bytes<const N: usize>() -> Result<[u8; N], NoRandomness> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}

/// A random number.
///
/// # Errors
/// As [`bytes`].
pub fn number() -> Result<u64, NoRandomness> {
    bytes().map(u64::from_be_bytes)
}

/// A random (version 4) UUID.
///
/// # Errors
/// As [`bytes`].
pub fn uuid() -> Result<Uuid, NoRandomness> {
    Ok(uuid::Builder::from_random_bytes(bytes()?).into_uuid())
}

//! `USER#<user>` / `CODE#<login>`: the outstanding code of one login. It counts only while the
//! ledger names it.

use super::{
    StoreError, Table, item,
    table::{PrimaryKey, number},
};
use crate::domain::{CodeRecord, LoginId, Policy, UserId};

impl Table {
    /// Writes the item of a code that the ledger reserved, but only over an older one. Says whether
    /// it did: a newer code may have been reserved in the meantime.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn put_code(&self, user: UserId, login: LoginId, record: &CodeRecord) -> Result<bool, StoreError> {
        let item = item::write(record, Some(record.until.plus(Policy::CODE_KEPT_AFTER_EXPIRY)))?;
        let put = self
            .put_item(key(user, login), item)
            .condition_expression("attribute_not_exists(pk) OR announced <= :announced")
            .expression_attribute_values(":announced", number(record.reserved_at.as_millis()));
        match put.send().await {
            Ok(_) => Ok(true),
            Err(error) if StoreError::is_failed_condition(&error) => Ok(false),
            Err(error) => Err(StoreError::of("PutItem code", &error)),
        }
    }

    pub(super) async fn get_code(
        &self,
        user: UserId,
        login: LoginId,
        strong: bool,
    ) -> Result<Option<CodeRecord>, StoreError> {
        let item = self.get_item("GetItem code", key(user, login), strong).await?;
        let record = item.map(|item| item::read(item, None)).transpose();
        record.map_err(|cause| StoreError::Broken(format!("item CODE of login {login}: {cause}")))
    }
}

fn key(user: UserId, login: LoginId) -> PrimaryKey {
    PrimaryKey::of_user(user, format!("CODE#{login}"))
}

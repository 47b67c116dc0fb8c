//! Who may come in: tenants by key and secret, operators by name and password.

use crate::Edge;
use billing::{Permissions, Tenant};
use operations::credentials::{self, Remembered};
use std::sync::Mutex;
use storage::{Outcome, StoreError};
use uuid::Uuid;

/// A user of the server (Kill Bill's users): he belongs to no tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operator {
    /// His id.
    pub id: Uuid,
    /// His name.
    pub username: String,
    /// What his roles permit.
    pub permissions: Permissions,
}

/// Credentials that were right a moment ago.
#[derive(Default)]
pub struct Gate {
    tenants: Remembered<Tenant>,
    operators: Remembered<Operator>,
    /// One slow hash at a time: a burst of first requests proves a credential once, and memory stays small.
    hashing: Mutex<()>,
}

impl Gate {
    /// Forgets all that was proven, after a password, role or tenant has changed.
    pub fn forget_all(&self) {
        self.tenants.forget_all();
        self.operators.forget_all();
    }
}

impl Edge {
    /// The tenant with this key, if the secret is its own. In test mode its clock is read anew each time, because
    /// another node or the command line may have moved it.
    pub async fn tenant(&self, api_key: &str, api_secret: &str) -> Outcome<Option<Tenant>> {
        let digest = self.gate.tenants.digest(&[api_key.as_bytes(), api_secret.as_bytes()]);
        if let Some(mut tenant) = self.gate.tenants.recall(&digest) {
            if self.settings.test_mode {
                let tenant_id = tenant.tenant_id;
                tenant.clock_offset = self
                    .store
                    .read_point(move |tx| Ok(storage::tenants::clock_offset(tx, tenant_id)?))
                    .await?;
            }
            return Ok(Some(tenant));
        }
        let key = api_key.to_owned();
        let found = self.store.read_point(move |tx| Ok(storage::tenants::by_api_key(tx, &key)?)).await?;
        let Some((tenant, hash)) = found else { return Ok(None) };
        if self.gate.tenants.recall(&digest).is_none() && !self.verify(api_secret, hash).await? {
            return Ok(None);
        }
        self.gate.tenants.remember(digest, tenant.clone());
        Ok(Some(tenant))
    }

    /// The operator with this name, if the password is his.
    pub async fn operator(&self, username: &str, password: &str) -> Outcome<Option<Operator>> {
        let digest = self.gate.operators.digest(&[username.as_bytes(), password.as_bytes()]);
        if let Some(operator) = self.gate.operators.recall(&digest) {
            return Ok(Some(operator));
        }
        let name = username.to_owned();
        let found = self
            .store
            .read_point(move |tx| {
                let Some(user) = storage::users::by_username(tx, billing::TenantId::SERVER, &name)? else {
                    return Ok(None);
                };
                let permissions = storage::users::permissions(tx, user.id)?;
                Ok(Some((user, permissions)))
            })
            .await?;
        let Some((user, permissions)) = found else { return Ok(None) };
        let Some(hash) = user.password_hash else { return Ok(None) };
        if !self.verify(password, hash).await? {
            return Ok(None);
        }
        let operator =
            Operator { id: user.id, username: user.username, permissions: Permissions::new(permissions) };
        self.gate.operators.remember(digest, operator.clone());
        Ok(Some(operator))
    }

    async fn verify(&self, secret: &str, hash: String) -> Outcome<bool> {
        let secret = secret.to_owned();
        let verified = tokio::task::block_in_place(|| {
            let _one_at_a_time = self.gate.hashing.lock();
            credentials::verify(&secret, &hash)
        });
        Ok::<bool, StoreError>(verified).map_err(Into::into)
    }
}

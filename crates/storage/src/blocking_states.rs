//! Blocking states of accounts, bundles and subscriptions.

use crate::{Connection, Param, Row, StoreError};
use billing::TenantId;
use billing::blocking::{BlockedType, BlockingState};
use jiff::Timestamp;
use uuid::Uuid;

pub(crate) const COLUMNS: &str =
    "record_id, id, account_id, blocked_id, blocked_type, service, state_name, is_block_change,
    is_block_entitlement, is_block_billing, effective_at, is_active";

/// A state with the order in which it was set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredBlockingState {
    /// The order in which states were set.
    pub record_id: i64,
    /// The state.
    pub state: BlockingState,
}

pub(crate) fn read(mut row: Row) -> Result<StoredBlockingState, StoreError> {
    Ok(StoredBlockingState {
        record_id: row.next()?,
        state: BlockingState {
            id: row.next()?,
            account_id: row.next()?,
            blocked_id: row.next()?,
            blocked_type: blocked_type(row.next()?)?,
            service: row.next()?,
            state_name: row.next()?,
            is_block_change: row.next()?,
            is_block_entitlement: row.next()?,
            is_block_billing: row.next()?,
            effective_at: row.next()?,
            is_active: row.next()?,
        },
    })
}

fn blocked_type(name: String) -> Result<BlockedType, StoreError> {
    name.parse().map_err(|()| StoreError::Corrupt(name))
}

/// Inserts a state and returns its record id. The account is locked.
pub fn insert(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    state: &BlockingState,
    now: Timestamp,
) -> Result<i64, StoreError> {
    tx.query_one(
        "INSERT INTO blocking_states (tenant_id, account_id, id, blocked_id, blocked_type, state_name, service,
             is_block_change, is_block_entitlement, is_block_billing, effective_at, is_active, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $13) RETURNING record_id",
        &[
            tenant_id.0.into(),
            state.account_id.into(),
            state.id.into(),
            state.blocked_id.into(),
            state.blocked_type.name().into(),
            (&state.state_name).into(),
            (&state.service).into(),
            state.is_block_change.into(),
            state.is_block_entitlement.into(),
            state.is_block_billing.into(),
            state.effective_at.into(),
            state.is_active.into(),
            now.into(),
        ],
    )?
    .next()
}

/// Marks a state as one that another has replaced.
pub fn deactivate(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    id: Uuid,
    now: Timestamp,
) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE blocking_states SET is_active = $3, updated_at = $4 WHERE tenant_id = $1 AND id = $2",
        &[tenant_id.0.into(), id.into(), false.into(), now.into()],
    )?;
    Ok(())
}

/// All active states of an account and of what belongs to it, past and future, by instant, then in the order in which
/// they were set.
pub fn of_account(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    account_id: Uuid,
) -> Result<Vec<StoredBlockingState>, StoreError> {
    select(tx, "account_id = $3", &[tenant_id.0.into(), true.into(), account_id.into()])
}

/// The active states of one thing of an account, in the same order.
pub fn of_blocked(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    account_id: Uuid,
    blocked_id: Uuid,
) -> Result<Vec<StoredBlockingState>, StoreError> {
    let params = [tenant_id.0.into(), true.into(), account_id.into(), blocked_id.into()];
    select(tx, "account_id = $3 AND blocked_id = $4", &params)
}

/// What one service says about one thing of an account, in the same order.
pub fn stream(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    account_id: Uuid,
    blocked_id: Uuid,
    service: &str,
) -> Result<Vec<StoredBlockingState>, StoreError> {
    let params = [tenant_id.0.into(), true.into(), account_id.into(), blocked_id.into(), service.into()];
    select(tx, "account_id = $3 AND blocked_id = $4 AND service = $5", &params)
}

fn select(
    tx: &mut dyn Connection,
    condition: &str,
    params: &[Param<'_>],
) -> Result<Vec<StoredBlockingState>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM blocking_states WHERE tenant_id = $1 AND is_active = $2 AND {condition}
         ORDER BY effective_at, record_id"
    );
    tx.query(&sql, params)?.into_iter().map(read).collect()
}

/// The state with this id, also when another has replaced it.
pub fn by_id(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    id: Uuid,
) -> Result<Option<StoredBlockingState>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM blocking_states WHERE tenant_id = $1 AND id = $2");
    tx.query_optional(&sql, &[tenant_id.0.into(), id.into()])?.map(read).transpose()
}

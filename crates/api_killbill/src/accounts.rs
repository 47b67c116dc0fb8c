//! Accounts: create, retrieve, update, close. What hangs on an account has files of its own.

use crate::audit::{AuditLevel, AuditLogJson, AuditLogs, read_with_audit};
use crate::error::ERRORS;
use crate::json::{Body, instant, money};
use crate::location::{Base, id};
use crate::query::{Answer, Query};
use crate::session::{Reading, Writing};
use axum::extract::{Path, State};
use axum::routing::{delete, get, post, put};
use billing::account::{Account, AccountChange, AccountDetails, NewAccount};
use billing::text::{check_line, check_text};
use billing::{ObjectType, Refusal, TenantId};
use edge::{Reply, Route, SharedEdge, route};
use http::StatusCode;
use operations::accounts::close::{Closing, close};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use storage::accounts::StoredAccount;
use storage::{Connection, Outcome};
use uuid::Uuid;

pub(crate) fn routes() -> Vec<Route> {
    vec![
        route("POST", "/1.0/kb/accounts", post(create_account)),
        route("GET", "/1.0/kb/accounts", get(get_account_by_key)),
        route("GET", "/1.0/kb/accounts/{accountId}", get(get_account)),
        route("PUT", "/1.0/kb/accounts/{accountId}", put(update_account)),
        route("DELETE", "/1.0/kb/accounts/{accountId}", delete(close_account)),
    ]
}

/// Kill Bill's `Account` as it is written.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AccountJson {
    account_id: Uuid,
    name: Option<String>,
    first_name_length: Option<i32>,
    external_key: String,
    email: Option<String>,
    bill_cycle_day_local: i32,
    currency: Option<&'static str>,
    parent_account_id: Option<Uuid>,
    is_payment_delegated_to_parent: bool,
    payment_method_id: Option<Uuid>,
    reference_time: String,
    time_zone: String,
    address1: Option<String>,
    address2: Option<String>,
    postal_code: Option<String>,
    company: Option<String>,
    city: Option<String>,
    state: Option<String>,
    country: Option<String>,
    locale: Option<String>,
    phone: Option<String>,
    notes: Option<String>,
    is_migrated: Option<bool>,
    account_balance: Option<Box<RawValue>>,
    #[serde(rename = "accountCBA")]
    account_cba: Option<Box<RawValue>>,
    audit_logs: Vec<AuditLogJson>,
}

/// What a request wants to see of each account.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AccountView {
    with_balance: bool,
    with_credit: bool,
    audit: AuditLevel,
}

impl AccountView {
    /// Only the account itself, as in a timeline.
    pub(crate) fn plain(audit: AuditLevel) -> AccountView {
        AccountView { with_balance: false, with_credit: false, audit }
    }

    /// From `accountWithBalance`, `accountWithBalanceAndCBA` and `audit`.
    pub(crate) fn from_query(query: &Query) -> Result<AccountView, Reply> {
        let with_credit = query.flag("accountWithBalanceAndCBA");
        let with_balance = with_credit || query.flag("accountWithBalance");
        Ok(AccountView { with_balance, with_credit, audit: query.audit()? })
    }

    /// The account as this request wants to see it.
    pub(crate) fn render(
        self,
        tx: &mut dyn Connection,
        tenant_id: TenantId,
        stored: StoredAccount,
    ) -> Outcome<AccountJson> {
        let id = stored.account.id;
        let mut logs = AuditLogs::of(tx, tenant_id, self.audit, ObjectType::Account, &[id])?;
        Ok(self.json(stored, logs.take(id)))
    }

    /// A list of accounts as this request wants to see them.
    pub(crate) fn render_all(
        self,
        tx: &mut dyn Connection,
        tenant_id: TenantId,
        accounts: Vec<StoredAccount>,
    ) -> Outcome<Vec<AccountJson>> {
        let ids: Vec<Uuid> = accounts.iter().map(|stored| stored.account.id).collect();
        let mut logs = AuditLogs::of(tx, tenant_id, self.audit, ObjectType::Account, &ids)?;
        let json = |stored: StoredAccount| {
            let audit_logs = logs.take(stored.account.id);
            self.json(stored, audit_logs)
        };
        Ok(accounts.into_iter().map(json).collect())
    }

    fn json(self, stored: StoredAccount, audit_logs: Vec<AuditLogJson>) -> AccountJson {
        let Account { id, external_key, currency, details, .. } = stored.account;
        AccountJson {
            account_id: id,
            name: details.name,
            first_name_length: details.first_name_length,
            external_key,
            email: details.email,
            bill_cycle_day_local: stored.account.bill_cycle_day_local,
            currency: currency.map(billing::Currency::code),
            parent_account_id: details.parent_account_id,
            is_payment_delegated_to_parent: details.is_payment_delegated_to_parent,
            payment_method_id: details.payment_method_id,
            reference_time: instant(stored.account.reference_time),
            time_zone: stored.account.time_zone,
            address1: details.address1,
            address2: details.address2,
            postal_code: details.postal_code,
            company: details.company,
            city: details.city,
            state: details.state,
            country: details.country,
            locale: details.locale,
            phone: details.phone,
            notes: details.notes,
            is_migrated: details.is_migrated,
            account_balance: self.with_balance.then(|| money(stored.balance_minor, currency)),
            account_cba: self.with_credit.then(|| money(stored.credit_minor, currency)),
            audit_logs,
        }
    }
}

/// Kill Bill's `Account` as clients send it. What only the server sets is taken and ignored.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct AccountRequest {
    #[serde(rename = "accountId")]
    _account_id: Option<Uuid>,
    #[serde(deserialize_with = "crate::json::text")]
    name: Option<String>,
    #[serde(deserialize_with = "crate::json::whole")]
    first_name_length: Option<i32>,
    #[serde(deserialize_with = "crate::json::text")]
    external_key: Option<String>,
    #[serde(deserialize_with = "crate::json::text")]
    email: Option<String>,
    #[serde(deserialize_with = "crate::json::whole")]
    bill_cycle_day_local: Option<i32>,
    #[serde(deserialize_with = "crate::json::text")]
    currency: Option<String>,
    parent_account_id: Option<Uuid>,
    #[serde(deserialize_with = "crate::json::flag")]
    is_payment_delegated_to_parent: Option<bool>,
    payment_method_id: Option<Uuid>,
    #[serde(deserialize_with = "crate::json::text")]
    reference_time: Option<String>,
    #[serde(deserialize_with = "crate::json::text")]
    time_zone: Option<String>,
    #[serde(deserialize_with = "crate::json::text")]
    address1: Option<String>,
    #[serde(deserialize_with = "crate::json::text")]
    address2: Option<String>,
    #[serde(deserialize_with = "crate::json::text")]
    postal_code: Option<String>,
    #[serde(deserialize_with = "crate::json::text")]
    company: Option<String>,
    #[serde(deserialize_with = "crate::json::text")]
    city: Option<String>,
    #[serde(deserialize_with = "crate::json::text")]
    state: Option<String>,
    #[serde(deserialize_with = "crate::json::text")]
    country: Option<String>,
    #[serde(deserialize_with = "crate::json::text")]
    locale: Option<String>,
    #[serde(deserialize_with = "crate::json::text")]
    phone: Option<String>,
    #[serde(deserialize_with = "crate::json::text")]
    notes: Option<String>,
    #[serde(deserialize_with = "crate::json::flag")]
    is_migrated: Option<bool>,
    #[serde(rename = "accountBalance")]
    _account_balance: Option<serde_json::Value>,
    #[serde(rename = "accountCBA")]
    _account_cba: Option<serde_json::Value>,
    #[serde(rename = "auditLogs")]
    _audit_logs: Option<serde_json::Value>,
}

impl AccountRequest {
    /// Kill Bill's limits on the texts of an account. What stays as it is may be longer: the other desks have limits of
    /// their own.
    fn check(&self, current: &AccountDetails) -> Result<(), Refusal> {
        let lines = [
            ("name", &self.name, &current.name, 100),
            ("email", &self.email, &current.email, 128),
            ("company", &self.company, &current.company, 50),
            ("city", &self.city, &current.city, 50),
            ("state", &self.state, &current.state, 50),
            ("country", &self.country, &current.country, 50),
            ("address1", &self.address1, &current.address1, 100),
            ("address2", &self.address2, &current.address2, 100),
            ("postalCode", &self.postal_code, &current.postal_code, 16),
            ("phone", &self.phone, &current.phone, 25),
            ("locale", &self.locale, &current.locale, 5),
            ("timeZone", &self.time_zone, &None, 50),
        ];
        for (field, wanted, current, limit) in lines {
            if wanted != current {
                check_line(field, wanted, limit)?;
            }
        }
        let notes = self.notes.as_deref().filter(|notes| current.notes.as_deref() != Some(notes));
        notes.map_or(Ok(()), |notes| check_text("notes", notes, 4096, true))
    }

    fn reference_time(&self) -> Result<Option<jiff::Timestamp>, Refusal> {
        self.reference_time
            .as_deref()
            .map(|text| crate::json::parse_instant("referenceTime", text))
            .transpose()
    }

    /// The request to open an account.
    pub(crate) fn into_new_account(self) -> Result<NewAccount, Refusal> {
        self.check(&AccountDetails::default())?;
        let reference_time = self.reference_time()?;
        Ok(NewAccount {
            external_key: self.external_key.clone(),
            currency: self.currency.clone(),
            bill_cycle_day_local: self.bill_cycle_day_local,
            reference_time,
            time_zone: self.time_zone.clone().filter(|name| !name.is_empty()),
            details: self.details_over(&AccountDetails::default(), true),
            ..NewAccount::default()
        })
    }

    /// The request to change `account`. Without `reset`, what is null or absent stays as it is; with it, all that is
    /// null becomes null, and the fixed fields must be repeated.
    fn to_change(&self, account: &Account, reset: bool) -> Result<AccountChange, Refusal> {
        self.check(&account.details)?;
        if reset {
            self.check_repeated(account)?;
        }
        let day = self.bill_cycle_day_local;
        Ok(AccountChange {
            external_key: self.external_key.clone(),
            currency: self.currency.clone(),
            may_set_currency: true,
            // Nought is "not mentioned", but to reset is to mention it.
            bill_cycle_day_local: if reset { Some(day.unwrap_or(0)) } else { day.filter(|day| *day != 0) },
            reference_time: self.reference_time()?,
            time_zone: self.time_zone.clone(),
            details: self.details_over(&account.details, reset),
            ..AccountChange::default()
        })
    }

    /// Refuses to reset what is fixed.
    fn check_repeated(&self, account: &Account) -> Result<(), Refusal> {
        let null = |field, from: &str| {
            Err(Refusal::AccountFieldImmutable { field, from: from.to_owned(), to: "null".into() })
        };
        if self.external_key.is_none() {
            return null("externalKey", &account.external_key);
        }
        if let (None, Some(currency)) = (&self.currency, account.currency) {
            return null("currency", currency.code());
        }
        if self.time_zone.is_none() && account.time_zone != "UTC" {
            return null("timeZone", &account.time_zone);
        }
        Ok(())
    }

    /// The details as they shall be: as requested, and where nothing is requested as they were, unless `reset`.
    fn details_over(&self, current: &AccountDetails, reset: bool) -> AccountDetails {
        fn over<T: Clone>(wanted: &Option<T>, current: &Option<T>, reset: bool) -> Option<T> {
            if reset { wanted.clone() } else { wanted.clone().or_else(|| current.clone()) }
        }
        let delegated = self.is_payment_delegated_to_parent;
        AccountDetails {
            name: over(&self.name, &current.name, reset),
            first_name_length: over(&self.first_name_length, &current.first_name_length, reset),
            email: over(&self.email, &current.email, reset),
            parent_account_id: over(&self.parent_account_id, &current.parent_account_id, reset),
            is_payment_delegated_to_parent: delegated
                .unwrap_or(!reset && current.is_payment_delegated_to_parent),
            payment_method_id: over(&self.payment_method_id, &current.payment_method_id, reset),
            locale: over(&self.locale, &current.locale, reset),
            address1: over(&self.address1, &current.address1, reset),
            address2: over(&self.address2, &current.address2, reset),
            company: over(&self.company, &current.company, reset),
            city: over(&self.city, &current.city, reset),
            state: over(&self.state, &current.state, reset),
            country: over(&self.country, &current.country, reset),
            postal_code: over(&self.postal_code, &current.postal_code, reset),
            phone: over(&self.phone, &current.phone, reset),
            notes: over(&self.notes, &current.notes, reset),
            is_migrated: over(&self.is_migrated, &current.is_migrated, reset),
        }
    }
}

async fn create_account(
    State(edge): State<SharedEdge>,
    Writing(session): Writing,
    base: Base,
    Body(request): Body<AccountRequest>,
) -> Answer {
    let new = request.into_new_account().map_err(|refusal| (ERRORS.refusal)(&refusal))?;
    let writer = session.clone();
    let work = move |tx: &mut dyn Connection| {
        let stored =
            operations::accounts::open(tx, writer.tenant.tenant_id, &writer.caller, writer.now, &new)?;
        Ok(base.created(&format!("/accounts/{}", stored.account.id)))
    };
    Ok(edge.write(&session, &ERRORS, work).await)
}

async fn get_account(
    State(edge): State<SharedEdge>,
    Reading(session): Reading,
    Path(account_id): Path<String>,
    query: Query,
) -> Answer {
    let (account_id, view) = (id(&account_id)?, AccountView::from_query(&query)?);
    let tenant_id = session.tenant.tenant_id;
    let work = move |tx: &mut dyn Connection| {
        let stored = operations::accounts::get(tx, tenant_id, account_id)?;
        Ok(Reply::json(StatusCode::OK, &view.render(tx, tenant_id, stored)?))
    };
    Ok(read_with_audit(&edge, view.audit, work).await)
}

async fn get_account_by_key(
    State(edge): State<SharedEdge>,
    Reading(session): Reading,
    query: Query,
) -> Answer {
    let view = AccountView::from_query(&query)?;
    let tenant_id = session.tenant.tenant_id;
    let Some(key) = query.text("externalKey").map(str::to_owned) else {
        return Ok((ERRORS.refusal)(&Refusal::AccountKeyUnknown { key: "null".to_owned() }));
    };
    let work = move |tx: &mut dyn Connection| {
        let stored = operations::accounts::get_by_key(tx, tenant_id, &key)?;
        Ok(Reply::json(StatusCode::OK, &view.render(tx, tenant_id, stored)?))
    };
    Ok(read_with_audit(&edge, view.audit, work).await)
}

async fn update_account(
    State(edge): State<SharedEdge>,
    Writing(session): Writing,
    Path(account_id): Path<String>,
    query: Query,
    Body(request): Body<AccountRequest>,
) -> Answer {
    let (account_id, reset) = (id(&account_id)?, query.flag("treatNullAsReset"));
    let writer = session.clone();
    let work = move |tx: &mut dyn Connection| {
        let (tenant_id, caller) = (writer.tenant.tenant_id, &writer.caller);
        let change = |account: &Account| request.to_change(account, reset);
        operations::accounts::change(tx, tenant_id, account_id, caller, writer.now, &change)?;
        Ok(Reply::empty(StatusCode::NO_CONTENT))
    };
    Ok(edge.write(&session, &ERRORS, work).await)
}

async fn close_account(
    State(edge): State<SharedEdge>,
    Writing(session): Writing,
    Path(account_id): Path<String>,
    query: Query,
) -> Answer {
    let account_id = id(&account_id)?;
    // As at Kill Bill, to cancel, write off or adjust what is not there does nothing and needs no permission: the flags
    // `cancelAllSubscriptions`, `writeOffUnpaidInvoices` and `itemAdjustUnpaidInvoices` say how to treat what the book
    // does not hold yet.
    let closing = Closing { remove_future_notifications: query.flag("removeFutureNotifications") };
    let writer = session.clone();
    let work = move |tx: &mut dyn Connection| {
        let (tenant_id, caller) = (writer.tenant.tenant_id, &writer.caller);
        close(tx, tenant_id, account_id, caller, writer.now, closing)?;
        Ok(Reply::empty(StatusCode::NO_CONTENT))
    };
    Ok(edge.write(&session, &ERRORS, work).await)
}

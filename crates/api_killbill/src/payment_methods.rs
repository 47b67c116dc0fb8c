//! Payment methods: of an account, and by themselves.

use crate::audit::{AuditLevel, AuditLogJson, AuditLogs, read_with_audit};
use crate::error::{DEFAULT_CHOICE_ERRORS, ERRORS, bad_argument};
use crate::history::audit_logs_with_history;
use crate::json::Body;
use crate::location::{Base, id};
use crate::pagination::{NextPage, Paging};
use crate::query::{Answer, Query};
use crate::search::{SearchKey, Wanted};
use crate::session::{Reading, Writing};
use axum::extract::{Path, State};
use axum::routing::{delete, get, post, put};
use billing::payment_method::{EXTERNAL_PAYMENT, NewPaymentMethod, PluginInfo, PluginProperty, check_plugin};
use billing::{ObjectType, TenantId};
use edge::{Reply, Route, SharedEdge, route};
use http::StatusCode;
use operations::payment_methods::{Choice, DefaultDeletion};
use serde::{Deserialize, Serialize};
use storage::page::Page;
use storage::payment_methods::{self, SEARCH_COLUMNS, StoredPaymentMethod};
use storage::{Connection, Outcome};
use uuid::Uuid;

const LIST: &str = "/1.0/kb/paymentMethods/pagination";
const SEARCH: &str = "/1.0/kb/paymentMethods/search/";

pub(crate) fn routes() -> Vec<Route> {
    let of_account = "/1.0/kb/accounts/{accountId}/paymentMethods";
    vec![
        route("POST", of_account, post(create_payment_method)),
        route("GET", of_account, get(list_of_account)),
        route("PUT", format!("{of_account}/refresh"), put(refresh_payment_methods)),
        route("PUT", format!("{of_account}/{{paymentMethodId}}/setDefault"), put(set_default)),
        route("GET", "/1.0/kb/paymentMethods", get(get_by_key)),
        route("GET", LIST, get(list_payment_methods)),
        route("GET", "/1.0/kb/paymentMethods/search/{*searchKey}", get(search_payment_methods)),
        route("GET", "/1.0/kb/paymentMethods/{paymentMethodId}", get(get_payment_method)),
        route("DELETE", "/1.0/kb/paymentMethods/{paymentMethodId}", delete(delete_payment_method)),
        route("GET", "/1.0/kb/paymentMethods/{paymentMethodId}/auditLogsWithHistory", get(list_history)),
    ]
}

/// Kill Bill's `PaymentMethod` as it is written.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PaymentMethodJson {
    payment_method_id: Uuid,
    external_key: String,
    account_id: Uuid,
    is_default: bool,
    plugin_name: String,
    plugin_info: Option<PluginInfo>,
    audit_logs: Vec<AuditLogJson>,
}

/// What a request wants to see of each payment method.
#[derive(Clone, Copy)]
struct View {
    with_plugin_info: bool,
    included_deleted: bool,
    audit: AuditLevel,
}

impl View {
    fn from_query(query: &Query) -> Result<View, Reply> {
        Ok(View {
            with_plugin_info: query.flag("withPluginInfo"),
            included_deleted: query.flag("includedDeleted"),
            audit: query.audit()?,
        })
    }

    fn render(
        self,
        tx: &mut dyn Connection,
        tenant_id: TenantId,
        stored: StoredPaymentMethod,
    ) -> Outcome<Option<PaymentMethodJson>> {
        Ok(self.render_all(tx, tenant_id, vec![stored])?.pop())
    }

    fn render_all(
        self,
        tx: &mut dyn Connection,
        tenant_id: TenantId,
        methods: Vec<StoredPaymentMethod>,
    ) -> Outcome<Vec<PaymentMethodJson>> {
        let ids: Vec<Uuid> = methods.iter().map(|stored| stored.payment_method.id).collect();
        let mut logs = AuditLogs::of(tx, tenant_id, self.audit, ObjectType::PaymentMethod, &ids)?;
        let json = |stored: StoredPaymentMethod| {
            let method = stored.payment_method;
            PaymentMethodJson {
                payment_method_id: method.id,
                external_key: method.external_key,
                account_id: method.account_id,
                is_default: stored.is_default,
                plugin_name: method.plugin_name,
                plugin_info: method.plugin_info.filter(|_| self.with_plugin_info),
                audit_logs: logs.take(method.id),
            }
        };
        Ok(methods.into_iter().map(json).collect())
    }
}

/// Kill Bill's `PaymentMethod` as clients send it. What only the server sets is taken and ignored; whether it is the
/// default one, the query parameter says.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct PaymentMethodRequest {
    #[serde(rename = "paymentMethodId")]
    _payment_method_id: Option<Uuid>,
    external_key: Option<String>,
    #[serde(rename = "accountId")]
    _account_id: Option<Uuid>,
    #[serde(rename = "isDefault")]
    _is_default: Option<bool>,
    plugin_name: Option<String>,
    plugin_info: Option<PluginInfoRequest>,
    #[serde(rename = "auditLogs")]
    _audit_logs: Option<serde_json::Value>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct PluginInfoRequest {
    external_payment_method_id: Option<String>,
    is_default_payment_method: Option<bool>,
    properties: Option<Vec<PluginPropertyRequest>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct PluginPropertyRequest {
    key: Option<String>,
    value: Option<serde_json::Value>,
    is_updatable: Option<bool>,
}

impl From<PluginInfoRequest> for PluginInfo {
    fn from(request: PluginInfoRequest) -> PluginInfo {
        let properties = request.properties.unwrap_or_default().into_iter().map(|property| PluginProperty {
            key: property.key.unwrap_or_default(),
            value: property
                .value
                .map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned)),
            is_updatable: property.is_updatable.unwrap_or(false),
        });
        PluginInfo {
            external_payment_method_id: request.external_payment_method_id,
            is_default_payment_method: request.is_default_payment_method.unwrap_or(false),
            properties: properties.collect(),
        }
    }
}

async fn create_payment_method(
    State(edge): State<SharedEdge>,
    Writing(session): Writing,
    Path(account_id): Path<String>,
    base: Base,
    query: Query,
    Body(request): Body<PaymentMethodRequest>,
) -> Answer {
    let account_id = id(&account_id)?;
    let Some(plugin_name) = request.plugin_name else {
        return Ok(bad_argument("PaymentMethodJson pluginName should be specified"));
    };
    let plugin_info = request.plugin_info.map(PluginInfo::from);
    let new = NewPaymentMethod { external_key: request.external_key, plugin_name, plugin_info };
    let choice = Choice {
        is_default: query.flag("isDefault"),
        pays_unpaid_invoices: query.flag("payAllUnpaidInvoices"),
    };
    let writer = session.clone();
    let work = move |tx: &mut dyn Connection| {
        let (tenant_id, caller) = (writer.tenant.tenant_id, &writer.caller);
        let asked = (&new, choice);
        let id = operations::payment_methods::add(tx, tenant_id, account_id, caller, writer.now, asked)?;
        Ok(base.created(&format!("/paymentMethods/{id}")))
    };
    Ok(edge.write(&session, &ERRORS, work).await)
}

async fn list_of_account(
    State(edge): State<SharedEdge>,
    Reading(session): Reading,
    Path(account_id): Path<String>,
    query: Query,
) -> Answer {
    let (account_id, view) = (id(&account_id)?, View::from_query(&query)?);
    let tenant_id = session.tenant.tenant_id;
    let work = move |tx: &mut dyn Connection| {
        operations::accounts::get(tx, tenant_id, account_id)?;
        let methods = payment_methods::of_account(tx, tenant_id, account_id, view.included_deleted)?;
        Ok(Reply::json(StatusCode::OK, &view.render_all(tx, tenant_id, methods)?))
    };
    Ok(edge.read(&ERRORS, work).await)
}

async fn refresh_payment_methods(
    State(edge): State<SharedEdge>,
    Writing(session): Writing,
    Path(account_id): Path<String>,
    query: Query,
) -> Answer {
    let account_id = id(&account_id)?;
    // The seed spells the parameter with a capital letter, Kill Bill's server without.
    let names = query.all("pluginName").chain(query.all("PluginName"));
    let names: Vec<String> = names.filter(|name| !name.is_empty()).map(str::to_owned).collect();
    let writer = session.clone();
    let work = move |tx: &mut dyn Connection| {
        let tenant_id = writer.tenant.tenant_id;
        operations::payment_methods::refresh(tx, tenant_id, account_id, &writer.caller, &names)?;
        Ok(Reply::empty(StatusCode::NO_CONTENT))
    };
    Ok(edge.write(&session, &ERRORS, work).await)
}

async fn set_default(
    State(edge): State<SharedEdge>,
    Writing(session): Writing,
    Path((account_id, method_id)): Path<(String, String)>,
    query: Query,
) -> Answer {
    let ids = (id(&account_id)?, id(&method_id)?);
    let pays = query.flag("payAllUnpaidInvoices");
    let writer = session.clone();
    let work = move |tx: &mut dyn Connection| {
        let (tenant_id, caller) = (writer.tenant.tenant_id, &writer.caller);
        operations::payment_methods::set_default(tx, tenant_id, ids, caller, writer.now, pays)?;
        Ok(Reply::empty(StatusCode::NO_CONTENT))
    };
    Ok(edge.write(&session, &DEFAULT_CHOICE_ERRORS, work).await)
}

async fn get_payment_method(
    State(edge): State<SharedEdge>,
    Reading(session): Reading,
    Path(method_id): Path<String>,
    query: Query,
) -> Answer {
    let (method_id, view) = (id(&method_id)?, View::from_query(&query)?);
    let tenant_id = session.tenant.tenant_id;
    let work = move |tx: &mut dyn Connection| {
        let stored = operations::payment_methods::get(tx, tenant_id, method_id, view.included_deleted)?;
        Ok(Reply::json(StatusCode::OK, &view.render(tx, tenant_id, stored)?))
    };
    Ok(read_with_audit(&edge, view.audit, work).await)
}

async fn get_by_key(State(edge): State<SharedEdge>, Reading(session): Reading, query: Query) -> Answer {
    let view = View::from_query(&query)?;
    let key = query.text("externalKey").unwrap_or("null").to_owned();
    let tenant_id = session.tenant.tenant_id;
    let work = move |tx: &mut dyn Connection| {
        let stored = operations::payment_methods::get_by_key(tx, tenant_id, &key, view.included_deleted)?;
        Ok(Reply::json(StatusCode::OK, &view.render(tx, tenant_id, stored)?))
    };
    Ok(read_with_audit(&edge, view.audit, work).await)
}

/// The parameters that go along to the next page.
fn with_view(next: NextPage, query: &Query) -> Result<NextPage, Reply> {
    let plugin_name = query.text("pluginName").unwrap_or_default();
    Ok(next.with("pluginName", plugin_name).with("audit", query.audit()?.name()))
}

async fn list_payment_methods(
    State(edge): State<SharedEdge>,
    Reading(session): Reading,
    query: Query,
) -> Answer {
    let (paging, view) = (Paging::from_query(&query)?, View::from_query(&query)?);
    let next = with_view(NextPage::of(LIST), &query)?;
    // All payment methods are of the one plugin that there is.
    let is_known = query.text("pluginName").is_none_or(|name| name.is_empty() || name == EXTERNAL_PAYMENT);
    let tenant_id = session.tenant.tenant_id;
    let work = move |tx: &mut dyn Connection| {
        let (mut page, max) = if is_known {
            let page = payment_methods::page(tx, tenant_id, paging.window())?;
            let max = page.total;
            (page, max)
        } else {
            (Page::default(), payment_methods::count(tx, tenant_id)?)
        };
        let rendered = view.render_all(tx, tenant_id, std::mem::take(&mut page.items))?;
        Ok(paging.reply(&page, max, &next, &rendered))
    };
    Ok(edge.read(&ERRORS, work).await)
}

async fn search_payment_methods(
    State(edge): State<SharedEdge>,
    Reading(session): Reading,
    SearchKey(key): SearchKey,
    query: Query,
) -> Answer {
    let (paging, view) = (Paging::from_query(&query)?, View::from_query(&query)?);
    let next = with_view(NextPage::of_search(SEARCH, &key), &query)?;
    let refused = |refusal: billing::Refusal| (ERRORS.refusal)(&refusal);
    if let Some(name) = query.text("pluginName").filter(|name| !name.is_empty()) {
        check_plugin(name).map_err(refused)?;
    }
    let wanted = Wanted::parse(key, SEARCH_COLUMNS).map_err(refused)?;
    let tenant_id = session.tenant.tenant_id;
    let work = move |tx: &mut dyn Connection| {
        let window = paging.window();
        let mut page = match &wanted {
            Wanted::Text(text) => payment_methods::search(tx, tenant_id, text, window)?,
            Wanted::Clauses { clauses, .. } => payment_methods::filter(tx, tenant_id, clauses, window)?,
        };
        let max = payment_methods::count(tx, tenant_id)?;
        let rendered = view.render_all(tx, tenant_id, std::mem::take(&mut page.items))?;
        Ok(paging.reply(&page, max, &next, &rendered))
    };
    Ok(edge.read(&ERRORS, work).await)
}

async fn delete_payment_method(
    State(edge): State<SharedEdge>,
    Writing(session): Writing,
    Path(method_id): Path<String>,
    query: Query,
) -> Answer {
    let method_id = id(&method_id)?;
    let deletion = if query.flag("deleteDefaultPmWithAutoPayOff") {
        DefaultDeletion::ClearWithAutoPayOff
    } else if query.flag("forceDefaultPmDeletion") {
        DefaultDeletion::Clear
    } else {
        DefaultDeletion::Refuse
    };
    let writer = session.clone();
    let work = move |tx: &mut dyn Connection| {
        let (tenant_id, caller) = (writer.tenant.tenant_id, &writer.caller);
        operations::payment_methods::delete(tx, tenant_id, method_id, caller, writer.now, deletion)?;
        Ok(Reply::empty(StatusCode::NO_CONTENT))
    };
    Ok(edge.write(&session, &ERRORS, work).await)
}

async fn list_history(
    State(edge): State<SharedEdge>,
    Reading(session): Reading,
    Path(method_id): Path<String>,
) -> Answer {
    let (method_id, tenant_id) = (id(&method_id)?, session.tenant.tenant_id);
    let work = move |tx: &mut dyn Connection| {
        let logs = audit_logs_with_history(tx, tenant_id, ObjectType::PaymentMethod, method_id)?;
        Ok(Reply::json(StatusCode::OK, &logs))
    };
    Ok(edge.read(&ERRORS, work).await)
}

//! Tenants: create and retrieve.

use crate::error::{ERRORS, bad_argument};
use crate::json::Body;
use crate::location::{Base, id};
use crate::query::{Answer, Query};
use crate::session::{OperatorCall, Reading};
use axum::extract::{Path, State};
use axum::routing::{get, post};
use billing::{Refusal, Tenant};
use edge::{Reply, Route, SharedEdge, route};
use http::StatusCode;
use operations::tenants::NewTenant;
use serde::{Deserialize, Serialize};
use storage::Connection;
use uuid::Uuid;

pub(crate) fn routes() -> Vec<Route> {
    vec![
        route("POST", "/1.0/kb/tenants", post(create_tenant)),
        route("GET", "/1.0/kb/tenants", get(get_tenant_by_key)),
        route("GET", "/1.0/kb/tenants/{tenantId}", get(get_tenant)),
    ]
}

/// Kill Bill's `Tenant` as it is written: the secret never leaves.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TenantJson {
    tenant_id: Uuid,
    external_key: Option<String>,
    api_key: String,
    api_secret: Option<()>,
    audit_logs: [(); 0],
}

impl From<Tenant> for TenantJson {
    fn from(tenant: Tenant) -> TenantJson {
        TenantJson {
            tenant_id: tenant.id,
            external_key: tenant.external_key,
            api_key: tenant.api_key,
            api_secret: None,
            audit_logs: [],
        }
    }
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct TenantRequest {
    #[serde(rename = "tenantId")]
    _tenant_id: Option<Uuid>,
    external_key: Option<String>,
    api_key: Option<String>,
    api_secret: Option<String>,
    #[serde(rename = "auditLogs")]
    _audit_logs: Option<serde_json::Value>,
}

async fn create_tenant(
    State(edge): State<SharedEdge>,
    call: OperatorCall,
    query: Query,
    base: Base,
    Body(request): Body<TenantRequest>,
) -> Answer {
    let session = call.into_session()?;
    let needed = |text: Option<String>, name: &str| {
        let given = text.filter(|text| !text.is_empty());
        given.ok_or_else(|| bad_argument(format!("TenantJson {name} needs to be set")))
    };
    let api_key = needed(request.api_key, "apiKey")?;
    let secret = needed(request.api_secret, "apiSecret")?;
    let new = NewTenant {
        api_key,
        external_key: request.external_key,
        has_own_catalog: !query.flag("useGlobalDefault"),
        ..NewTenant::default()
    };
    operations::tenants::check(&session.caller, &new).map_err(|refusal| (ERRORS.refusal)(&refusal))?;
    operations::tenants::check_secret(&secret).map_err(|refusal| (ERRORS.refusal)(&refusal))?;
    let api_secret_hash = edge.hash(&secret).await.map_err(|error| ERRORS.reply(&error))?;
    let new = NewTenant { api_secret_hash, ..new };
    let by = session.clone();
    let work = move |tx: &mut dyn Connection| {
        let tenant = operations::tenants::create(tx, &by.caller, by.now, &new)?;
        Ok(base.created(&format!("/tenants/{}", tenant.id)))
    };
    Ok(edge.write(&session, &ERRORS, work).await)
}

async fn get_tenant(
    State(edge): State<SharedEdge>,
    Reading(_): Reading,
    Path(tenant_id): Path<String>,
) -> Answer {
    let tenant_id = id(&tenant_id)?;
    let work = move |tx: &mut dyn Connection| {
        let tenant = storage::tenants::by_id(tx, tenant_id)?
            .ok_or(Refusal::ObjectUnknown { object_type: billing::ObjectType::Tenant, id: tenant_id })?;
        Ok(Reply::json(StatusCode::OK, &TenantJson::from(tenant)))
    };
    Ok(edge.read_point(&ERRORS, work).await)
}

async fn get_tenant_by_key(State(edge): State<SharedEdge>, _: OperatorCall, query: Query) -> Answer {
    let key = query.text("apiKey").unwrap_or_default().to_owned();
    let work = move |tx: &mut dyn Connection| {
        let (tenant, _) = storage::tenants::by_api_key(tx, &key)?
            .ok_or_else(|| Refusal::TenantKeyUnknown { api_key: key.clone() })?;
        Ok(Reply::json(StatusCode::OK, &TenantJson::from(tenant)))
    };
    Ok(edge.read_point(&ERRORS, work).await)
}

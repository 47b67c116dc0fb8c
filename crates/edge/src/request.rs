//! The request that a task is about: what its log lines say of it.

use std::sync::{Arc, OnceLock};
use uuid::Uuid;

tokio::task_local! {
    static CURRENT: Arc<RequestContext>;
}

/// What is known of a request besides its method and path.
#[derive(Debug)]
pub struct RequestContext {
    id: String,
    user_token: Uuid,
    tenant: OnceLock<String>,
}

impl RequestContext {
    /// A request with this id, recorded under this token, of a tenant still unknown.
    pub fn new(id: String, user_token: Uuid) -> RequestContext {
        RequestContext { id, user_token, tenant: OnceLock::new() }
    }

    /// The id that the answer and the log carry.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The tenant, once somebody has noted it.
    pub fn tenant(&self) -> Option<&str> {
        self.tenant.get().map(String::as_str)
    }

    /// Runs `future` as part of this request.
    pub fn scope<F: Future>(self: Arc<Self>, future: F) -> impl Future<Output = F::Output> {
        CURRENT.scope(self, future)
    }
}

/// Notes whose book the current request opens, for its log line. Only a name or key that is no secret. The first one
/// stays.
pub fn note_tenant(name: &str) {
    let _ = CURRENT.try_with(|context| context.tenant.get_or_init(|| name.to_owned()).len());
}

/// The id of the current request; empty outside of one.
pub fn request_id() -> String {
    CURRENT.try_with(|context| context.id.clone()).unwrap_or_default()
}

/// The user token of all that the current request records; outside of a request, a new one each time.
pub fn user_token() -> Uuid {
    CURRENT.try_with(|context| context.user_token).unwrap_or_else(|_| Uuid::new_v4())
}

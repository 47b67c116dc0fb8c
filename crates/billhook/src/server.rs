//! Wiring: the desks over one edge, served until the process is told to end.

use anyhow::Context;
use axum::Router;
use axum::routing::get;
use billing::{Caller, Tenant, TenantId};
use edge::{Edge, Gate, Settings, SharedEdge};
use operations::{clock, credentials, tenants};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use storage::Store;
use storage::users::User;
use tokio::signal::unix::{SignalKind, signal};
use uuid::Uuid;

/// How long requests under way may take to end once the server is told to.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(15);

/// Most bytes of a request's body.
const BODY_LIMIT: usize = 1024 * 1024;

/// Serves until SIGTERM or Ctrl-C. `ready` hears the address once it is taken.
pub(crate) fn run(
    store: Store,
    mut settings: Settings,
    listen: SocketAddr,
    ready: impl FnOnce(SocketAddr),
) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    if settings.node_name.is_empty() {
        settings.node_name = host_name();
    }
    let edge = Arc::new(Edge {
        store: store.clone(),
        settings,
        gate: Gate::default(),
        started_at: clock::real(),
        out_of_rotation: AtomicBool::new(false),
    });
    runtime.block_on(async move {
        let listener = tokio::net::TcpListener::bind(listen)
            .await
            .with_context(|| format!("cannot listen on {listen}"))?;
        let address = listener.local_addr()?;
        let told_to_end = told_to_end()?;
        println!("listening on http://{address}");
        ready(address);
        tokio::spawn(edge::work_forever(Arc::clone(&edge)));
        let (told, ended) = tokio::sync::oneshot::channel::<()>();
        let serve = axum::serve(listener, app(edge)).with_graceful_shutdown(async move {
            told_to_end.await;
            let _ = told.send(());
        });
        let overdue = async {
            if ended.await.is_ok() {
                tokio::time::sleep(SHUTDOWN_GRACE).await;
            } else {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            served = async { serve.await } => served.context("the server failed"),
            () = overdue => Ok(()),
        }
    })?;
    store.close();
    Ok(())
}

fn app(edge: SharedEdge) -> Router {
    api_killbill::router()
        .merge(api_mikrocloud::router())
        .merge(api_togai::router())
        .route("/healthz", get(|| async { "ok" }))
        .layer(axum::middleware::from_fn(|request, next| edge::idempotency_layer(BODY_LIMIT, request, next)))
        .layer(axum::extract::DefaultBodyLimit::max(BODY_LIMIT))
        .with_state(edge)
}

/// What this machine calls itself.
fn host_name() -> String {
    let kernel = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = kernel.trim();
    if name.is_empty() { "billhook".to_owned() } else { name.to_owned() }
}

/// Waits for SIGTERM or Ctrl-C. They are caught from this call on, not only once the result is awaited: whoever reads
/// that the server listens may already end it.
fn told_to_end() -> std::io::Result<impl Future<Output = ()>> {
    let mut interrupted = signal(SignalKind::interrupt())?;
    let mut terminated = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupted.recv() => {}
            _ = terminated.recv() => {}
        }
    })
}

/// Makes the first operator, `admin` with role `root`, where there is none. Without a password one is made, and
/// returned to be shown once.
pub(crate) fn ensure_admin(store: &Store, password: Option<String>) -> anyhow::Result<Option<String>> {
    let known = store.read_now(|tx| Ok(storage::users::by_username(tx, TenantId::SERVER, "admin")?))?;
    if known.is_some() {
        return Ok(None);
    }
    let made = password.is_none().then(credentials::random_secret);
    let password = password.or_else(|| made.clone()).unwrap_or_default();
    let user = User {
        id: Uuid::new_v4(),
        tenant_id: TenantId::SERVER,
        username: "admin".into(),
        email: None,
        password_hash: Some(credentials::hash(&password)?),
        current_organization_id: None,
        is_active: true,
    };
    let now = clock::real();
    let inserted = store.write_now(move |tx| {
        let inserted = storage::users::insert(tx, &user, "billhook", now)?;
        if inserted {
            storage::users::set_role(tx, "root", &["*:*".to_owned()])?;
            storage::users::set_roles(tx, user.id, &["root".to_owned()])?;
        }
        Ok(inserted)
    })?;
    Ok(made.filter(|_| inserted))
}

/// Makes a tenant from the command line.
pub(crate) fn make_tenant(store: &Store, new: tenants::NewTenant) -> anyhow::Result<Tenant> {
    let caller = Caller::system(Uuid::new_v4());
    let now = clock::real();
    Ok(store.write_now(move |tx| tenants::create(tx, &caller, now, &new))?)
}

//! Wiring: the desks over one edge, served until the process is told to end.

use crate::config::Config;
use crate::front::{Front, FrontLayer, Limits};
use crate::metrics::Metrics;
use crate::{connections, documents, front, health};
use anyhow::Context;
use axum::Router;
use axum::response::{IntoResponse, Response};
use billing::{Caller, Tenant, TenantId};
use edge::{Edge, Gate, Reply, Settings, SharedEdge};
use http::{StatusCode, Uri};
use operations::{clock, credentials, security, tenants};
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use storage::Store;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use uuid::Uuid;

/// How long requests under way may take to end once the server is told to.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(8);

/// How long the store may take to do what waits and to close. Together with the grace this is less than the 20 seconds
/// that are promised.
const CLOSING_GRACE: Duration = Duration::from_secs(9);

/// Serves until SIGTERM or Ctrl-C. `prepare` is done once the address is taken, `ready` hears of it before the first
/// request is.
pub(crate) fn run(
    store: Store,
    settings: Settings,
    config: &Config,
    prepare: impl FnOnce() -> anyhow::Result<()>,
    ready: impl FnOnce(SocketAddr),
) -> anyhow::Result<()> {
    let mailer = crate::mailer::mailer(config, settings.test_mode || settings.demo)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let edge = Arc::new(Edge {
        store: store.clone(),
        settings,
        gate: Gate::default(),
        mailer,
        started_at: clock::real(),
        out_of_rotation: AtomicBool::new(false),
    });
    runtime.block_on(async move {
        let listener = tokio::net::TcpListener::bind(config.listen)
            .await
            .with_context(|| format!("cannot listen on {}", config.listen))?;
        let address = listener.local_addr()?;
        prepare()?;
        let told_to_end = told_to_end()?;
        println!("listening on http://{address}");
        ready(address);
        tracing::info!(%address, node = edge.settings.node_name, "the server has started");
        tokio::spawn(edge::work_forever(Arc::clone(&edge)));
        serve(listener, app(edge, config), &config.limits, told_to_end).await;
        anyhow::Ok(())
    })?;
    // What a handler that ran into the end of its grace still waits for.
    runtime.shutdown_timeout(Duration::from_secs(1));
    if !done_within(CLOSING_GRACE, move || store.close()) {
        // What was not committed is rolled back by the engine, as after a crash.
        tracing::warn!("work that waited for the store was broken off");
    }
    tracing::info!("the server has ended");
    Ok(())
}

/// Does `work` on a thread of its own, and says whether it is done in time. Where it is not, the thread ends with the
/// process.
fn done_within(time: Duration, work: impl FnOnce() + Send + 'static) -> bool {
    let (done, is_done) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        work();
        let _ = done.send(());
    });
    is_done.recv_timeout(time).is_ok()
}

/// Serves until told to end, and then until requests under way are done or their time is over.
async fn serve(listener: TcpListener, app: Router, limits: &Limits, told_to_end: impl Future<Output = ()>) {
    let ending = watch::Sender::new(false);
    let mut serving =
        pin!(connections::serve(listener, app, limits.idle, limits.connections, ending.subscribe()));
    tokio::select! {
        () = serving.as_mut() => return,
        () = told_to_end => ending.send_replace(true),
    };
    if tokio::time::timeout(SHUTDOWN_GRACE, serving).await.is_err() {
        tracing::warn!("requests under way were broken off");
    }
}

/// All desks, and what watches the server, behind one front.
fn app(edge: SharedEdge, config: &Config) -> Router {
    let desks = [
        ("killbill", api_killbill::routes()),
        ("mikrocloud", api_mikrocloud::routes()),
        ("togai", api_togai::routes()),
        ("djaoapp", api_djaoapp::routes()),
    ];
    let operations = desks
        .iter()
        .flat_map(|(desk, routes)| routes.iter().map(|route| (*desk, route.method, route.path.as_str())));
    let watched = health::PATHS.iter().map(|path| ("server", "GET", *path));
    let metrics = Arc::new(Metrics::new(operations.chain(watched)));
    let front = Arc::new(Front::new(config.limits.clone(), config.cors.clone(), metrics));
    let body_limit = config.limits.body;
    api_killbill::router()
        .merge(api_mikrocloud::router())
        .merge(api_togai::router())
        .merge(api_djaoapp::router())
        .fallback(nothing_here)
        .layer(axum::middleware::from_fn(move |request, next| {
            edge::idempotency_layer(body_limit, front::refuse, request, next)
        }))
        .merge(health::routes(Arc::clone(&front)))
        .merge(documents::routes())
        .layer(axum::extract::DefaultBodyLimit::disable())
        .layer(FrontLayer(front))
        .with_state(edge)
}

/// 404 with the body that the path's clients know: none at Kill Bill's desk.
async fn nothing_here(uri: Uri) -> Response {
    if uri.path().starts_with("/1.0/") {
        return Reply::empty(StatusCode::NOT_FOUND).into_response();
    }
    front::refuse(uri.path(), StatusCode::NOT_FOUND, "There is nothing at this path")
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

/// Makes the first operator, `admin` with role `root`, where there is none. Without a password, or with an empty one,
/// one is made, and returned to be shown once.
pub(crate) fn ensure_admin(store: &Store, password: Option<String>) -> anyhow::Result<Option<String>> {
    let known = store.read_now(|tx| Ok(storage::users::by_username(tx, TenantId::SERVER, "admin")?))?;
    if known.is_some() {
        return Ok(None);
    }
    let password = password.filter(|password| !password.is_empty());
    let made = password.is_none().then(credentials::random_secret);
    let password = password.or_else(|| made.clone()).unwrap_or_default();
    security::check_password(&password)?;
    let password_hash = credentials::hash(&password)?;
    let (caller, now) = (Caller::system(Uuid::new_v4()), clock::real());
    let inserted = store.write_now(move |tx| security::ensure_admin(tx, &caller, now, &password_hash))?;
    Ok(made.filter(|_| inserted))
}

/// Makes a tenant from the command line.
pub(crate) fn make_tenant(store: &Store, new: tenants::NewTenant) -> anyhow::Result<Tenant> {
    let caller = Caller::system(Uuid::new_v4());
    let now = clock::real();
    Ok(store.write_now(move |tx| tenants::create(tx, &caller, now, &new))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use storage::StoreOptions;

    #[test]
    fn an_empty_password_is_none() {
        let path = std::env::temp_dir().join(format!("{}.sqlite", Uuid::new_v4()));
        let store = Store::open(&format!("sqlite:{}", path.display()), StoreOptions::default()).unwrap();
        assert!(ensure_admin(&store, Some("line\nbreak".into())).is_err());
        let made = ensure_admin(&store, Some(String::new())).unwrap();
        assert!(made.is_some_and(|password| password.len() > 20), "no password was made");
        let admin = store.read_now(|tx| Ok(storage::users::by_username(tx, TenantId::SERVER, "admin")?));
        let hash = admin.unwrap().unwrap().password_hash.unwrap();
        assert!(!credentials::verify("", &hash));
        store.close();
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn closing_takes_no_longer_than_it_may() {
        let (release, wait) = std::sync::mpsc::channel::<()>();
        assert!(!done_within(Duration::from_millis(1), move || {
            let _ = wait.recv();
        }));
        drop(release);
        assert!(done_within(Duration::from_secs(60), || {}));
        let promised = Duration::from_secs(20);
        assert!(SHUTDOWN_GRACE + Duration::from_secs(1) + CLOSING_GRACE < promised);
    }
}

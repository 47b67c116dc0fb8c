//! Routes as data: the router is built from the same list that is compared with the contract.

use crate::{Reply, SharedEdge};
use axum::Router;
use axum::routing::MethodRouter;
use http::StatusCode;
use http::header::ALLOW;
use std::collections::BTreeMap;

/// One operation of a desk.
pub struct Route {
    /// The method, upper case.
    pub method: &'static str,
    /// The path, with parameters as `{name}`.
    pub path: String,
    handler: MethodRouter<SharedEdge>,
}

/// An operation: `route("POST", "/1.0/kb/accounts", post(create))`.
pub fn route(method: &'static str, path: impl Into<String>, handler: MethodRouter<SharedEdge>) -> Route {
    Route { method, path: path.into(), handler }
}

/// OPTIONS for each path, without a password: what else the path takes.
pub fn options_of(routes: &[Route]) -> Vec<Route> {
    let mut methods_by_path: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for route in routes {
        let methods = methods_by_path.entry(&route.path).or_default();
        methods.push(route.method);
        if route.method == "GET" {
            methods.push("HEAD");
        }
    }
    let operation = |(path, mut methods): (&str, Vec<&str>)| {
        methods.push("OPTIONS");
        let text = methods.join(", ");
        let reply = Reply::text(StatusCode::OK, "text/plain", text.clone()).with(ALLOW.as_str(), text);
        route("OPTIONS", path, axum::routing::options(|| async { reply }))
    };
    methods_by_path.into_iter().map(operation).collect()
}

/// The router of some routes. A path that takes several methods answers 405 to the others.
pub fn router(routes: Vec<Route>) -> Router<SharedEdge> {
    routes.into_iter().fold(Router::new(), |router, route| router.route(&route.path, route.handler))
}

/// [`router`], where a path and the same path with a slash behind it are one resource. A path that ends with all the
/// rest (`{*name}`) is served with nothing in its place, too, unless that is another resource.
pub fn router_with_slashes(routes: Vec<Route>) -> Router<SharedEdge> {
    let (rests, wholes): (Vec<Route>, Vec<Route>) =
        routes.into_iter().partition(|route| route.path.contains("{*"));
    let mut router = Router::new();
    for Route { path, handler, .. } in &wholes {
        router = router.route(path, handler.clone()).route(&format!("{path}/"), handler.clone());
    }
    for Route { method, path, handler } in rests {
        let parent = path.split_once("/{*").map_or("", |(parent, _)| parent);
        if !wholes.iter().any(|whole| whole.method == method && whole.path == parent) {
            router = router.route(&format!("{parent}/"), handler.clone());
        }
        router = router.route(&path, handler);
    }
    router
}

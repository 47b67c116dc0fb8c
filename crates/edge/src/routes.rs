//! Routes as data: the router is built from the same list that is compared with the contract.

use crate::SharedEdge;
use axum::Router;
use axum::routing::MethodRouter;

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

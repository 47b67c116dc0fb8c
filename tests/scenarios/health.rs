//! Whoever watches the server learns how it is.

use crate::{scenario, scenario_alone};

#[test]
fn the_health_check_answers() {
    scenario(|world| {
        world.http().get("/healthz").status(200);
    });
}

#[test]
fn the_server_ends_when_it_is_asked_to_and_starts_again() {
    scenario_alone(|world| {
        let ended = world.server().terminate();
        assert!(ended.success(), "{ended}");
        world.server().start_again();
        world.http().get("/healthz").status(200);
    });
}

#[test]
fn the_server_starts_again_after_a_crash() {
    scenario_alone(|world| {
        world.server().kill9();
        world.server().start_again();
        let own = world.tenant();
        let found = world.killbill().get(format!("/tenants?apiKey={}", own.api_key)).status(200).json();
        assert_eq!(found["tenantId"], own.id.as_str());
    });
}

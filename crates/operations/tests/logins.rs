//! What takes too long to wait for over HTTP, or only happens where it is no test: sessions that expire, addresses that
//! must be verified whatever else is given.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use billing::{Caller, Refusal, Tenant};
use jiff::{SignedDuration, Timestamp};
use operations::registration::{self, Registration};
use operations::roles::Scene;
use operations::tenants::NewTenant;
use operations::users::PersonFields;
use operations::{api_keys, clock, logins, proofs, sites, verification};
use serde_json::json;
use storage::users::{self, User};
use storage::{Connection, Outcome, Store, StoreOptions, failed_attempts, verification_codes};
use uuid::Uuid;

/// Tells a story on a site of its own.
fn story(work: impl Fn(&mut dyn Connection, Scene<'_>) -> Outcome<()> + Send + 'static) {
    let path = std::env::temp_dir().join(format!("billhook-{}.sqlite", Uuid::new_v4()));
    let store = Store::open(&format!("sqlite:{}", path.display()), StoreOptions::default()).unwrap();
    let told = store.write_now(move |tx| {
        let (caller, now) = (Caller::system(Uuid::nil()), clock::real());
        let tenant = a_site(tx, "key", now)?;
        work(tx, Scene { tenant: &tenant, caller: &caller, now })
    });
    store.close();
    for end in ["", "-wal", "-shm"] {
        drop(std::fs::remove_file(format!("{}{end}", path.display())));
    }
    told.unwrap();
}

fn a_site(tx: &mut dyn Connection, api_key: &str, now: Timestamp) -> Outcome<Tenant> {
    let new = NewTenant { api_key: api_key.into(), api_secret_hash: "hash".into(), ..NewTenant::default() };
    let tenant = operations::tenants::create(tx, &Caller::system(Uuid::nil()), now, &new)?;
    sites::ensure(tx, &tenant, now)?;
    Ok(tenant)
}

fn xia() -> Registration {
    Registration {
        username: Some("xia".to_owned()),
        email: Some("xia@people.test".to_owned()),
        full_name: Some("Xia Lee".to_owned()),
        password_hash: Some("hash".to_owned()),
        ..Registration::default()
    }
}

fn registered(tx: &mut dyn Connection, scene: Scene<'_>) -> Outcome<User> {
    Ok(registration::register(tx, scene, &xia(), false, None)??)
}

fn later(now: Timestamp, by: SignedDuration) -> Timestamp {
    now.checked_add(by).unwrap()
}

#[test]
fn a_session_expires_unless_its_token_is_renewed() {
    story(|tx, scene| {
        let user = registered(tx, scene)?;
        let (tenant, now) = (scene.tenant, scene.now);
        let (end, second) = (later(now, logins::LIFE), SignedDuration::from_secs(1));
        let opened = logins::open(tx, tenant, &user, json!({}), None, now)?;
        let is_known = |tx: &mut dyn Connection, at| {
            let by_token = logins::recognize(tx, tenant, &opened.token, at)?.is_some();
            assert_eq!(logins::recognize_secret(tx, tenant, &opened.secret, at)?.is_some(), by_token);
            Ok::<bool, storage::Error>(by_token)
        };
        assert!(is_known(tx, now)? && is_known(tx, end - second)?);
        assert!(!is_known(tx, end)?);
        assert_eq!(logins::renew(tx, tenant, &opened.token, json!({}), end)?, None);

        let renewed = logins::renew(tx, tenant, &opened.token, json!({}), end - second)?.unwrap();
        assert!(logins::recognize(tx, tenant, &renewed, end)?.is_some());
        let login = logins::recognize(tx, tenant, &renewed, now)?.unwrap();
        logins::close(tx, &login)?;
        assert!(logins::recognize(tx, tenant, &renewed, now)?.is_none() && !is_known(tx, now)?);
        Ok(())
    });
}

#[test]
fn sessions_and_keys_are_of_one_site() {
    story(|tx, scene| {
        let user = registered(tx, scene)?;
        let other = a_site(tx, "other", scene.now)?;
        let opened = logins::open(tx, scene.tenant, &user, json!({}), None, scene.now)?;
        let key = api_keys::make(tx, scene, &user, None)?;
        assert!(api_keys::recognize(tx, scene.tenant, &key, scene.now)?.is_some());
        assert!(api_keys::recognize(tx, &other, &key, scene.now)?.is_none());
        assert!(logins::recognize(tx, &other, &opened.token, scene.now)?.is_none());
        assert!(logins::recognize_secret(tx, &other, &opened.secret, scene.now)?.is_none());
        assert!(logins::recognize(tx, scene.tenant, &opened.secret, scene.now)?.is_none());
        assert!(logins::recognize_secret(tx, scene.tenant, &opened.token, scene.now)?.is_none());
        Ok(())
    });
}

#[test]
fn where_an_address_must_be_verified_a_password_does_not_help() {
    story(|tx, scene| {
        let register = |tx: &mut dyn Connection, asked: &Registration| {
            registration::register(tx, scene, asked, true, Some("https://site.test"))
        };
        let tenant_id = scene.tenant.tenant_id;
        let is_unproven =
            |result: Result<User, Refusal>| matches!(result, Err(Refusal::Unproven { field: "email", .. }));
        assert!(is_unproven(register(tx, &xia())?));
        assert!(is_unproven(register(tx, &Registration { wants_code: true, ..xia() })?));
        assert_eq!(users::by_email(tx, tenant_id, "xia@people.test")?, None);
        let mails = tx.query("SELECT body FROM mails WHERE recipient = $1", &["xia@people.test".into()])?;
        let bodies: Vec<String> = mails.into_iter().map(|mut row| row.next()).collect::<Result<_, _>>()?;
        let [body] = &bodies[..] else { panic!("one mail in {bodies:?}") };
        assert!(body.contains("https://site.test/api/auth/"), "{body}");
        let is_code = |word: &&str| word.len() == 6 && word.bytes().all(|byte| byte.is_ascii_digit());
        let code = body.split_whitespace().find(is_code).map(str::to_owned);
        let user = register(tx, &Registration { email_code: code, ..xia() })?.unwrap();
        assert_eq!(user.person.email_verified_at, Some(scene.now));
        // Who asks for an address that somebody has gets the same answer as before.
        assert!(is_unproven(register(tx, &Registration { wants_code: true, ..xia() })?));
        Ok(())
    });
}

#[test]
fn programs_are_told_who_joins() {
    story(|tx, scene| {
        let user = registered(tx, scene)?;
        proofs::unset_password(tx, scene, &user)?;
        let user = users::by_id(tx, user.id)?.unwrap();
        proofs::invite(tx, scene.tenant, scene.now, &user, Some("https://site.test"))?;
        let sql = "SELECT body FROM mails WHERE template = $1";
        let body: String = tx.query_one(sql, &["activation".into()])?.next()?;
        let key = body.split("/api/auth/").nth(1).and_then(|rest| rest.get(..40)).unwrap();
        proofs::activate(tx, scene, key, ("hash", None), &PersonFields::default())?.unwrap()?;
        let sql = "SELECT event_type FROM events WHERE object_id = $1 ORDER BY record_id";
        let rows = tx.query(sql, &[user.id.into()])?;
        let events: Vec<String> = rows.into_iter().map(|mut row| row.next()).collect::<Result<_, _>>()?;
        assert_eq!(events, ["USER_REGISTERED", "USER_WELCOME", "USER_ACTIVATED"]);
        Ok(())
    });
}

#[test]
fn what_counts_by_a_sites_clock_is_not_forgotten_by_the_servers() {
    story(|tx, scene| {
        let tenant_id = scene.tenant.tenant_id;
        let hour = SignedDuration::from_hours(1);
        let count = |tx: &mut dyn Connection| failed_attempts::count(tx, tenant_id, "name:xia", scene.now);
        failed_attempts::add(tx, tenant_id, "name:xia", scene.now, later(scene.now, hour))?;
        verification::send(tx, scene.tenant, scene.now, "xia@people.test", None, None)?;
        let two_later = later(scene.now, hour * 2);
        storage::tenants::set_clock_offset(tx, tenant_id, -hour)?;
        assert_eq!(failed_attempts::forget(tx, two_later, 10)?, 0);
        assert_eq!(verification_codes::forget(tx, two_later, 10)?, 0);
        assert_eq!(count(tx)?, 1);
        storage::tenants::set_clock_offset(tx, tenant_id, SignedDuration::ZERO)?;
        // The mail was counted, too.
        assert_eq!(failed_attempts::forget(tx, two_later, 10)?, 2);
        assert_eq!(verification_codes::forget(tx, two_later, 10)?, 1);
        assert_eq!(count(tx)?, 0);
        Ok(())
    });
}

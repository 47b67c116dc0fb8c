//! DjaoApp's desk: people, their profiles, and what they may do.

mod activities;
mod agreements;
mod auth;
mod desks;
mod guards;
mod profiles;
mod role_kinds;
mod role_limits;
mod role_requests;
mod roles;
mod users;

use billing::Caller;
use jiff::{SignedDuration, Timestamp};
use operations::agreements::AgreementChange;
use operations::role_kinds::Scene;
use operations::users::PersonFields;
use operations::{access, clock, logins, sites};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU32, Ordering};
use storage::{Connection, Outcome, Store, StoreOptions};
use testkit::{Http, Tenant, World};
use uuid::Uuid;

/// A site: a tenant with a domain of its own, on the shared server.
pub(crate) struct Site<'a> {
    world: &'a World,
    tenant: Tenant,
    domain: String,
}

impl<'a> Site<'a> {
    #[track_caller]
    pub(crate) fn new(world: &'a World) -> Site<'a> {
        static COUNT: AtomicU32 = AtomicU32::new(1);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let (api_key, api_secret) = (format!("site-{number}"), format!("secret-{number}"));
        let domain = format!("site-{number}.test");
        let command = ["tenant", "create", "--api-key", &api_key, "--api-secret", &api_secret];
        let id = world.billhook(command.into_iter().chain(["--domain", &domain]));
        Site { world, tenant: Tenant { id, api_key, api_secret }, domain }
    }

    /// The slug of the profile of the site itself.
    pub(crate) fn broker(&self) -> &str {
        &self.tenant.api_key
    }

    /// Scheme and host by which the site is called.
    pub(crate) fn base(&self) -> String {
        format!("http://{}", self.domain)
    }

    /// A client of Kill Bill's desk in the same tenant.
    pub(crate) fn killbill(&self) -> Http {
        self.world.killbill_of(&self.tenant)
    }

    /// Somebody who is not logged in.
    pub(crate) fn visitor(&self) -> Http {
        self.world.http().with("Host", &self.domain)
    }

    /// A new user, `NAME@people.test`, with a password, who is logged in.
    #[track_caller]
    pub(crate) fn user(&self, name: &str) -> Http {
        let name = name.to_owned();
        let token = self.inside(move |tx, scene| {
            let fields = PersonFields {
                username: Some(name.clone()),
                email: Some(Some(format!("{name}@people.test"))),
                full_name: Some(Some(name.clone())),
                ..PersonFields::default()
            };
            let tenant = scene.tenant;
            let hash = Some("no password has this hash".to_owned());
            let user =
                operations::users::create(tx, tenant.tenant_id, scene.caller, scene.now, &fields, hash)?;
            let shown = json!({ "username": name });
            Ok(logins::open(tx, tenant, &user, shown, None, clock::real())?.token)
        });
        self.visitor().with_bearer(&token)
    }

    /// Registers somebody with the password [`PASSWORD`], and answers a client who is logged in.
    #[track_caller]
    pub(crate) fn registered(&self, name: &str) -> Http {
        let email = format!("{name}@people.test");
        let body =
            json!({ "username": name, "email": email, "full_name": "Xia Lee", "new_password": PASSWORD });
        let made = self.visitor().post("/api/auth/register", body).status(201).json();
        self.visitor().with_bearer(made["token"].as_str().expect("a token is a text"))
    }

    /// The texts of all mails of this site to this address, once all that is due is done.
    #[track_caller]
    pub(crate) fn mails_to(&self, address: &str) -> Vec<String> {
        // What asks for a mail may itself be due work, so that the mail is due only after it.
        for _ in 0..2 {
            self.killbill().get("/test/queues?timeoutSec=30").status(200);
        }
        let is_word = |character: char| character.is_ascii_alphanumeric() || character == '-';
        let is_own = |text: &String| text.split(|c| !is_word(c)).any(|word| word == self.tenant.api_key);
        self.world.server().mails_to(address).into_iter().filter(is_own).collect()
    }

    /// Makes terms of use that everybody must sign.
    #[track_caller]
    pub(crate) fn make_terms(&self) {
        self.inside(|tx, scene| {
            let title = Some("Terms of use".to_owned());
            let new = AgreementChange { title, ..AgreementChange::default() };
            operations::agreements::create(tx, scene, &new)
        });
    }

    /// Lets some time pass on the site's clock.
    #[track_caller]
    pub(crate) fn wait_minutes(&self, minutes: i64) {
        let shown = self.killbill().get("/test/clock").status(200).json();
        let now: Timestamp = shown["currentUtcTime"].as_str().expect("a text").parse().expect("an instant");
        let later = now + SignedDuration::from_mins(minutes);
        self.killbill().post(format!("/test/clock?requestedDate={later}"), json!({})).status(200);
    }

    /// A new user without a password, who is logged in by other means.
    #[track_caller]
    pub(crate) fn user_without_password(&self, name: &str) -> Http {
        let client = self.user(name);
        let name = name.to_owned();
        self.inside(move |tx, scene| {
            let id = access::user(tx, scene.tenant.tenant_id, &name)?.id;
            let sql = "UPDATE users SET password_hash = NULL WHERE tenant_id = $1 AND id = $2";
            Ok(tx.execute(sql, &[scene.tenant.tenant_id.0.into(), id.into()])?)
        });
        client
    }

    /// A new user who manages the site.
    #[track_caller]
    pub(crate) fn manager(&self, name: &str) -> Http {
        let client = self.user(name);
        self.give_role(name, self.broker(), "manager");
        client
    }

    /// Gives a user a role, with no questions asked.
    #[track_caller]
    pub(crate) fn give_role(&self, name: &str, slug: &str, kind: &str) {
        let (name, slug, kind) = (name.to_owned(), slug.to_owned(), kind.to_owned());
        self.inside(move |tx, scene| {
            let tenant_id = scene.tenant.tenant_id;
            let user = access::user(tx, tenant_id, &name)?;
            let organization = access::organization(tx, tenant_id, &slug)?;
            let mut role = operations::roles::make_manager(tx, scene, &user, &organization)?;
            role.role_description_id =
                Some(operations::role_kinds::find(tx, tenant_id, Some(organization.id), &kind)?.id);
            Ok(storage::organization_roles::update(tx, tenant_id, &role)?)
        });
    }

    /// Does something in the book itself, as a site's program would.
    #[track_caller]
    pub(crate) fn inside<T: Send + 'static>(
        &self,
        work: impl Fn(&mut dyn Connection, Scene<'_>) -> Outcome<T> + Send + 'static,
    ) -> T {
        let options = StoreOptions { writers: 1, readers: 1, ..StoreOptions::default() };
        let store = Store::open(self.world.server().database(), options).unwrap();
        let domain = self.domain.clone();
        let done = store.write_now(move |tx| {
            let tenant = sites::of_host(tx, Some(&domain))?.expect("the site was made");
            let (caller, now) = (Caller::system(Uuid::new_v4()), clock::now(&tenant));
            sites::ensure(tx, &tenant, now)?;
            work(tx, Scene { tenant: &tenant, caller: &caller, now })
        });
        store.close();
        done.unwrap()
    }
}

/// The password of those who registered.
pub(crate) const PASSWORD: &str = "the cat sat on the mat";
/// The slug of a new profile that a user manages.
#[track_caller]
pub(crate) fn profile(client: &Http, username: &str, name: &str) -> String {
    let made =
        client.post(format!("/api/users/{username}/profiles"), json!({ "full_name": name })).status(201);
    made.json()["slug"].as_str().expect("a profile has a slug").to_owned()
}

/// One member of each result of a list; `path` is a JSON pointer.
#[track_caller]
pub(crate) fn column(list: &Value, path: &str) -> Vec<String> {
    let results = list["results"].as_array().unwrap_or_else(|| panic!("{list} is no list"));
    let text = |item: &Value| item.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
    results.iter().map(text).collect()
}

/// The path and query of a URL of a site.
#[track_caller]
pub(crate) fn path_of(url: &Value) -> String {
    let url = url.as_str().unwrap_or_else(|| panic!("{url} is no URL"));
    let rest = url.strip_prefix("http://").and_then(|rest| rest.split_once('/'));
    format!("/{}", rest.unwrap_or_else(|| panic!("{url} is no URL")).1)
}

/// Checks that a body names exactly this field as wrong.
#[track_caller]
pub(crate) fn check_field(body: &Value, field: &str) {
    let members = body.as_object().unwrap_or_else(|| panic!("{body} is no object"));
    let is_texts = |value: &Value| value[0].is_string() || value.is_string();
    assert!(
        members.len() == 1 && members.get(field).is_some_and(is_texts),
        "{field} is not what is wrong: {body}"
    );
}

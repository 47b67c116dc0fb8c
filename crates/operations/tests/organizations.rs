//! What no desk asks for yet: sign-up, the first currency, a tree whose top is gone, and the audit records of credentials.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use billing::account::{Account, AccountChange, AccountDetails, AccountStatus, NewAccount};
use billing::organization::{Contact, Kind, Obstacle, Organization};
use billing::payment_method::{EXTERNAL_PAYMENT, NewPaymentMethod};
use billing::tag::TagDefinition;
use billing::{Caller, ObjectType, Permission, Permissions, Refusal, Tenant, TenantId};
use jiff::Timestamp;
use operations::mikrocloud_tokens::{self, NewKey, NewToken};
use operations::organizations::{self, NewOrganization};
use operations::owner::Object;
use operations::tenants::NewTenant;
use operations::{accounts, payment_methods, security, tags};
use storage::users::User;
use storage::{Connection, Error, Outcome, Store, StoreOptions};
use uuid::Uuid;

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

/// Tells a story in a book and a tenant of its own.
fn story(work: impl Fn(&mut dyn Connection, &Tenant, &Caller) -> Outcome<()> + Send + 'static) {
    let path = std::env::temp_dir().join(format!("billhook-{}.sqlite", Uuid::new_v4()));
    let store = Store::open(&format!("sqlite:{}", path.display()), StoreOptions::default()).unwrap();
    let told = store.write_now(move |tx| {
        let caller = Caller::system(Uuid::nil());
        let new = NewTenant { api_key: "key".into(), api_secret_hash: "hash".into(), ..NewTenant::default() };
        let tenant = operations::tenants::create(tx, &caller, NOW, &new)?;
        work(tx, &tenant, &caller)
    });
    store.close();
    for end in ["", "-wal", "-shm"] {
        drop(std::fs::remove_file(format!("{}{end}", path.display())));
    }
    told.unwrap();
}

#[test]
fn who_signs_up_owns_a_default_organization_and_works_for_it() {
    story(|tx, tenant, caller| {
        let tenant_id = tenant.tenant_id;
        let user = User {
            id: Uuid::new_v4(),
            tenant_id,
            username: "hannes".into(),
            email: Some("hannes@mikrocloud.com".into()),
            password_hash: None,
            current_organization_id: None,
            person: storage::users::Person::default(),
            is_active: true,
        };
        let organization = organizations::sign_up(tx, tenant_id, caller, NOW, &user, Contact::default())?;
        assert_eq!(organization.owner_id, Some(user.id));
        assert_eq!(organizations::get(tx, tenant_id, organization.id)?, organization);
        let records = storage::audit::of_object(tx, tenant_id, ObjectType::User, user.id)?;
        assert_eq!(records.len(), 1, "{records:?}");
        let kept = storage::users::by_id(tx, user.id)?.unwrap();
        assert_eq!(kept.current_organization_id, Some(organization.id));
        let again = organizations::sign_up(tx, tenant_id, caller, NOW, &user, Contact::default());
        assert!(matches!(again, Err(Error::Refused(Refusal::UserTaken { .. }))));
        Ok(())
    });
}

#[test]
fn the_first_currency_is_settled_once() {
    story(|tx, tenant, caller| {
        let tenant_id = tenant.tenant_id;
        storage::tenants::add_value(
            tx,
            tenant_id,
            Uuid::new_v4(),
            accounts::CURRENCIES_SETTING,
            "USD, AUD",
            NOW,
        )?;
        let nobody = Caller { permissions: Permissions::only(&[]), ..caller.clone() };
        for (country, expected) in [(Some("AU"), "AUD"), (Some("JP"), "USD"), (None, "USD")] {
            let details = AccountDetails { country: country.map(str::to_owned), ..AccountDetails::default() };
            let new = NewAccount { details, ..NewAccount::default() };
            let id = accounts::open(tx, tenant_id, caller, NOW, &new)?.account.id;
            for _ in 0..2 {
                let settled = accounts::settle_currency(tx, tenant_id, id, &nobody, NOW)?;
                assert_eq!(settled.code(), expected);
            }
            assert_eq!(accounts::get(tx, tenant_id, id)?.account.currency.unwrap().code(), expected);
            let records = storage::audit::of_account(tx, tenant_id, id)?;
            assert_eq!(records.len(), 2, "opened, and settled once");
        }
        let new = NewAccount { currency: Some("EUR".into()), ..NewAccount::default() };
        let id = accounts::open(tx, tenant_id, caller, NOW, &new)?.account.id;
        assert_eq!(accounts::settle_currency(tx, tenant_id, id, caller, NOW)?.code(), "EUR");
        Ok(())
    });
}

#[test]
fn a_tree_without_its_top_is_not_cleared() {
    story(|tx, tenant, caller| {
        let tenant_id = tenant.tenant_id;
        let new = NewOrganization { name: "Top".into(), ..NewOrganization::default() };
        let top = organizations::create(tx, tenant_id, caller, NOW, &new)?;
        let new = NewOrganization { name: "Leaf".into(), parent_id: Some(top.id), ..new };
        let leaf = organizations::create(tx, tenant_id, caller, NOW, &new)?;
        assert_eq!(organizations::clearance(tx, tenant_id, NOW, leaf.id)?, [Obstacle::NoAccount]);
        tx.execute(
            "DELETE FROM organizations WHERE tenant_id = $1 AND id = $2",
            &[tenant_id.0.into(), top.id.into()],
        )?;
        assert_eq!(organizations::clearance(tx, tenant_id, NOW, leaf.id)?, [Obstacle::TopOfTreeMissing]);
        Ok(())
    });
}

#[test]
fn an_account_belongs_to_one_organization() {
    story(|tx, tenant, caller| {
        let tenant_id = tenant.tenant_id;
        let account_id = accounts::open(tx, tenant_id, caller, NOW, &NewAccount::default())?.account.id;
        let new = NewOrganization {
            name: "One".into(),
            account_id: Some(account_id),
            ..NewOrganization::default()
        };
        let one = organizations::create(tx, tenant_id, caller, NOW, &new)?;
        let refused = organizations::create(tx, tenant_id, caller, NOW, &new).unwrap_err().to_string();
        assert!(refused.contains(&one.id.to_string()), "{refused}");

        let archived = NewAccount { status: Some(AccountStatus::Archived), ..NewAccount::default() };
        let archived = accounts::open(tx, tenant_id, caller, NOW, &archived)?.account.id;
        let new = NewOrganization { account_id: Some(archived), ..new };
        let refused = organizations::create(tx, tenant_id, caller, NOW, &new);
        assert!(matches!(refused, Err(Error::Refused(Refusal::Archived { .. }))), "{refused:?}");
        Ok(())
    });
}

#[test]
fn who_may_not_make_accounts_or_users_makes_no_organizations() {
    story(|tx, tenant, caller| {
        let tenant_id = tenant.tenant_id;
        let with = |permissions: &[Permission]| Caller {
            permissions: Permissions::only(permissions),
            ..caller.clone()
        };
        let new = NewOrganization { name: "One".into(), ..NewOrganization::default() };
        let owned = NewOrganization { owner_email: Some("a@b.org".into()), ..new.clone() };
        let user = User {
            id: Uuid::new_v4(),
            tenant_id,
            username: "hannes".into(),
            email: None,
            password_hash: None,
            current_organization_id: None,
            is_active: true,
            person: storage::users::Person::default(),
        };
        let (nobody, opener) = (with(&[]), with(&[Permission::AccountCreate]));
        for refused in [
            organizations::create(tx, tenant_id, &nobody, NOW, &new),
            organizations::create(tx, tenant_id, &opener, NOW, &owned),
            organizations::sign_up(tx, tenant_id, &nobody, NOW, &user, Contact::default()),
        ] {
            assert!(matches!(refused, Err(Error::Refused(Refusal::NotPermitted(_)))), "{refused:?}");
        }
        organizations::create(tx, tenant_id, &opener, NOW, &new)?;
        organizations::sign_up(
            tx,
            tenant_id,
            &with(&[Permission::UserCreate]),
            NOW,
            &user,
            Contact::default(),
        )?;
        // Who is a user already is not made one.
        organizations::create(tx, tenant_id, caller, NOW, &owned)?;
        organizations::create(tx, tenant_id, &opener, NOW, &owned)?;
        Ok(())
    });
}

#[test]
fn tags_are_those_of_an_object_of_a_kind() {
    story(|tx, tenant, caller| {
        let tenant_id = tenant.tenant_id;
        let account_id = accounts::open(tx, tenant_id, caller, NOW, &NewAccount::default())?.account.id;
        let new = NewPaymentMethod { plugin_name: EXTERNAL_PAYMENT.into(), ..NewPaymentMethod::default() };
        let new = (&new, payment_methods::Choice::default());
        let method_id = payment_methods::add(tx, tenant_id, account_id, caller, NOW, new)?;
        let card = TagDefinition {
            id: Uuid::new_v4(),
            name: "card".into(),
            description: "d".into(),
            applicable_object_types: vec![ObjectType::PaymentMethod],
        };
        tags::define(tx, tenant_id, caller, NOW, &card)?;
        let method = Object { object_type: ObjectType::PaymentMethod, id: method_id };
        tags::add(tx, tenant_id, method, caller, NOW, &[card.id])?;
        let mut worn = |kind| storage::tags::of_object(tx, tenant_id, kind, method_id, true);
        assert_eq!(worn(ObjectType::PaymentMethod)?.len(), 1);
        assert_eq!(worn(ObjectType::Account)?, []);
        Ok(())
    });
}

#[test]
fn a_tree_has_a_bottom() {
    story(|tx, tenant, caller| {
        let mut new = NewOrganization { name: "Level".into(), ..NewOrganization::default() };
        let mut made = Vec::new();
        let refused = loop {
            match organizations::create(tx, tenant.tenant_id, caller, NOW, &new) {
                Ok(organization) => new.parent_id = Some(organization.id),
                Err(error) => break error,
            }
            made.push(new.parent_id);
            assert!(made.len() <= billing::organization::TREE_DEPTH_LIMIT + 1, "the tree has no bottom");
        };
        assert!(
            matches!(refused, Error::Refused(Refusal::FieldInvalid { field: "parent", .. })),
            "{refused}"
        );
        let deepest = made.last().copied().flatten().unwrap();
        organizations::top_of_tree(tx, tenant.tenant_id, deepest)?;
        Ok(())
    });
}

/// What the audit log says of the credentials of a tenant, oldest first: the change and the record.
fn credentials_log(tx: &mut dyn Connection, tenant_id: TenantId) -> Vec<(String, serde_json::Value)> {
    let sql = "SELECT change_type, changed_by, snapshot FROM audit_log
               WHERE tenant_id = $1 AND object_type = $2 ORDER BY record_id";
    let rows = tx.query(sql, &[tenant_id.0.into(), ObjectType::User.name().into()]).unwrap();
    let read = |mut row: storage::Row| {
        let change: String = row.next().unwrap();
        assert_eq!(row.next::<String>().unwrap(), Caller::system(Uuid::nil()).changed_by);
        let snapshot: String = row.next().unwrap();
        (change, serde_json::from_str(&snapshot).unwrap())
    };
    rows.into_iter().map(read).collect()
}

#[test]
fn who_trusts_a_key_and_who_revokes_it_is_recorded_without_secrets() {
    story(|tx, tenant, caller| {
        let secret = "a secret of at least thirty-two bytes";
        let mut new = NewKey {
            key_id: Some("login".into()),
            algorithm: "HS256".into(),
            material: secret.into(),
            issuer: Some("https://one.example".into()),
            audience: None,
        };
        let tenant_id = tenant.tenant_id;
        mikrocloud_tokens::add_key(tx, tenant_id, caller, NOW, &new)?;
        new.issuer = Some("https://two.example".into());
        mikrocloud_tokens::add_key(tx, tenant_id, caller, NOW, &new)?;
        mikrocloud_tokens::revoke_key(tx, tenant_id, caller, NOW, "login")?;
        let again = mikrocloud_tokens::add_key(tx, tenant_id, caller, NOW, &new);
        assert!(matches!(again, Err(Error::Refused(Refusal::TokenKeyInvalid { .. }))), "{again:?}");

        let log = credentials_log(tx, tenant_id);
        let changes: Vec<&str> = log.iter().map(|(change, _)| change.as_str()).collect();
        assert_eq!(changes, ["INSERT", "UPDATE", "DELETE"]);
        assert_eq!(log[0].1["issuer"], "https://one.example");
        assert_eq!(log[1].1["issuer"], "https://two.example");
        assert!(log.iter().all(|(_, key)| key["tokenKey"] == "login" && !key.to_string().contains(secret)));

        let acme = NewOrganization { name: "Acme".into(), ..NewOrganization::default() };
        let organization = organizations::create(tx, tenant_id, caller, NOW, &acme)?;
        let new = NewToken {
            organization_id: organization.id,
            user: None,
            scopes: vec![mikrocloud_tokens::SCOPE_READ.into()],
            timezone: "UTC".into(),
            lifetime: jiff::SignedDuration::from_hours(1),
        };
        let nobody = Caller { permissions: Permissions::only(&[]), ..caller.clone() };
        let refused = mikrocloud_tokens::issue(tx, tenant, &nobody, NOW, &new);
        assert!(matches!(refused, Err(Error::Refused(Refusal::NotPermitted(_)))), "{refused:?}");
        for _ in 0..2 {
            mikrocloud_tokens::issue(tx, tenant, caller, NOW, &new)?;
        }
        let own = credentials_log(tx, tenant_id).split_off(log.len());
        assert_eq!(own.len(), 1, "the server's own key is made once: {own:?}");
        assert_eq!(own[0].1["maySign"], true);
        Ok(())
    });
}

#[test]
fn the_first_user_is_made_once_and_recorded() {
    story(|tx, _, caller| {
        assert!(security::ensure_admin(tx, caller, NOW, "hash")?);
        assert!(!security::ensure_admin(tx, caller, NOW, "another hash")?);
        let (change, record) = credentials_log(tx, TenantId::SERVER).remove(0);
        assert_eq!((change.as_str(), &record["username"]), ("INSERT", &"admin".into()));
        assert!(!record.to_string().contains("hash"), "{record}");
        Ok(())
    });
}

/// Opens an account of this key, of which no organization is made yet.
fn opened(tx: &mut dyn Connection, tenant: &Tenant, caller: &Caller, key: &str) -> Outcome<Uuid> {
    let new = NewAccount { external_key: Some(key.into()), ..NewAccount::default() };
    Ok(accounts::open(tx, tenant.tenant_id, caller, NOW, &new)?.account.id)
}

#[test]
fn an_account_whose_key_and_id_are_taken_becomes_an_organization_all_the_same() {
    story(|tx, tenant, caller| {
        let tenant_id = tenant.tenant_id;
        let id = opened(tx, tenant, caller, "acme")?;
        for slug in ["acme".to_owned(), id.to_string()] {
            let other = Organization::new(Uuid::new_v4(), slug, Kind::Organization, "Other".into(), NOW);
            storage::organizations::insert(tx, tenant_id, &other)?.unwrap();
        }
        assert_eq!(organizations::adopt_accounts(tx, tenant_id, 10)?, 1);
        assert_eq!(organizations::adopt_accounts(tx, tenant_id, 10)?, 0);
        let made = organizations::get(tx, tenant_id, id)?;
        assert!(made.slug.starts_with("profile-"), "{}", made.slug);
        assert_eq!(made.account_id, Some(id));
        Ok(())
    });
}

#[test]
fn a_profile_is_deleted_whose_account_was_archived_elsewhere() {
    story(|tx, tenant, caller| {
        let tenant_id = tenant.tenant_id;
        operations::sites::ensure(tx, tenant, NOW)?;
        let id = opened(tx, tenant, caller, "acme")?;
        let archived = |_: &Account| {
            Ok(AccountChange { status: Some(AccountStatus::Archived), ..AccountChange::default() })
        };
        accounts::change(tx, tenant_id, id, caller, NOW, &archived)?;
        organizations::adopt_account(tx, tenant_id, id)?;
        operations::profiles::delete(tx, tenant, caller, NOW, id)?;
        assert!(organizations::get(tx, tenant_id, id)?.slug.starts_with("_archive_"));
        Ok(())
    });
}

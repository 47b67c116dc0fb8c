//! What no desk asks for yet: sign-up, the first currency, and a tree whose top is gone.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use billing::account::{AccountDetails, NewAccount};
use billing::organization::Obstacle;
use billing::{Caller, Permissions, Refusal, Tenant};
use jiff::Timestamp;
use operations::accounts;
use operations::organizations::{self, NewOrganization};
use operations::tenants::NewTenant;
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
            is_active: true,
        };
        let organization = organizations::sign_up(tx, tenant_id, caller, NOW, &user)?;
        assert_eq!(organization.owner_id, Some(user.id));
        assert_eq!(organizations::get(tx, tenant_id, organization.id)?, organization);
        let kept = storage::users::by_id(tx, user.id)?.unwrap();
        assert_eq!(kept.current_organization_id, Some(organization.id));
        let again = organizations::sign_up(tx, tenant_id, caller, NOW, &user);
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
        let nobody = Caller { permissions: Permissions::default(), ..caller.clone() };
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

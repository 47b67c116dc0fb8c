//! Users and profiles as this contract shows them: short in lists and inside others, with all details alone.

use crate::json::{extra, instant};
use billing::organization::Organization;
use serde::Serialize;
use serde_json::Value;
use storage::users::User;

/// A user inside a list.
#[derive(Serialize)]
pub(crate) struct UserShort {
    slug: String,
    username: String,
    printable_name: String,
    picture: Option<String>,
}

impl UserShort {
    pub(crate) fn of(user: &User) -> UserShort {
        let person = &user.person;
        let name = person.full_name.clone().filter(|name| !name.is_empty());
        UserShort {
            slug: user.username.clone(),
            username: user.username.clone(),
            printable_name: name.unwrap_or_else(|| user.username.clone()),
            picture: person.picture.clone(),
        }
    }
}

/// A user with all details.
#[derive(Serialize)]
pub(crate) struct UserDetail {
    #[serde(flatten)]
    short: UserShort,
    email: Option<String>,
    phone: Option<String>,
    full_name: String,
    nick_name: String,
    lang: String,
    credentials: bool,
    otp_enabled: bool,
    extra: Value,
    created_at: String,
    last_login: Option<String>,
}

impl UserDetail {
    pub(crate) fn of(user: &User) -> UserDetail {
        let person = &user.person;
        let full_name = person.full_name.clone().unwrap_or_default();
        let first_name = full_name.split_whitespace().next().unwrap_or_default().to_owned();
        UserDetail {
            short: UserShort::of(user),
            email: user.email.clone(),
            phone: person.phone.clone(),
            nick_name: person.nick_name.clone().unwrap_or(first_name),
            full_name,
            lang: person.lang.clone().unwrap_or_else(|| "en".to_owned()),
            credentials: user.password_hash.is_some(),
            otp_enabled: person.otp_secret.is_some(),
            extra: extra(person.extra.as_deref()),
            created_at: instant(person.created_at),
            last_login: person.last_login_at.map(instant),
        }
    }
}

/// A profile inside a list.
#[derive(Serialize)]
pub(crate) struct ProfileShort {
    slug: String,
    printable_name: String,
    picture: Option<String>,
    #[serde(rename = "type")]
    kind: &'static str,
    credentials: bool,
    created_at: String,
}

impl ProfileShort {
    /// `has_credentials`: whether it is a person's, who can log in.
    pub(crate) fn of(organization: &Organization, has_credentials: bool) -> ProfileShort {
        ProfileShort {
            slug: organization.slug.clone(),
            printable_name: organization.printable_name().to_owned(),
            picture: organization.picture.clone(),
            kind: organization.kind.name(),
            credentials: has_credentials,
            created_at: instant(organization.created_at),
        }
    }
}

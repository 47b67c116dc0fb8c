//! Users and profiles as this contract shows them: short in lists and inside others, with all details alone.

use crate::activities::ActivityShown;
use crate::json::{extra, instant};
use billing::organization::Organization;
use serde::Serialize;
use serde_json::{Map, Value};
use storage::profiles::Profile;
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
    created_at: Option<String>,
    last_login: Option<String>,
}

impl UserDetail {
    pub(crate) fn of(user: &User) -> UserDetail {
        let person = &user.person;
        let full_name = person.full_name.clone().unwrap_or_default();
        let first_name = full_name.split_whitespace().next().unwrap_or_default().to_owned();
        let nick_name = person.nick_name.clone().unwrap_or(first_name);
        let mut short = UserShort::of(user);
        // Lists show the whole name.
        if !nick_name.is_empty() {
            short.printable_name.clone_from(&nick_name);
        }
        UserDetail {
            short,
            email: user.email.clone(),
            phone: person.phone.clone(),
            nick_name,
            full_name,
            lang: person.lang.clone().unwrap_or_else(|| "en".to_owned()),
            credentials: user.password_hash.is_some(),
            otp_enabled: person.otp_secret.is_some(),
            extra: extra(person.extra.as_deref()),
            created_at: Some(instant(person.created_at)),
            last_login: person.last_login_at.map(instant),
        }
    }
}

impl UserDetail {
    /// What anybody may know of a user, and his e-mail where the caller knows it already.
    pub(crate) fn reserved(user: &User, known_email: Option<&str>) -> UserDetail {
        let is_known =
            |email: &String| known_email.is_some_and(|known| known.trim().eq_ignore_ascii_case(email));
        UserDetail {
            email: user.email.clone().filter(is_known),
            phone: None,
            lang: "en".to_owned(),
            otp_enabled: false,
            extra: Value::Null,
            last_login: None,
            ..UserDetail::of(user)
        }
    }

    /// Somebody of whom nothing is known but his e-mail address.
    pub(crate) fn of_address(email: String) -> UserDetail {
        UserDetail {
            short: UserShort {
                slug: String::new(),
                username: String::new(),
                printable_name: email.clone(),
                picture: None,
            },
            email: Some(email),
            phone: None,
            full_name: String::new(),
            nick_name: String::new(),
            lang: "en".to_owned(),
            credentials: false,
            otp_enabled: false,
            extra: Value::Null,
            created_at: None,
            last_login: None,
        }
    }

    /// His members, for an answer that has more of them.
    pub(crate) fn into_members(self) -> Map<String, Value> {
        match serde_json::to_value(self) {
            Ok(Value::Object(members)) => members,
            _ => Map::new(),
        }
    }

    /// What a token tells of him: not what callers keep with him, which may be long.
    pub(crate) fn claims(self) -> Value {
        let mut members = self.into_members();
        members.remove("extra");
        Value::Object(members)
    }
}

/// A profile inside a list.
#[derive(Clone, Serialize)]
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

    /// The same with what is known of its person; a person is shown by the name he likes.
    pub(crate) fn of_profile(profile: &Profile) -> ProfileShort {
        let person = profile.person.as_ref();
        let has_credentials = person.is_some_and(|person| person.has_credentials);
        let short = ProfileShort::of(&profile.organization.organization, has_credentials);
        match person.and_then(|person| person.nick_name.clone()).filter(|name| !name.is_empty()) {
            Some(printable_name) => ProfileShort { printable_name, ..short },
            None => short,
        }
    }

    /// A user who has no profile.
    pub(crate) fn of_user(user: &User) -> ProfileShort {
        let UserShort { slug, printable_name, picture, .. } = UserShort::of(user);
        ProfileShort {
            slug,
            printable_name,
            picture,
            kind: "user",
            credentials: user.password_hash.is_some(),
            created_at: instant(user.person.created_at),
        }
    }
}

/// A profile with all details.
#[derive(Serialize)]
pub(crate) struct ProfileDetail {
    #[serde(flatten)]
    short: ProfileShort,
    full_name: String,
    email: Option<String>,
    phone: String,
    street_address: String,
    locality: String,
    region: String,
    postal_code: String,
    country: String,
    default_timezone: String,
    is_provider: bool,
    is_bulk_buyer: bool,
    no_implicit_role: bool,
    extra: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    nick_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lang: Option<String>,
}

impl ProfileDetail {
    pub(crate) fn of(profile: &Profile) -> ProfileDetail {
        let organization = &profile.organization.organization;
        let contact = &organization.contact;
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let person = profile.person.as_ref();
        ProfileDetail {
            short: ProfileShort::of_profile(profile),
            full_name: organization.name.clone(),
            email: contact.email.clone(),
            phone: contact.phone.as_deref().map(international).unwrap_or_default(),
            street_address: text(&contact.street_address),
            locality: text(&contact.locality),
            region: text(&contact.region),
            postal_code: text(&contact.postal_code),
            country: text(&contact.country),
            default_timezone: organization.time_zone.clone(),
            is_provider: organization.is_provider,
            is_bulk_buyer: organization.is_bulk_buyer,
            no_implicit_role: organization.no_implicit_role,
            extra: extra(organization.extra.as_deref()),
            nick_name: person.map(|person| {
                let full_name = person.full_name.clone().unwrap_or_default();
                let first_name = full_name.split_whitespace().next().unwrap_or_default().to_owned();
                person.nick_name.clone().unwrap_or(first_name)
            }),
            lang: person.map(|person| person.lang.clone().unwrap_or_else(|| "en".to_owned())),
        }
    }
}

/// E.164, as this contract has all numbers. Other desks take what is none: that is shown as it is.
fn international(phone: &str) -> String {
    let is_plain = phone.strip_prefix('+').is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_digit()));
    if is_plain {
        return phone.to_owned();
    }
    billing::phone::parse_phone("phone", phone).unwrap_or_else(|_| phone.to_owned())
}

/// A profile with all that belongs to it.
#[derive(Serialize)]
pub(crate) struct ProfileWhole {
    #[serde(flatten)]
    detail: ProfileDetail,
    subscriptions: Vec<Value>,
    activities: Vec<ActivityShown>,
}

impl ProfileWhole {
    /// `activities`: the notes about it that the caller may see.
    pub(crate) fn of(profile: &Profile, activities: Vec<ActivityShown>) -> ProfileWhole {
        // Nothing can be subscribed yet, so that this list is empty for every profile.
        ProfileWhole { detail: ProfileDetail::of(profile), subscriptions: Vec::new(), activities }
    }
}

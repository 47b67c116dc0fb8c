//! `billhook token`: issue tokens of the desks that use them, and say whose tokens count.

use crate::Book;
use crate::commands::tenant_with_key;
use anyhow::Context;
use billing::{Caller, Refusal, TenantId};
use clap::{Args, Subcommand};
use jiff::{SignedDuration, Span, SpanRelativeTo};
use operations::mikrocloud_tokens::{self, NewKey, NewToken, SCOPE_READ, SCOPE_WRITE};
use operations::{api_tokens, clock};
use std::path::PathBuf;
use storage::{Connection, Outcome, Store};
use uuid::Uuid;

#[derive(Subcommand, Debug)]
pub(crate) enum TokenCommand {
    /// Issue a token of MikroCloud's desk for an organization and print it
    Mikrocloud(MikrocloudToken),
    /// Make an API token of Togai's desk and print it, once: only a digest of it is kept
    Togai(TogaiToken),
    /// List the API tokens of Togai's desk that count: id, name, when they were made, when they end
    List {
        /// The API key of the tenant
        #[arg(long)]
        tenant: String,
    },
    /// Take an API token of Togai's desk back: it counts no more, nor what was made from it
    Revoke {
        /// The API key of the tenant
        #[arg(long)]
        tenant: String,
        /// Its id, as the list says it
        #[arg(long)]
        id: Uuid,
    },
    /// Say whose keys prove tokens of MikroCloud's desk, beside the server's own
    #[command(subcommand)]
    Key(KeyCommand),
}

#[derive(Args, Debug)]
pub(crate) struct MikrocloudToken {
    /// The API key of the tenant
    #[arg(long)]
    tenant: String,
    /// The organization that it speaks for; the one that the user works for at present when absent
    #[arg(long, value_name = "ORG_ID", required_unless_present = "user")]
    organization: Option<Uuid>,
    /// Who bears it; changes are recorded under this name
    #[arg(long, value_name = "EMAIL")]
    user: Option<String>,
    /// A scope that it grants; both when none is given
    #[arg(long = "scope", value_name = "SCOPE", value_parser = [SCOPE_READ, SCOPE_WRITE])]
    scopes: Vec<String>,
    /// The time zone in which its bearer reads times
    #[arg(long, value_name = "Area/City", default_value = "UTC")]
    timezone: String,
    /// How long it counts, such as 90s, 1h or 30d
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = duration)]
    expires_in: SignedDuration,
}

#[derive(Args, Debug)]
pub(crate) struct TogaiToken {
    /// The API key of the tenant
    #[arg(long)]
    tenant: String,
    /// Name for people; changes are recorded under it
    #[arg(long)]
    name: Option<String>,
    /// How long it counts, such as 90s, 1h or 30d; for ever when absent
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    expires_in: Option<SignedDuration>,
}

#[derive(Subcommand, Debug)]
pub(crate) enum KeyCommand {
    /// Trust tokens that are signed with a key, and print what they must call it in `kid`
    Add(NewKeyArguments),
    /// List the keys: what tokens call them, algorithm, issuer, audience, whether the server signs with them
    List {
        /// The API key of the tenant
        #[arg(long)]
        tenant: String,
    },
    /// Trust a key no more
    Revoke {
        /// The API key of the tenant
        #[arg(long)]
        tenant: String,
        /// What tokens call it
        #[arg(long)]
        key_id: String,
    },
}

#[derive(Args, Debug)]
pub(crate) struct NewKeyArguments {
    /// The API key of the tenant
    #[arg(long)]
    tenant: String,
    /// The key's algorithm; of a JWKS document each key says its own
    #[arg(long, value_parser = ["HS256", "RS256", "ES256"], required_unless_present = "jwks")]
    algorithm: Option<String>,
    #[command(flatten)]
    source: KeySource,
    /// What tokens call it in `kid`; made from the key when absent, for issuers who name no key
    #[arg(long, conflicts_with = "jwks")]
    key_id: Option<String>,
    /// What tokens must say in `iss`; without it, and without `kid` in the token, the key is not found
    #[arg(long)]
    issuer: Option<String>,
    /// What tokens must name in `aud`
    #[arg(long)]
    audience: Option<String>,
}

#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
pub(crate) struct KeySource {
    /// A file with the public key as PEM, for RS256 or ES256
    #[arg(long, value_name = "FILE")]
    public_key: Option<PathBuf>,
    /// A file with the secret of HS256, at least 32 bytes
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
    /// A file with a JSON Web Key Set
    #[arg(long, value_name = "FILE", conflicts_with = "algorithm")]
    jwks: Option<PathBuf>,
}

/// A length of time in words, such as `1h 30m` or `2d`; a day has 24 hours.
fn duration(text: &str) -> Result<SignedDuration, jiff::Error> {
    let span: Span = text.parse()?;
    span.to_duration(SpanRelativeTo::days_are_24_hours())
}

impl TokenCommand {
    pub(crate) fn run(self, book: &Book) -> anyhow::Result<()> {
        let store = book.open()?;
        match self {
            TokenCommand::Mikrocloud(command) => println!("{}", command.issue(&store)?),
            TokenCommand::Togai(command) => println!("{}", command.make(&store)?),
            TokenCommand::List { tenant } => list_api_tokens(&store, tenant)?,
            TokenCommand::Revoke { tenant, id } => {
                let caller = Caller::system(Uuid::new_v4());
                store.write_now(move |tx| {
                    let tenant_id = tenant_with_key(tx, &tenant)?.tenant_id;
                    api_tokens::revoke(tx, tenant_id, &caller, clock::real(), id)
                })?;
            }
            TokenCommand::Key(KeyCommand::Add(command)) => {
                for key_id in command.add(&store)? {
                    println!("{key_id}");
                }
            }
            TokenCommand::Key(KeyCommand::List { tenant }) => list_keys(&store, tenant)?,
            TokenCommand::Key(KeyCommand::Revoke { tenant, key_id }) => {
                let caller = Caller::system(Uuid::new_v4());
                store.write_now(move |tx| {
                    let tenant_id = tenant_with_key(tx, &tenant)?.tenant_id;
                    mikrocloud_tokens::revoke_key(tx, tenant_id, &caller, clock::real(), &key_id)
                })?;
            }
        }
        store.close();
        Ok(())
    }
}

impl MikrocloudToken {
    fn issue(self, store: &Store) -> anyhow::Result<String> {
        let both = || vec![SCOPE_READ.to_owned(), SCOPE_WRITE.to_owned()];
        let scopes = if self.scopes.is_empty() { both() } else { self.scopes };
        let (organization, user, timezone, lifetime) =
            (self.organization, self.user, self.timezone, self.expires_in);
        let (api_key, caller) = (self.tenant, Caller::system(Uuid::new_v4()));
        Ok(store.write_now(move |tx| {
            let tenant = tenant_with_key(tx, &api_key)?;
            let organization_id = match organization {
                Some(id) => id,
                None => current_organization(tx, tenant.tenant_id, user.as_deref().unwrap_or_default())?,
            };
            let new = NewToken {
                organization_id,
                user: user.clone(),
                scopes: scopes.clone(),
                timezone: timezone.clone(),
                lifetime,
            };
            mikrocloud_tokens::issue(tx, &tenant, &caller, clock::real(), &new)
        })?)
    }
}

/// The organization that a user, by name, e-mail address or phone number, works for at present.
fn current_organization(tx: &mut dyn Connection, tenant_id: TenantId, name: &str) -> Outcome<Uuid> {
    let user = operations::proofs::find(tx, tenant_id, name)?
        .ok_or_else(|| Refusal::UserUnknown { username: name.to_owned() })?;
    Ok(user.current_organization_id.ok_or(Refusal::FieldMissing { field: "organization" })?)
}

impl TogaiToken {
    fn make(self, store: &Store) -> anyhow::Result<String> {
        anyhow::ensure!(
            self.expires_in.is_none_or(|life| life.is_positive()),
            "--expires-in takes a time above zero"
        );
        let (token, now) = (api_tokens::new_token(), clock::real());
        let expires_at =
            self.expires_in.map(|life| now.checked_add(life)).transpose().context("--expires-in")?;
        let (api_key, name, made) = (self.tenant, self.name, token.clone());
        let caller = Caller::system(Uuid::new_v4());
        store.write_now(move |tx| {
            let tenant_id = tenant_with_key(tx, &api_key)?.tenant_id;
            api_tokens::make(tx, tenant_id, &caller, now, &made, (name.as_deref(), expires_at))
        })?;
        Ok(token)
    }
}

impl NewKeyArguments {
    fn add(self, store: &Store) -> anyhow::Result<Vec<String>> {
        let KeySource { public_key, secret_file, jwks } = self.source;
        let is_public = public_key.is_some();
        let path = public_key.or(secret_file).or_else(|| jwks.clone()).unwrap_or_default();
        let material =
            std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let (api_key, issuer, audience) = (self.tenant, self.issuer, self.audience);
        let caller = Caller::system(Uuid::new_v4());
        if jwks.is_some() {
            return Ok(store.write_now(move |tx| {
                let tenant_id = tenant_with_key(tx, &api_key)?.tenant_id;
                let said = (issuer.as_deref(), audience.as_deref());
                mikrocloud_tokens::add_key_set(tx, tenant_id, &caller, clock::real(), &material, said)
            })?);
        }
        let algorithm = self.algorithm.unwrap_or_default();
        anyhow::ensure!(
            is_public == (algorithm != "HS256"),
            "RS256 and ES256 take --public-key, HS256 takes --secret-file"
        );
        let new = NewKey { key_id: self.key_id, algorithm, material, issuer, audience };
        Ok(vec![store.write_now(move |tx| {
            let tenant_id = tenant_with_key(tx, &api_key)?.tenant_id;
            mikrocloud_tokens::add_key(tx, tenant_id, &caller, clock::real(), &new)
        })?])
    }
}

fn list_api_tokens(store: &Store, api_key: String) -> anyhow::Result<()> {
    let now = clock::real();
    let tokens = store.read_now(move |tx| {
        let tenant_id = tenant_with_key(tx, &api_key)?.tenant_id;
        api_tokens::list(tx, tenant_id)
    })?;
    println!("ID\tNAME\tMADE\tENDS");
    for token in tokens.into_iter().filter(|token| token.expires_at.is_none_or(|end| now < end)) {
        let name = token.name.unwrap_or_else(|| "-".to_owned());
        let end = token.expires_at.map_or_else(|| "-".to_owned(), |end| end.to_string());
        println!("{}\t{name}\t{}\t{end}", token.id, token.created_at);
    }
    Ok(())
}

fn list_keys(store: &Store, api_key: String) -> anyhow::Result<()> {
    let keys = store.read_now(move |tx| {
        let tenant_id = tenant_with_key(tx, &api_key)?.tenant_id;
        Ok(storage::token_keys::of_tenant(tx, tenant_id)?)
    })?;
    println!("KEY ID\tALGORITHM\tISSUER\tAUDIENCE\tUSE");
    for key in keys {
        let shown = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        let use_of_key = if key.may_sign { "signs" } else { "checks" };
        let (issuer, audience) = (shown(key.issuer), shown(key.audience));
        println!("{}\t{}\t{issuer}\t{audience}\t{use_of_key}", key.key_id, key.algorithm);
    }
    Ok(())
}

//! Why an operation is refused: one enum for the whole book. Each desk maps it to its own statuses and bodies.

use crate::{ObjectType, Permission};
use uuid::Uuid;

/// Why an operation is refused. The message is for people; programs tell refusals apart by the variant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A required field is missing or empty.
    #[error("{field} is required")]
    FieldMissing {
        /// Name of the field as the book calls it.
        field: &'static str,
    },
    /// A text is longer than its limit, in characters.
    #[error("{field} is longer than {limit} characters")]
    FieldTooLong {
        /// Name of the field.
        field: &'static str,
        /// Most characters it may have.
        limit: usize,
    },
    /// A text is shorter than it must be, in characters.
    #[error("{field} is shorter than {limit} characters")]
    FieldTooShort {
        /// Name of the field.
        field: &'static str,
        /// Fewest characters it must have.
        limit: usize,
    },
    /// A field holds what it cannot hold.
    #[error("{field} {why}")]
    FieldInvalid {
        /// Name of the field.
        field: &'static str,
        /// What is wrong, to be read after the field's name: "must be …".
        why: String,
    },
    /// Another object of the tenant has this value, which only one may have.
    #[error("{field} is taken")]
    ValueTaken {
        /// Name of the field.
        field: &'static str,
    },
    /// The caller lacks a permission.
    #[error("permission {0} is needed")]
    NotPermitted(Permission),
    /// No object of that kind has this id.
    #[error("{object_type} {id} does not exist")]
    ObjectUnknown {
        /// The kind of object.
        object_type: ObjectType,
        /// The id that was asked for.
        id: Uuid,
    },
    /// No account has this external key.
    #[error("account with key {key} does not exist")]
    AccountKeyUnknown {
        /// The key.
        key: String,
    },
    /// Another account of the tenant has this external key.
    #[error("an account with key {key} exists already")]
    AccountKeyTaken {
        /// The key.
        key: String,
    },
    /// A field that is fixed at creation was to change.
    #[error("{field} cannot change from {from} to {to}")]
    AccountFieldImmutable {
        /// Name of the field.
        field: &'static str,
        /// Its value.
        from: String,
        /// The value asked for.
        to: String,
    },
    /// The account that shall stand above another does not exist.
    #[error("parent account {id} does not exist")]
    ParentAccountUnknown {
        /// The id that was asked for.
        id: Uuid,
    },
    /// An account is its own parent or grandparent.
    #[error("account {id} cannot be beneath itself")]
    AccountTreeCycle {
        /// The account.
        id: Uuid,
    },
    /// Arguments of a blocking state that the rules reserve.
    #[error("{why}")]
    BlockingStateInvalid {
        /// What is wrong.
        why: String,
    },
    /// No tag definition has this id.
    #[error("tag definition {id} does not exist")]
    TagDefinitionUnknown {
        /// The id.
        id: Uuid,
    },
    /// A tag of a definition that does not exist.
    #[error("there is no tag definition {definition_id} to tag with")]
    TagOfUnknownDefinition {
        /// The definition's id.
        definition_id: Uuid,
    },
    /// Another definition has this name.
    #[error("a tag definition named {name} exists already")]
    TagDefinitionTaken {
        /// The name.
        name: String,
    },
    /// Some object still wears the tag.
    #[error("tag definition {id} is in use")]
    TagDefinitionInUse {
        /// The id.
        id: Uuid,
    },
    /// Names of tag definitions are lower case.
    #[error("tag definition name {name} must be lower case")]
    TagDefinitionNotLowerCase {
        /// The name.
        name: String,
    },
    /// The object does not wear the tag.
    #[error("tag {name} is not set")]
    TagUnknown {
        /// The name of its definition.
        name: String,
    },
    /// The tag cannot be put on that kind of object.
    #[error("tag {name} does not apply to {object_type}")]
    TagNotApplicable {
        /// Name of the tag.
        name: String,
        /// The kind of object.
        object_type: ObjectType,
    },
    /// Only the system sets this tag.
    #[error("tag {definition_id} is set by the system alone")]
    TagReservedForSystem {
        /// The definition's id.
        definition_id: Uuid,
    },
    /// AUTO_PAY_OFF stays while an account has no default payment method.
    #[error("account {id} has no default payment method")]
    TagNeedsDefaultPaymentMethod {
        /// The account.
        id: Uuid,
    },
    /// The object has a custom field of that name.
    #[error("custom field {name} exists already on {object_id}")]
    CustomFieldTaken {
        /// The field's name.
        name: String,
        /// The object.
        object_id: Uuid,
    },
    /// No custom field has this id.
    #[error("custom field {id} does not exist")]
    CustomFieldUnknown {
        /// The id.
        id: Uuid,
    },
    /// Name and object of a custom field are fixed.
    #[error("custom field {id} cannot get {field} {value}: only its value can change")]
    CustomFieldImmutable {
        /// The id.
        id: Uuid,
        /// What was to change: `name` or `objectId`.
        field: &'static str,
        /// What it was to become.
        value: String,
    },
    /// No payment method has this id.
    #[error("Payment method {id} does not exist")]
    PaymentMethodUnknown {
        /// The id.
        id: Uuid,
    },
    /// No payment method has this external key.
    #[error("payment method with key {key} does not exist")]
    PaymentMethodKeyUnknown {
        /// The key.
        key: String,
    },
    /// Another payment method of the tenant has this key, deleted ones included.
    #[error("A payment method with key {key} exists already")]
    PaymentMethodKeyTaken {
        /// The key.
        key: String,
    },
    /// The payment method belongs to another account.
    #[error("Payment method {id} has a different account id")]
    PaymentMethodOfAnotherAccount {
        /// The payment method.
        id: Uuid,
    },
    /// The default payment method is not deleted without being told so.
    #[error("Cannot delete default payment method for account {account_id}")]
    PaymentMethodIsDefault {
        /// The account.
        account_id: Uuid,
    },
    /// An account has at most one external payment method.
    #[error("account {id} has an external payment method already")]
    ExternalPaymentMethodTaken {
        /// The account.
        id: Uuid,
    },
    /// No such payment plugin.
    #[error("payment plugin {name} does not exist")]
    PaymentPluginUnknown {
        /// Its name.
        name: String,
    },
    /// Another tenant has this API key.
    #[error("a tenant with API key {api_key} exists already")]
    TenantKeyTaken {
        /// The API key.
        api_key: String,
    },
    /// No tenant has this API key.
    #[error("no tenant has API key {api_key}")]
    TenantKeyUnknown {
        /// The API key.
        api_key: String,
    },
    /// The user name is taken.
    #[error("user {username} exists already")]
    UserTaken {
        /// The name.
        username: String,
    },
    /// No such user.
    #[error("user {username} does not exist")]
    UserUnknown {
        /// The name.
        username: String,
    },
    /// The role exists already.
    #[error("role {role} exists already")]
    RoleTaken {
        /// Its name.
        role: String,
    },
    /// The role is the server's own.
    #[error("role {role} is the server's own and cannot be changed")]
    RoleReserved {
        /// Its name.
        role: String,
    },
    /// Without this user nobody could manage the server any more.
    #[error("user {username} is the last one with role {role}: give that role to another user first", role = crate::role::ROOT)]
    UserIsLastRoot {
        /// The name.
        username: String,
    },
    /// A permission of a role definition cannot be understood.
    #[error("permission {permission} is not of the form group:value")]
    PermissionInvalid {
        /// The text.
        permission: String,
    },
    /// No such organization.
    #[error("organization {id} does not exist")]
    OrganizationUnknown {
        /// Its id.
        id: Uuid,
    },
    /// Another organization of the tenant has this slug.
    #[error("the slug {slug} is taken")]
    SlugTaken {
        /// The slug.
        slug: String,
    },
    /// No organization has this slug.
    #[error("profile {slug} does not exist")]
    SlugUnknown {
        /// The slug.
        slug: String,
    },
    /// No kind of role has this slug.
    #[error("role {slug} does not exist")]
    RoleKindUnknown {
        /// The slug.
        slug: String,
    },
    /// Another kind of role of the tenant has this slug.
    #[error("role {slug} exists already")]
    RoleKindTaken {
        /// The slug.
        slug: String,
    },
    /// Somebody holds a role of this kind.
    #[error("role {slug} is held by somebody: take it from all its users first")]
    RoleKindInUse {
        /// The slug.
        slug: String,
    },
    /// The user has no role on the organization, or the key is no invitation's.
    #[error("there is no such role")]
    HeldRoleUnknown,
    /// A user has one role on an organization.
    #[error("{username} has a role on {slug} already")]
    RoleHeld {
        /// The user.
        username: String,
        /// The organization.
        slug: String,
    },
    /// An organization is not left without a manager by himself.
    #[error(
        "the last manager of {slug} cannot give the role up: name another manager first, or delete the profile"
    )]
    LastManager {
        /// The organization.
        slug: String,
    },
    /// No agreement has this slug.
    #[error("agreement {slug} does not exist")]
    AgreementUnknown {
        /// The slug.
        slug: String,
    },
    /// Who registers must agree to this, where he is asked.
    #[error("you must read and agree to {slug}")]
    AgreementNotSigned {
        /// The agreement.
        slug: String,
    },
    /// Another agreement of the tenant has this slug.
    #[error("agreement {slug} exists already")]
    AgreementTaken {
        /// The slug.
        slug: String,
    },
    /// The user must do something first.
    #[error("{why}")]
    NotReady {
        /// What, as a sentence.
        why: &'static str,
    },
    /// The user's roles do not open this to him.
    #[error("permission denied")]
    AccessDenied,
    /// The organization has a billing account.
    #[error("organization {id} has a billing account already")]
    OrganizationHasAccount {
        /// The organization.
        id: Uuid,
    },
    /// The organization has no billing account yet.
    #[error("organization {id} has no billing account")]
    OrganizationHasNoAccount {
        /// The organization.
        id: Uuid,
    },
    /// Only the organization at the top of the tree has a billing account.
    #[error("organization {id} is billed through the organization at the top of its tree")]
    OrganizationIsNotTop {
        /// The organization beneath.
        id: Uuid,
    },
    /// A bearer token does not prove what it says.
    #[error("{why}")]
    TokenInvalid {
        /// What is wrong with it, as a sentence.
        why: &'static str,
    },
    /// The tenant has no such API token, or it was taken back.
    #[error("the tenant has no API token with id {id} that counts")]
    ApiTokenUnknown {
        /// The id.
        id: Uuid,
    },
    /// The key is the server's own, or of another kind than it is said to be.
    #[error("key {key_id} {why}")]
    TokenKeyInvalid {
        /// What tokens call the key.
        key_id: String,
        /// What is wrong, to be read after the key's name.
        why: &'static str,
    },
    /// Another customer of the tenant has this id.
    #[error("a customer with id {key} exists already")]
    CustomerTaken {
        /// The caller's id.
        key: String,
    },
    /// No such customer.
    #[error("customer {key} does not exist")]
    CustomerUnknown {
        /// The caller's id.
        key: String,
    },
    /// Nothing new goes under what was archived.
    #[error("{what} {key} is archived")]
    Archived {
        /// Customer or account.
        what: &'static str,
        /// Its id.
        key: String,
    },
    /// Another account of the tenant has this alias in that range.
    #[error("alias {alias} is in use")]
    AliasTaken {
        /// The alias.
        alias: String,
    },
    /// The account has no such alias.
    #[error("alias {alias} does not exist")]
    AliasUnknown {
        /// The alias or its id.
        alias: String,
    },
    /// Charges are made in the account's currency.
    #[error("the account is kept in {expected}, not in {found}")]
    CurrencyDiffers {
        /// The currency of the request.
        found: String,
        /// The currency of the account, or "no currency yet".
        expected: String,
    },
    /// A catalog has problems, or does not go with its other versions.
    #[error("the catalog is invalid: {why}")]
    CatalogInvalid {
        /// All that is wrong.
        why: String,
    },
    /// A version of a catalog of another name.
    #[error("the catalog is called {known}, not {found}")]
    CatalogNameDiffers {
        /// The name of the versions that are there.
        known: String,
        /// The name of the new one.
        found: String,
    },
    /// No version of the catalog holds at that time.
    #[error("no version of the catalog holds at {at}")]
    CatalogUnknown {
        /// The instant.
        at: String,
    },
    /// A simple plan lacks something, or differs from the plan of its name.
    #[error("the plan is invalid: {why}")]
    SimplePlanInvalid {
        /// What is wrong.
        why: String,
    },
    /// A ledger posting does not sum to zero, or overflows.
    #[error("the posting does not balance")]
    PostingUnbalanced,
    /// Name and password do not belong together, or nobody has that name.
    #[error("name or password is wrong")]
    LoginFailed,
    /// The user has no such API key.
    #[error("API key {public_id} does not exist")]
    ApiKeyUnknown {
        /// Its public part.
        public_id: String,
    },
    /// A proof of who calls, or that an address is his, is missing or wrong.
    #[error("{why}")]
    Unproven {
        /// Name of the proof.
        field: &'static str,
        /// What is to be done, as a sentence.
        why: &'static str,
    },
    /// Too many attempts failed.
    #[error("too many attempts; try again later")]
    TooManyAttempts,
    /// A code that was to prove that an address is somebody's.
    #[error("the code is not right, or was used or sent long ago")]
    CodeWrong,
    /// Too many wrong one-time codes.
    #[error("too many wrong one-time codes; try again later")]
    TooManyCodes,
    /// The key was used for another request.
    #[error("this Idempotency-Key was used for another request")]
    IdempotencyKeyReused,
}

impl Refusal {
    /// A field that is invalid, with the reason to be read after its name.
    pub fn invalid(field: &'static str, why: impl Into<String>) -> Refusal {
        Refusal::FieldInvalid { field, why: why.into() }
    }

    /// A proof that is missing or wrong, with a sentence for people.
    pub fn unproven(field: &'static str, why: &'static str) -> Refusal {
        Refusal::Unproven { field, why }
    }

    /// The account with this id does not exist.
    pub fn account_unknown(id: Uuid) -> Refusal {
        Refusal::ObjectUnknown { object_type: ObjectType::Account, id }
    }
}

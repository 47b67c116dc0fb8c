//! Kill Bill's error body and the one mapping of refusals to its classes, codes and statuses.

use billing::{ObjectType, Refusal};
use edge::{ErrorShape, Reply};
use http::StatusCode;
use serde::Serialize;

/// How this desk says no.
pub(crate) static ERRORS: ErrorShape = ErrorShape { refusal, failure };

const ACCOUNT: &str = "org.killbill.billing.account.api.AccountApiException";
const ARGUMENT: &str = "java.lang.IllegalArgumentException";
const CATALOG: &str = "org.killbill.billing.catalog.api.CatalogApiException";
const CUSTOM_FIELD: &str = "org.killbill.billing.util.api.CustomFieldApiException";
const ENTITLEMENT: &str = "org.killbill.billing.entitlement.api.EntitlementApiException";
const OBJECT_UNKNOWN: &str =
    "org.killbill.billing.util.callcontext.InternalCallContextFactory$ObjectDoesNotExist";
const PAYMENT: &str = "org.killbill.billing.payment.api.PaymentApiException";
const SECURITY: &str = "org.killbill.billing.security.SecurityApiException";
const STATE: &str = "java.lang.IllegalStateException";
const TAG: &str = "org.killbill.billing.util.api.TagApiException";
const TAG_DEFINITION: &str = "org.killbill.billing.util.api.TagDefinitionApiException";
const TENANT: &str = "org.killbill.billing.tenant.api.TenantApiException";
const UNAUTHORIZED: &str = "org.apache.shiro.authz.UnauthorizedException";

/// Kill Bill's error body.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ErrorJson {
    class_name: &'static str,
    code: Option<i32>,
    message: String,
    cause_class_name: Option<&'static str>,
    cause_message: Option<String>,
    stack_trace: [(); 0],
}

fn body(status: StatusCode, class_name: &'static str, code: Option<i32>, message: String) -> Reply {
    let error =
        ErrorJson { class_name, code, message, cause_class_name: None, cause_message: None, stack_trace: [] };
    Reply::json(status, &error)
}

/// 400 for an argument that Kill Bill refuses without a code.
pub(crate) fn bad_argument(message: impl Into<String>) -> Reply {
    body(StatusCode::BAD_REQUEST, ARGUMENT, None, message.into())
}

/// 400 for a body that is not the JSON it must be; `class_name` is the one clients see at Kill Bill.
pub(crate) fn bad_json(class_name: &'static str, message: impl Into<String>) -> Reply {
    body(StatusCode::BAD_REQUEST, class_name, None, message.into())
}

/// 404 with an empty body, for ids, numbers and enums in the URL that cannot be understood.
pub(crate) fn not_found() -> Reply {
    Reply::empty(StatusCode::NOT_FOUND)
}

fn failure(status: StatusCode, message: &str) -> Reply {
    body(status, "java.lang.RuntimeException", None, message.to_owned())
}

fn unauthorized(permission: billing::Permission) -> Reply {
    let error = ErrorJson {
        class_name: UNAUTHORIZED,
        code: None,
        message: format!("Subject does not have permission [{permission}]"),
        cause_class_name: Some("org.apache.shiro.authz.AuthorizationException"),
        cause_message: Some(format!("Not authorized to invoke method: {permission}")),
        stack_trace: [],
    };
    Reply::json(StatusCode::UNAUTHORIZED, &error)
}

/// What Kill Bill wraps into its "internal payment error" although the caller can mend it.
fn internal_payment_error(status: StatusCode, cause: &Refusal) -> Reply {
    let error = ErrorJson {
        class_name: PAYMENT,
        code: Some(7019),
        message: format!("Internal payment error : {cause}"),
        cause_class_name: Some(PAYMENT),
        cause_message: Some(cause.to_string()),
        stack_trace: [],
    };
    Reply::json(status, &error)
}

/// How this desk says no to the choice of a default payment method.
pub(crate) static DEFAULT_CHOICE_ERRORS: ErrorShape = ErrorShape {
    refusal: |cause| match cause {
        Refusal::PaymentMethodUnknown { .. } => internal_payment_error(StatusCode::NOT_FOUND, cause),
        _ => refusal(cause),
    },
    failure,
};

/// Kill Bill's name of a fixed field of an account in its message.
fn account_field_name(field: &'static str) -> &'static str {
    match field {
        "externalKey" => "external key",
        "billCycleDayLocal" => "BCD",
        other => other,
    }
}

fn refusal(refusal: &Refusal) -> Reply {
    account_refusal(refusal)
        .or_else(|| tag_refusal(refusal))
        .or_else(|| custom_field_or_payment_method_refusal(refusal))
        .or_else(|| catalog_refusal(refusal))
        .or_else(|| tenant_or_user_refusal(refusal))
        // What only the other desks ask for, and arguments that Kill Bill refuses without a code.
        .unwrap_or_else(|| bad_argument(refusal.to_string()))
}

/// The refusals about catalogs.
fn catalog_refusal(refusal: &Refusal) -> Option<Reply> {
    use Refusal as R;
    let say = |code: i32, message: String| body(StatusCode::BAD_REQUEST, CATALOG, Some(code), message);
    Some(match refusal {
        R::CatalogInvalid { why } => say(2080, format!("Invalid catalog for tenant : {why}")),
        R::CatalogNameDiffers { known, found } => say(
            2052,
            format!(
                "The catalog name '{known}' does not match the name of the catalog we are trying to add '{found}'"
            ),
        ),
        R::CatalogUnknown { at } => {
            say(2050, format!("There is no catalog version that applies for the given date '{at}'"))
        }
        R::SimplePlanInvalid { why } => say(2060, format!("Invalid simple plan descriptor '{why}'")),
        _ => return None,
    })
}

/// The refusals about any object, and about accounts and what blocks them.
fn account_refusal(refusal: &Refusal) -> Option<Reply> {
    use Refusal as R;
    let (bad, missing, conflict) = (StatusCode::BAD_REQUEST, StatusCode::NOT_FOUND, StatusCode::CONFLICT);
    let say = |status, class, code: i32, message: String| body(status, class, Some(code), message);
    Some(match refusal {
        R::NotPermitted(permission) => unauthorized(*permission),
        R::ObjectUnknown { object_type: ObjectType::Tenant, id } => {
            say(missing, TENANT, 20001, format!("Tenant does not exist for id {id}"))
        }
        R::ObjectUnknown { object_type, id } => {
            let message = format!("Object id={id} type={} doesn't exist!", object_type.name());
            body(missing, OBJECT_UNKNOWN, None, message)
        }
        R::FieldTooLong { field: "externalKey", .. } => {
            say(bad, ACCOUNT, 5, "External key exceeded 255 characters".into())
        }
        R::AccountKeyUnknown { key } => {
            say(missing, ACCOUNT, 3003, format!("Account does not exist for key {key}"))
        }
        R::AccountKeyTaken { key } | R::AliasTaken { alias: key } => {
            say(conflict, ACCOUNT, 3000, format!("Account already exists for key {key}"))
        }
        R::AccountFieldImmutable { field, from, to } => bad_argument(format!(
            "Killbill doesn't support updating the account {}: new={to}, current={from}",
            account_field_name(field)
        )),
        R::ParentAccountUnknown { id } => {
            say(missing, ACCOUNT, 3002, format!("Account does not exist for id {id}"))
        }
        R::BlockingStateInvalid { why } => {
            say(bad, ENTITLEMENT, 1107, format!("Invalid arguments for adding a blocking state : {why}"))
        }
        R::IdempotencyKeyReused => {
            body(StatusCode::UNPROCESSABLE_ENTITY, ARGUMENT, None, refusal.to_string())
        }
        _ => return None,
    })
}

/// The refusals about tags and their definitions.
fn tag_refusal(refusal: &Refusal) -> Option<Reply> {
    use Refusal as R;
    let (bad, missing, conflict) = (StatusCode::BAD_REQUEST, StatusCode::NOT_FOUND, StatusCode::CONFLICT);
    let say = |status, class, code: i32, message: String| body(status, class, Some(code), message);
    Some(match refusal {
        R::TagDefinitionUnknown { id } => {
            say(missing, TAG_DEFINITION, 3902, format!("The tag definition {id} does not exist"))
        }
        R::TagOfUnknownDefinition { definition_id } => {
            say(bad, TAG, 3902, format!("The tag definition {definition_id} does not exist"))
        }
        R::TagDefinitionTaken { name } => {
            say(conflict, TAG_DEFINITION, 3901, format!("The tag definition {name} already exists "))
        }
        R::TagDefinitionInUse { id } => {
            say(bad, TAG_DEFINITION, 3903, format!("The tag definition {id} is currently in use"))
        }
        R::TagDefinitionNotLowerCase { name } => {
            say(bad, TAG_DEFINITION, 3904, format!("The tag definition name must be in lowercase {name}"))
        }
        R::TagUnknown { name } => say(missing, TAG, 3950, format!("The tag does not exist (name: {name})")),
        R::TagNeedsDefaultPaymentMethod { .. } => {
            let message = "The tag AUTO_PAY_OFF cannot be removed because the account does not have a default payment method";
            say(bad, TAG, 3951, message.into())
        }
        R::TagReservedForSystem { definition_id } => say(
            bad,
            TAG,
            3953,
            format!("Cannot add the system tag {definition_id} (reserved to the internal system)"),
        ),
        R::TagNotApplicable { name, object_type } => {
            body(bad, STATE, None, format!("Invalid control tag '{name}' for object type '{object_type}'"))
        }
        _ => return None,
    })
}

/// The refusals about custom fields and payment methods.
fn custom_field_or_payment_method_refusal(refusal: &Refusal) -> Option<Reply> {
    use Refusal as R;
    let (bad, missing) = (StatusCode::BAD_REQUEST, StatusCode::NOT_FOUND);
    let say = |status, class, code: i32, message: String| body(status, class, Some(code), message);
    Some(match refusal {
        R::CustomFieldTaken { name, .. } => {
            say(bad, CUSTOM_FIELD, 9000, format!("The custom field {name} already exists"))
        }
        R::CustomFieldUnknown { id } => {
            say(bad, CUSTOM_FIELD, 9001, format!("The custom field does not exists for id {id}"))
        }
        R::CustomFieldImmutable { id, field, value } => say(
            bad,
            CUSTOM_FIELD,
            9002,
            format!("Failed to update custom field {id}: Invalid value {value} for field {field}"),
        ),
        R::PaymentMethodUnknown { id } => {
            say(missing, PAYMENT, 7000, format!("Payment method {id} does not exist"))
        }
        R::PaymentMethodKeyUnknown { key } => {
            say(missing, PAYMENT, 7000, format!("Payment method {key} does not exist"))
        }
        R::PaymentMethodOfAnotherAccount { .. }
        | R::PaymentMethodKeyTaken { .. }
        | R::PaymentMethodIsDefault { .. } => internal_payment_error(bad, refusal),
        R::ExternalPaymentMethodTaken { id } => {
            say(bad, PAYMENT, 7023, format!("External payment method already exists for account {id}"))
        }
        R::PaymentPluginUnknown { name } => {
            say(bad, PAYMENT, 7028, format!("Payment plugin {name} is not registered"))
        }
        _ => return None,
    })
}

/// The refusals about tenants, and about users and their roles.
fn tenant_or_user_refusal(refusal: &Refusal) -> Option<Reply> {
    use Refusal as R;
    let (bad, missing, conflict) = (StatusCode::BAD_REQUEST, StatusCode::NOT_FOUND, StatusCode::CONFLICT);
    let say = |status, class, code: i32, message: String| body(status, class, Some(code), message);
    Some(match refusal {
        R::TenantKeyTaken { api_key } => {
            say(conflict, TENANT, 20000, format!("Tenant already exists for key {api_key}"))
        }
        R::TenantKeyUnknown { api_key } => {
            say(missing, TENANT, 20003, format!("Tenant does not exist for api key {api_key}"))
        }
        R::UserTaken { username } => say(bad, SECURITY, 40002, format!("The user {username} already exists")),
        R::UserUnknown { username } => {
            say(bad, SECURITY, 40001, format!("The user {username} does not exist or has been inactivated"))
        }
        R::RoleTaken { role } => say(bad, SECURITY, 40004, format!("The role {role} already exists")),
        R::PermissionInvalid { permission } => {
            say(bad, SECURITY, 40005, format!("The permission {permission} is invalid"))
        }
        _ => return None,
    })
}

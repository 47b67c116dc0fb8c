-- DjaoApp's desk: who may act for which organization, and how people prove who they are.

-- Kinds of roles. Those without an organization are every organization's.
CREATE TABLE role_descriptions (
  record_id RECORD_ID,
  tenant_id BIGINT NOT NULL,
  id UUID NOT NULL UNIQUE,
  organization_id UUID,
  slug TEXT NOT NULL,
  title TEXT NOT NULL,
  skip_optin_on_grant BOOLEAN NOT NULL,
  implicit_create_on_none BOOLEAN NOT NULL,
  otp_required BOOLEAN NOT NULL,
  extra TEXT,
  created_at BIGINT NOT NULL,
  UNIQUE (tenant_id, slug)
);

-- What a user is to an organization: at most one role each. With a grant key it is an invitation, with a request key a
-- request, with neither it is in force. One to which the user never said yes is imposed: it opens the organization to him,
-- and him to nobody.
CREATE TABLE organization_roles (
  record_id RECORD_ID,
  tenant_id BIGINT NOT NULL,
  id UUID NOT NULL UNIQUE,
  organization_id UUID NOT NULL,
  user_id UUID NOT NULL,
  role_description_id UUID,
  grant_key TEXT,
  request_key TEXT,
  is_imposed BOOLEAN NOT NULL,
  extra TEXT,
  created_at BIGINT NOT NULL,
  ends_at BIGINT,
  UNIQUE (tenant_id, organization_id, user_id)
);
CREATE INDEX organization_roles_by_user ON organization_roles (tenant_id, user_id, record_id);
CREATE INDEX organization_roles_by_age ON organization_roles (tenant_id, organization_id, created_at);
CREATE INDEX organization_roles_by_user_and_age ON organization_roles (tenant_id, user_id, created_at);
CREATE INDEX organization_roles_pending ON organization_roles (tenant_id, organization_id)
  WHERE grant_key IS NOT NULL OR request_key IS NOT NULL;
CREATE INDEX organization_roles_pending_of_user ON organization_roles (tenant_id, user_id)
  WHERE grant_key IS NOT NULL OR request_key IS NOT NULL;
CREATE INDEX organization_roles_by_grant ON organization_roles (tenant_id, grant_key) WHERE grant_key IS NOT NULL;

-- Keys with which programs of a user log in. The public part finds the key, of the private one a digest is kept.
CREATE TABLE api_keys (
  record_id RECORD_ID,
  tenant_id BIGINT NOT NULL,
  user_id UUID NOT NULL,
  public_id TEXT NOT NULL,
  private_digest BYTEA NOT NULL,
  title TEXT,
  created_at BIGINT NOT NULL,
  ends_at BIGINT,
  UNIQUE (tenant_id, public_id)
);
CREATE INDEX api_keys_by_user ON api_keys (user_id, record_id);

-- Codes and keys that were sent to an address to prove that it is somebody's. Only digests are kept; a row is used once.
CREATE TABLE verification_codes (
  record_id RECORD_ID,
  tenant_id BIGINT NOT NULL,
  address TEXT NOT NULL,
  code_digest BYTEA NOT NULL,
  key_digest BYTEA NOT NULL,
  user_id UUID,
  attempts BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX verification_codes_by_address ON verification_codes (tenant_id, address);
CREATE INDEX verification_codes_by_end ON verification_codes (expires_at);
CREATE INDEX verification_codes_by_key ON verification_codes (tenant_id, key_digest);
CREATE INDEX verification_codes_by_user ON verification_codes (tenant_id, user_id);

-- Attempts to log in that failed, counted for a name or an address of the network, forgotten after a while.
CREATE TABLE failed_logins (
  tenant_id BIGINT NOT NULL,
  subject TEXT NOT NULL,
  failures BIGINT NOT NULL,
  until BIGINT NOT NULL,
  PRIMARY KEY (tenant_id, subject)
);
CREATE INDEX failed_logins_by_end ON failed_logins (until);

-- Which of his one-time codes a user has used last: none is taken twice.
CREATE TABLE used_one_time_codes (
  tenant_id BIGINT NOT NULL,
  user_id UUID NOT NULL PRIMARY KEY,
  step BIGINT NOT NULL
);

-- Users who are asked for a code sent by e-mail each time they log in with their password.
CREATE TABLE email_code_demands (
  record_id RECORD_ID,
  tenant_id BIGINT NOT NULL,
  user_id UUID NOT NULL,
  UNIQUE (tenant_id, user_id)
);

-- Documents that people agree to, and who did when.
CREATE TABLE agreements (
  record_id RECORD_ID,
  tenant_id BIGINT NOT NULL,
  id UUID NOT NULL UNIQUE,
  slug TEXT NOT NULL,
  title TEXT NOT NULL,
  body TEXT NOT NULL,
  updated_at BIGINT NOT NULL,
  UNIQUE (tenant_id, slug)
);
CREATE TABLE signatures (
  record_id RECORD_ID,
  tenant_id BIGINT NOT NULL,
  agreement_slug TEXT NOT NULL,
  user_id UUID NOT NULL,
  signed_at BIGINT NOT NULL,
  UNIQUE (tenant_id, agreement_slug, user_id)
);
CREATE INDEX signatures_by_user ON signatures (tenant_id, user_id);

-- Mail to be sent: due work does it, and keeps what became of it.
CREATE TABLE mails (
  record_id RECORD_ID,
  tenant_id BIGINT NOT NULL,
  id UUID NOT NULL UNIQUE,
  template TEXT NOT NULL,
  recipient TEXT NOT NULL,
  subject TEXT NOT NULL,
  body TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  sent_at BIGINT
);
CREATE INDEX mails_by_sending ON mails (sent_at) WHERE sent_at IS NOT NULL;

-- Kinds of mail that a user does not want.
CREATE TABLE muted_notifications (
  record_id RECORD_ID,
  tenant_id BIGINT NOT NULL,
  user_id UUID NOT NULL,
  slug TEXT NOT NULL,
  UNIQUE (tenant_id, user_id, slug)
);

-- What people wrote down about an organization or a user.
CREATE TABLE activities (
  record_id RECORD_ID,
  tenant_id BIGINT NOT NULL,
  created_by UUID,
  organization_id UUID,
  contact_id UUID,
  note TEXT NOT NULL,
  created_at BIGINT NOT NULL
);
CREATE INDEX activities_in_order ON activities (tenant_id, created_at, record_id);
CREATE INDEX activities_by_organization ON activities (tenant_id, organization_id, record_id);
CREATE INDEX activities_by_contact ON activities (tenant_id, contact_id, record_id);

-- Pictures that were uploaded, under the SHA-256 of their content.
CREATE TABLE pictures (
  record_id RECORD_ID,
  tenant_id BIGINT NOT NULL,
  owner_id UUID NOT NULL,
  name TEXT NOT NULL,
  content_type TEXT NOT NULL,
  content BYTEA NOT NULL,
  created_at BIGINT NOT NULL,
  UNIQUE (tenant_id, owner_id)
);
CREATE INDEX pictures_by_name ON pictures (tenant_id, name);

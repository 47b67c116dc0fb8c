-- The book, first version. One text for both engines: RECORD_ID, UUID, BYTEA and BOOLEAN are spelled for each engine
-- by storage::migrations. Instants are microseconds since 1970 in BIGINT, money is minor units in BIGINT, decimals,
-- dates and JSON are TEXT. Every table is keyed by tenant, then account.

CREATE TABLE tenants (
  record_id RECORD_ID,
  id UUID NOT NULL UNIQUE,
  external_key TEXT,
  name TEXT,
  domain TEXT UNIQUE,
  api_key TEXT NOT NULL UNIQUE,
  api_secret_hash TEXT NOT NULL,
  clock_offset_micros BIGINT NOT NULL DEFAULT 0,
  created_by TEXT NOT NULL,
  created_at BIGINT NOT NULL
);
CREATE INDEX tenants_with_moved_clock ON tenants (record_id) WHERE clock_offset_micros <> 0;

-- Settings and documents of a tenant: catalogs, callbacks, per-tenant configuration. One row a value.
CREATE TABLE tenant_values (
  record_id RECORD_ID,
  tenant_id BIGINT NOT NULL,
  id UUID NOT NULL,
  name TEXT NOT NULL,
  value TEXT NOT NULL,
  created_at BIGINT NOT NULL
);
CREATE INDEX tenant_values_by_name ON tenant_values (tenant_id, name, record_id);

-- People and programs that log in. tenant_id 0: operators of the server (Kill Bill's users), who reach every tenant
-- whose key and secret they hold.
CREATE TABLE users (
  record_id RECORD_ID,
  id UUID NOT NULL UNIQUE,
  tenant_id BIGINT NOT NULL,
  username TEXT NOT NULL,
  email TEXT,
  password_hash TEXT,
  current_organization_id UUID,
  full_name TEXT,
  nick_name TEXT,
  phone TEXT,
  lang TEXT,
  picture TEXT,
  extra TEXT,
  email_verified_at BIGINT,
  phone_verified_at BIGINT,
  otp_secret TEXT,
  last_login_at BIGINT,
  search_text TEXT NOT NULL,
  is_active BOOLEAN NOT NULL,
  created_by TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  UNIQUE (tenant_id, username)
);
CREATE INDEX users_by_full_name ON users (tenant_id, is_active, (COALESCE(full_name, '')), username);
CREATE UNIQUE INDEX users_by_email ON users (tenant_id, email) WHERE email IS NOT NULL;
CREATE UNIQUE INDEX users_by_phone ON users (tenant_id, phone) WHERE phone IS NOT NULL;

CREATE TABLE user_roles (
  user_id UUID NOT NULL,
  role TEXT NOT NULL,
  position BIGINT NOT NULL,
  PRIMARY KEY (user_id, role)
);

-- Roles that were ever defined; the row to lock while what a role permits is replaced.
CREATE TABLE roles (
  record_id RECORD_ID,
  id UUID NOT NULL,
  role TEXT NOT NULL UNIQUE
);

CREATE TABLE role_permissions (
  role TEXT NOT NULL,
  permission TEXT NOT NULL,
  position BIGINT NOT NULL,
  PRIMARY KEY (role, permission)
);

CREATE TABLE sessions (
  token_digest BYTEA NOT NULL PRIMARY KEY,
  id UUID NOT NULL,
  user_id UUID NOT NULL,
  host TEXT,
  started_at BIGINT NOT NULL,
  last_access_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL
);
CREATE INDEX sessions_by_user ON sessions (user_id);
CREATE INDEX sessions_by_end ON sessions (expires_at);

-- Long-lived tokens of programs (Togai's API tokens). Only a digest is kept.
CREATE TABLE api_tokens (
  record_id RECORD_ID,
  id UUID NOT NULL UNIQUE,
  tenant_id BIGINT NOT NULL,
  desk TEXT NOT NULL,
  token_digest BYTEA NOT NULL UNIQUE,
  name TEXT,
  created_at BIGINT NOT NULL,
  expires_at BIGINT,
  revoked_at BIGINT
);

-- Keys that sign and check MikroCloud's tokens. Secrets of HS256 stand here as they are: who reads the book can sign.
-- A token names its key (`kid`) or its issuer before anybody knows its tenant.
CREATE TABLE token_keys (
  record_id RECORD_ID,
  tenant_id BIGINT NOT NULL,
  key_id TEXT NOT NULL,
  algorithm TEXT NOT NULL,
  key_material TEXT NOT NULL,
  may_sign BOOLEAN NOT NULL,
  issuer TEXT,
  audience TEXT,
  created_at BIGINT NOT NULL,
  revoked_at BIGINT,
  UNIQUE (tenant_id, key_id)
);
CREATE INDEX token_keys_by_key_id ON token_keys (key_id);
CREATE INDEX token_keys_by_issuer ON token_keys (issuer) WHERE issuer IS NOT NULL;

-- Organizations are DjaoApp's profiles, too. An account that was opened without one gets one, under its own id, when that
-- desk first looks. Name and addresses of an organization with an account are copies of the account's.
CREATE TABLE organizations (
  record_id RECORD_ID,
  id UUID NOT NULL UNIQUE,
  tenant_id BIGINT NOT NULL,
  slug TEXT NOT NULL,
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  parent_id UUID,
  owner_id UUID,
  account_id UUID,
  email TEXT,
  -- What follows the last @ of the e-mail, in lower case.
  email_domain TEXT,
  phone TEXT,
  street_address TEXT,
  locality TEXT,
  region TEXT,
  postal_code TEXT,
  country TEXT,
  time_zone TEXT NOT NULL,
  is_provider BOOLEAN NOT NULL,
  is_bulk_buyer BOOLEAN NOT NULL,
  no_implicit_role BOOLEAN NOT NULL,
  picture TEXT,
  extra TEXT,
  search_text TEXT NOT NULL,
  is_active BOOLEAN NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  UNIQUE (tenant_id, slug)
);
-- Pages are found, and all counted, without the rows themselves.
CREATE INDEX organizations_by_name ON organizations (tenant_id, is_active, name, slug, record_id);
CREATE INDEX organizations_by_age ON organizations (tenant_id, is_active, created_at, name, slug, record_id);
CREATE INDEX organizations_counted ON organizations (tenant_id, is_active);
CREATE INDEX organizations_by_owner ON organizations (tenant_id, owner_id) WHERE owner_id IS NOT NULL;
CREATE INDEX organizations_by_email ON organizations (tenant_id, (LOWER(email)), record_id) WHERE email IS NOT NULL;
CREATE INDEX organizations_by_email_domain ON organizations (tenant_id, email_domain, record_id)
  WHERE email_domain IS NOT NULL AND kind <> 'personal';
CREATE INDEX organizations_by_parent ON organizations (tenant_id, parent_id) WHERE parent_id IS NOT NULL;
CREATE UNIQUE INDEX organizations_by_account ON organizations (tenant_id, account_id) WHERE account_id IS NOT NULL;

-- Togai's customers. An account without one stands for a customer of its own.
CREATE TABLE customers (
  record_id RECORD_ID,
  tenant_id BIGINT NOT NULL,
  id UUID NOT NULL,
  external_key TEXT NOT NULL,
  name TEXT NOT NULL,
  email TEXT NOT NULL,
  address TEXT NOT NULL,
  settings TEXT NOT NULL,
  status TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  UNIQUE (tenant_id, external_key)
);
CREATE UNIQUE INDEX customers_by_id ON customers (tenant_id, id);
CREATE INDEX customers_in_order ON customers (tenant_id, record_id);

CREATE TABLE customer_contacts (
  record_id RECORD_ID,
  tenant_id BIGINT NOT NULL,
  customer_id UUID NOT NULL,
  id UUID NOT NULL,
  username TEXT NOT NULL,
  preferred_username TEXT,
  name TEXT NOT NULL,
  email TEXT NOT NULL,
  phone TEXT,
  password_hash TEXT,
  is_verified BOOLEAN NOT NULL,
  may_log_in BOOLEAN NOT NULL,
  created_by TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  UNIQUE (tenant_id, username)
);

CREATE TABLE accounts (
  record_id RECORD_ID,
  tenant_id BIGINT NOT NULL,
  id UUID NOT NULL,
  external_key TEXT NOT NULL,
  name TEXT,
  first_name_length BIGINT,
  email TEXT,
  bill_cycle_day_local BIGINT NOT NULL,
  currency TEXT,
  parent_account_id UUID,
  is_payment_delegated_to_parent BOOLEAN NOT NULL,
  payment_method_id UUID,
  reference_time BIGINT NOT NULL,
  time_zone TEXT NOT NULL,
  locale TEXT,
  address1 TEXT,
  address2 TEXT,
  company TEXT,
  city TEXT,
  state TEXT,
  country TEXT,
  postal_code TEXT,
  phone TEXT,
  notes TEXT,
  is_migrated BOOLEAN,
  status TEXT NOT NULL,
  customer_id UUID,
  organization_id UUID,
  -- What only Togai's contract has: net term, metadata, labels, recipients, settings. JSON.
  extras TEXT,
  search_text TEXT NOT NULL,
  balance_minor BIGINT NOT NULL,
  credit_minor BIGINT NOT NULL,
  chain_length BIGINT NOT NULL,
  chain_head BYTEA NOT NULL,
  created_by TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_by TEXT NOT NULL,
  updated_at BIGINT NOT NULL,
  UNIQUE (tenant_id, id),
  UNIQUE (tenant_id, external_key)
);
CREATE INDEX accounts_in_order ON accounts (tenant_id, record_id);
CREATE INDEX accounts_by_email ON accounts (tenant_id, email) WHERE email IS NOT NULL;
CREATE INDEX accounts_by_name ON accounts (tenant_id, name) WHERE name IS NOT NULL;
CREATE INDEX accounts_by_company ON accounts (tenant_id, company) WHERE company IS NOT NULL;
CREATE INDEX accounts_by_phone ON accounts (tenant_id, phone) WHERE phone IS NOT NULL;
CREATE INDEX accounts_with_balance ON accounts (tenant_id, balance_minor) WHERE balance_minor <> 0;
CREATE INDEX accounts_by_parent ON accounts (tenant_id, parent_account_id) WHERE parent_account_id IS NOT NULL;
CREATE INDEX accounts_by_customer ON accounts (tenant_id, customer_id, record_id) WHERE customer_id IS NOT NULL;
CREATE INDEX accounts_without_organization ON accounts (tenant_id, record_id) WHERE organization_id IS NULL;
CREATE INDEX accounts_without_customer ON accounts (tenant_id, record_id) WHERE customer_id IS NULL;

CREATE TABLE account_aliases (
  record_id RECORD_ID,
  tenant_id BIGINT NOT NULL,
  account_id UUID NOT NULL,
  id UUID NOT NULL,
  value TEXT NOT NULL,
  effective_from BIGINT,
  effective_until BIGINT,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL
);
CREATE INDEX account_aliases_by_account ON account_aliases (tenant_id, account_id, record_id);
CREATE INDEX account_aliases_by_value ON account_aliases (tenant_id, value);

-- The values that aliases and keys of accounts have or had. Who gives one to an account locks its row first, so that no
-- value stands for two accounts at overlapping times.
CREATE TABLE account_alias_values (
  tenant_id BIGINT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (tenant_id, value)
);

CREATE TABLE account_emails (
  record_id RECORD_ID,
  tenant_id BIGINT NOT NULL,
  account_id UUID NOT NULL,
  id UUID NOT NULL,
  email TEXT NOT NULL,
  is_active BOOLEAN NOT NULL,
  created_at BIGINT NOT NULL
);
CREATE INDEX account_emails_by_account ON account_emails (tenant_id, account_id);
CREATE UNIQUE INDEX account_emails_by_id ON account_emails (tenant_id, id);

CREATE TABLE blocking_states (
  record_id RECORD_ID,
  tenant_id BIGINT NOT NULL,
  account_id UUID NOT NULL,
  id UUID NOT NULL,
  blocked_id UUID NOT NULL,
  blocked_type TEXT NOT NULL,
  state_name TEXT NOT NULL,
  service TEXT NOT NULL,
  is_block_change BOOLEAN NOT NULL,
  is_block_entitlement BOOLEAN NOT NULL,
  is_block_billing BOOLEAN NOT NULL,
  effective_at BIGINT NOT NULL,
  is_active BOOLEAN NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL
);
CREATE INDEX blocking_states_by_account ON blocking_states (tenant_id, account_id, effective_at);
CREATE UNIQUE INDEX blocking_states_by_id ON blocking_states (tenant_id, id);

CREATE TABLE custom_fields (
  record_id RECORD_ID,
  tenant_id BIGINT NOT NULL,
  account_id UUID,
  id UUID NOT NULL,
  object_id UUID NOT NULL,
  object_type TEXT NOT NULL,
  name TEXT NOT NULL,
  value TEXT NOT NULL,
  is_active BOOLEAN NOT NULL,
  created_by TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_by TEXT NOT NULL,
  updated_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX custom_fields_by_name ON custom_fields (tenant_id, object_id, name) WHERE is_active;
CREATE UNIQUE INDEX custom_fields_by_id ON custom_fields (tenant_id, id);
CREATE INDEX custom_fields_by_account ON custom_fields (tenant_id, account_id, record_id);
CREATE INDEX custom_fields_in_order ON custom_fields (tenant_id, record_id);
CREATE INDEX custom_fields_by_value ON custom_fields (tenant_id, object_type, name, value);

CREATE TABLE tag_definitions (
  record_id RECORD_ID,
  tenant_id BIGINT NOT NULL,
  id UUID NOT NULL,
  name TEXT NOT NULL,
  description TEXT NOT NULL,
  applicable_object_types TEXT NOT NULL,
  is_active BOOLEAN NOT NULL,
  created_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX tag_definitions_by_name ON tag_definitions (tenant_id, name) WHERE is_active;
CREATE UNIQUE INDEX tag_definitions_by_id ON tag_definitions (tenant_id, id);

CREATE TABLE tags (
  record_id RECORD_ID,
  tenant_id BIGINT NOT NULL,
  account_id UUID,
  id UUID NOT NULL,
  tag_definition_id UUID NOT NULL,
  object_id UUID NOT NULL,
  object_type TEXT NOT NULL,
  is_active BOOLEAN NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX tags_by_object ON tags (tenant_id, object_id, tag_definition_id) WHERE is_active;
CREATE UNIQUE INDEX tags_by_id ON tags (tenant_id, id);
CREATE INDEX tags_by_account ON tags (tenant_id, account_id, record_id);
CREATE INDEX tags_by_definition ON tags (tenant_id, tag_definition_id);
CREATE INDEX tags_in_order ON tags (tenant_id, record_id);

CREATE TABLE payment_methods (
  record_id RECORD_ID,
  tenant_id BIGINT NOT NULL,
  account_id UUID NOT NULL,
  id UUID NOT NULL,
  external_key TEXT NOT NULL,
  plugin_name TEXT NOT NULL,
  plugin_info TEXT,
  is_active BOOLEAN NOT NULL,
  created_by TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_by TEXT NOT NULL,
  updated_at BIGINT NOT NULL,
  UNIQUE (tenant_id, external_key)
);
CREATE INDEX payment_methods_by_account ON payment_methods (tenant_id, account_id, record_id);
CREATE UNIQUE INDEX payment_methods_by_id ON payment_methods (tenant_id, id);
CREATE INDEX payment_methods_in_order ON payment_methods (tenant_id, record_id);

-- Who changed what, when and why, with the record as it then stood. Records of an account are links of its hash chain.
CREATE TABLE audit_log (
  record_id RECORD_ID,
  tenant_id BIGINT NOT NULL,
  account_id UUID,
  object_type TEXT NOT NULL,
  object_id UUID NOT NULL,
  object_record_id BIGINT NOT NULL,
  change_type TEXT NOT NULL,
  changed_at BIGINT NOT NULL,
  changed_by TEXT NOT NULL,
  reason TEXT,
  comments TEXT,
  user_token UUID NOT NULL,
  snapshot TEXT NOT NULL,
  chain_position BIGINT,
  chain_hash BYTEA
);
CREATE INDEX audit_log_by_account ON audit_log (tenant_id, account_id, record_id);
CREATE INDEX audit_log_by_object ON audit_log (tenant_id, object_id, record_id);

-- Double entries. The sum over one posting is zero; entries are reversed, never changed.
CREATE TABLE ledger_entries (
  record_id RECORD_ID,
  tenant_id BIGINT NOT NULL,
  account_id UUID NOT NULL,
  posting_id UUID NOT NULL,
  position BIGINT NOT NULL,
  ledger_account TEXT NOT NULL,
  amount_minor BIGINT NOT NULL,
  currency TEXT NOT NULL,
  posted_at BIGINT NOT NULL,
  reason TEXT NOT NULL,
  object_id UUID,
  reverses_posting_id UUID,
  chain_position BIGINT NOT NULL,
  chain_hash BYTEA NOT NULL,
  UNIQUE (tenant_id, account_id, posting_id, position)
);
CREATE INDEX ledger_entries_by_account ON ledger_entries (tenant_id, account_id, record_id);

-- The outbox: one row for each change that receivers may want to hear of.
CREATE TABLE events (
  record_id RECORD_ID,
  tenant_id BIGINT NOT NULL,
  account_id UUID,
  event_type TEXT NOT NULL,
  object_type TEXT NOT NULL,
  object_id UUID,
  metadata TEXT,
  user_token UUID NOT NULL,
  created_at BIGINT NOT NULL
);
CREATE INDEX events_in_order ON events (tenant_id, record_id);

-- What is to be done at a time: WAITING, then DONE, or FAILED after too many attempts. due_at is when it falls due;
-- run_at is when it is tried next.
CREATE TABLE due_work (
  record_id RECORD_ID,
  tenant_id BIGINT NOT NULL,
  account_id UUID,
  kind TEXT NOT NULL,
  payload TEXT NOT NULL,
  due_at BIGINT NOT NULL,
  run_at BIGINT NOT NULL,
  state TEXT NOT NULL,
  attempts BIGINT NOT NULL,
  last_error TEXT,
  created_at BIGINT NOT NULL,
  finished_at BIGINT
);
CREATE INDEX due_work_by_time ON due_work (tenant_id, run_at, record_id) WHERE state = 'WAITING';
CREATE INDEX due_work_by_account ON due_work (tenant_id, account_id, due_at, record_id) WHERE state = 'WAITING';
-- Mail waits long when a mail server is silent; whoever looks for other work does not walk over it.
CREATE INDEX due_work_by_time_mail ON due_work (tenant_id, run_at, record_id) WHERE state = 'WAITING' AND kind = 'MAIL';
CREATE INDEX due_work_by_time_other ON due_work (tenant_id, run_at, record_id)
  WHERE state = 'WAITING' AND kind <> 'MAIL';
CREATE INDEX due_work_of_all_tenants ON due_work (run_at, tenant_id, kind) WHERE state = 'WAITING';
CREATE INDEX due_work_failed ON due_work (tenant_id, record_id) WHERE state = 'FAILED';
CREATE INDEX due_work_done ON due_work (finished_at) WHERE state = 'DONE';
-- The server's own chores wait once each, however many nodes ask for them.
CREATE UNIQUE INDEX due_work_of_server ON due_work (kind) WHERE tenant_id = 0 AND state = 'WAITING';

CREATE TABLE idempotency_keys (
  tenant_id BIGINT NOT NULL,
  scope TEXT NOT NULL,
  idempotency_key TEXT NOT NULL,
  request_digest BYTEA NOT NULL,
  reply TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (tenant_id, scope, idempotency_key)
);
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);

-- Secrets of the server itself (key that seals, node settings). Never exported.
CREATE TABLE server_secrets (
  name TEXT NOT NULL PRIMARY KEY,
  value TEXT NOT NULL,
  created_at BIGINT NOT NULL
);

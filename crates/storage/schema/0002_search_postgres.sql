-- Substring search over search_text. Optional: where the extension cannot be created, LIKE reads the tenant's rows.
CREATE EXTENSION IF NOT EXISTS pg_trgm;
CREATE INDEX IF NOT EXISTS accounts_by_search_text ON accounts USING gin (search_text gin_trgm_ops);
CREATE INDEX IF NOT EXISTS organizations_by_search_text ON organizations USING gin (search_text gin_trgm_ops);
CREATE INDEX IF NOT EXISTS users_by_search_text ON users USING gin (search_text gin_trgm_ops);

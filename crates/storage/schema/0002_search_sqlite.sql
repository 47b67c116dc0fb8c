-- Substring search over accounts.search_text. An index of trigrams without positions (detail=none): the query asks for
-- all trigrams of the needle and LIKE does the rest. The text itself is read from accounts.
CREATE VIRTUAL TABLE account_search USING fts5(
  search_text, content='accounts', content_rowid='record_id', tokenize='trigram case_sensitive 1', detail='none',
  columnsize=0
);

-- New accounts are indexed many at a time, which costs a fraction of one at a time: those up to this record id are, the
-- few that came later are read by every search.
CREATE TABLE account_search_state (indexed_until BIGINT NOT NULL);
INSERT INTO account_search_state (indexed_until) VALUES (0);

-- How often trigrams occur in a sample of the indexed accounts, so that a search looks up the rare ones of its needle:
-- a trigram that is everywhere, as ".co" of e-mail addresses, costs a walk over all accounts and finds nothing.
CREATE TABLE account_search_sample (trigram TEXT NOT NULL PRIMARY KEY, occurrences BIGINT NOT NULL) WITHOUT ROWID;

CREATE TRIGGER account_search_update AFTER UPDATE OF search_text ON accounts
WHEN old.search_text <> new.search_text
  AND old.record_id <= (SELECT indexed_until FROM account_search_state) BEGIN
  INSERT INTO account_search (account_search, rowid, search_text) VALUES ('delete', old.record_id, old.search_text);
  INSERT INTO account_search (rowid, search_text) VALUES (new.record_id, new.search_text);
END;
CREATE TRIGGER account_search_delete AFTER DELETE ON accounts
WHEN old.record_id <= (SELECT indexed_until FROM account_search_state) BEGIN
  INSERT INTO account_search (account_search, rowid, search_text) VALUES ('delete', old.record_id, old.search_text);
END;

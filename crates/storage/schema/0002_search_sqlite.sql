-- Substring search over accounts.search_text. An index of trigrams without positions (detail=none): the query asks for
-- all trigrams of the needle and LIKE does the rest. The text itself is read from accounts.
CREATE VIRTUAL TABLE account_search USING fts5(
  search_text, content='accounts', content_rowid='record_id', tokenize='trigram case_sensitive 1', detail='none',
  columnsize=0
);
INSERT INTO account_search (rowid, search_text) SELECT record_id, search_text FROM accounts;

CREATE TRIGGER account_search_insert AFTER INSERT ON accounts BEGIN
  INSERT INTO account_search (rowid, search_text) VALUES (new.record_id, new.search_text);
END;
CREATE TRIGGER account_search_update AFTER UPDATE OF search_text ON accounts
WHEN old.search_text <> new.search_text BEGIN
  INSERT INTO account_search (account_search, rowid, search_text) VALUES ('delete', old.record_id, old.search_text);
  INSERT INTO account_search (rowid, search_text) VALUES (new.record_id, new.search_text);
END;
CREATE TRIGGER account_search_delete AFTER DELETE ON accounts BEGIN
  INSERT INTO account_search (account_search, rowid, search_text) VALUES ('delete', old.record_id, old.search_text);
END;

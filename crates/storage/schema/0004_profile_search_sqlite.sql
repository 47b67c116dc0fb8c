-- Substring search over organizations.search_text, an index of trigrams as that of the accounts. Every organization is
-- indexed at once: far fewer are written than accounts.
CREATE VIRTUAL TABLE organization_search USING fts5(
  search_text, content='organizations', content_rowid='record_id', tokenize='trigram case_sensitive 1', detail='none',
  columnsize=0
);
INSERT INTO organization_search (rowid, search_text) SELECT record_id, search_text FROM organizations;

CREATE TRIGGER organization_search_insert AFTER INSERT ON organizations BEGIN
  INSERT INTO organization_search (rowid, search_text) VALUES (new.record_id, new.search_text);
END;
CREATE TRIGGER organization_search_update AFTER UPDATE OF search_text ON organizations
WHEN old.search_text <> new.search_text BEGIN
  INSERT INTO organization_search (organization_search, rowid, search_text)
  VALUES ('delete', old.record_id, old.search_text);
  INSERT INTO organization_search (rowid, search_text) VALUES (new.record_id, new.search_text);
END;
CREATE TRIGGER organization_search_delete AFTER DELETE ON organizations BEGIN
  INSERT INTO organization_search (organization_search, rowid, search_text)
  VALUES ('delete', old.record_id, old.search_text);
END;

-- The same over users.search_text.
CREATE VIRTUAL TABLE user_search USING fts5(
  search_text, content='users', content_rowid='record_id', tokenize='trigram case_sensitive 1', detail='none',
  columnsize=0
);
INSERT INTO user_search (rowid, search_text) SELECT record_id, search_text FROM users;

CREATE TRIGGER user_search_insert AFTER INSERT ON users BEGIN
  INSERT INTO user_search (rowid, search_text) VALUES (new.record_id, new.search_text);
END;
CREATE TRIGGER user_search_update AFTER UPDATE OF search_text ON users
WHEN old.search_text <> new.search_text BEGIN
  INSERT INTO user_search (user_search, rowid, search_text)
  VALUES ('delete', old.record_id, old.search_text);
  INSERT INTO user_search (rowid, search_text) VALUES (new.record_id, new.search_text);
END;
CREATE TRIGGER user_search_delete AFTER DELETE ON users BEGIN
  INSERT INTO user_search (user_search, rowid, search_text)
  VALUES ('delete', old.record_id, old.search_text);
END;

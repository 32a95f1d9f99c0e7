-- Tables and rows for example.sql.

CREATE TABLE person (id TEXT PRIMARY KEY, name TEXT, avatar TEXT);
CREATE TABLE room (id TEXT PRIMARY KEY, kind TEXT, title TEXT, owner TEXT, created INTEGER);
CREATE TABLE member (room TEXT, person TEXT, joined INTEGER);
CREATE TABLE message (id INTEGER PRIMARY KEY, room TEXT, author TEXT, body TEXT,
                      kind INTEGER, sent INTEGER);

INSERT INTO person VALUES ('u1', 'Ann', '/a.png'), ('u2', 'Bob', NULL), ('u3', NULL, NULL);
INSERT INTO room VALUES ('r1', 'pair', NULL, NULL, 1700000000000),
                        ('r2', 'group', 'Ward 7', 'u2', 1700000000000),
                        ('r3', 'group', 'empty', 'u1', 1700000003000);
INSERT INTO member VALUES ('r1', 'u1', 1), ('r1', 'u2', 2), ('r2', 'u1', 3),
                          ('r2', 'u2', 1), ('r2', 'u3', 2), ('r3', 'u1', 1);
INSERT INTO message VALUES (11, 'r1', 'u2', 'hello "Ann"', 0, 1700000001000),
                           (12, 'r2', 'u3', 'two' || char(10) || 'lines', 0, 1700000002000),
                           (10, 'r1', 'u1', '/picture.jpg', 1, 1700000000500);

-- enough for several lines

INSERT INTO message
  WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2500)
  SELECT 1000 + i, 'r2', 'u' || (1 + i % 3), 'message ' || i, 0, 1700000002000 + i FROM n;

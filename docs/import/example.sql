-- Batches of /im/import from SQL tables, one a line (SQLite 3.38):
--
--     sqlite3 chat.db < example.sql > batches.jsonl
--     im-import load --url http://127.0.0.1:8080/im/ batches.jsonl
--
-- The tables of this example:
--
--     person  (id, name, avatar)
--     room    (id, kind, title, owner, created)    kind: 'pair' or 'group'
--     member  (room, person, joined)
--     message (id, room, author, body, kind, sent) sent: ms since 1970
--
-- All that matters: messages in the order of time over all lines of a
-- conversation, at most 1,000 in a line, every id a string. For another
-- database, json_object() and json_group_array() have other names
-- (json_build_object and json_agg in PostgreSQL, JSON_OBJECT and
-- JSON_ARRAYAGG in MySQL).

.mode list
.headers off

-- names and pictures, 500 in a line

SELECT json_object('call', 'user/set', 'body', json_object('users', json_group_array(
           json_object('id', id, 'name', coalesce(name, ''), 'img', coalesce(avatar, '')))))
  FROM (SELECT *, (row_number() OVER (ORDER BY id) - 1) / 500 AS line FROM person)
 GROUP BY line;

-- conversations

WITH numbered AS (
    SELECT *, (row_number() OVER (PARTITION BY room ORDER BY sent, id) - 1) / 1000 AS line
      FROM message
     ORDER BY room, sent, id
), lines AS (
    SELECT room, line, json_group_array(json_object(
               'msg_id', CAST(id AS TEXT), 'msg_type', kind, 'msg', body,
               'from_id', author, 'from_time', sent)) AS messages
      FROM numbered
     GROUP BY room, line
), users AS (
    SELECT room, json_group_array(person) AS ids
      FROM (SELECT * FROM member ORDER BY room, joined, person)
     GROUP BY room
)
SELECT CASE r.kind
       WHEN 'pair' THEN json_object('conv_id', r.id, 'conv_type', 0,
           'conv_users', json(u.ids), 'messages', json(coalesce(l.messages, '[]')))
       ELSE json_object('conv_id', r.id, 'conv_type', 1,
           'conv_users', json(u.ids), 'owner_id', r.owner, 'name', r.title,
           'created', r.created, 'messages', json(coalesce(l.messages, '[]')))
       END
  FROM room AS r
  JOIN users AS u ON u.room = r.id
  LEFT JOIN lines AS l ON l.room = r.id
 WHERE r.kind <> 'pair' OR l.messages IS NOT NULL
 ORDER BY r.id, l.line;

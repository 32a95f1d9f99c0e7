-- Makes an id another name of a 1:1.
-- KEYS: head and settings of the id
-- ARGV: "A B ", the users in the order of bytes
-- reply: "ok", or import_conflict: it is taken
local call, name = redis.call, '3' .. ARGV[1]
local head = call('GETRANGE', KEYS[1], 0, 131)
if head == name then return 'ok' end
if head ~= '' then return 'import_conflict' end
call('HSET', KEYS[2], 'name', name)
call('SET', KEYS[1], name)
return 'ok'

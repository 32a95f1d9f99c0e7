-- Makes an id another name of a 1:1.
-- KEYS: head and settings of the id; the head alone, see send.lua
-- ARGV: "A B ", the users in the order of bytes
-- reply: "ok", or import_conflict: it is taken
local call, name = redis.call, '3' .. ARGV[1]
local head = call('GETRANGE', KEYS[1], 0, 131)
if head == name then return 'ok' end
if head ~= '' then return 'import_conflict' end
call('HSET', KEYS[2] or string.sub(KEYS[1], 1, -2) .. 'x', 'name', name)
call('SET', KEYS[1], name)
return 'ok'

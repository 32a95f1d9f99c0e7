-- Messages of an imported conversation from the one of a cursor on.
-- KEYS: timeline, ids of imported messages
-- ARGV: msg_id, "1" for those before it or "", how many, that one among them
-- reply: rows, the first is that of the cursor; none if there is no such one
local call, id = redis.call, ARGV[1]
local seq = call('HGET', KEYS[2], id) or string.match(id, '^(%d+)%-')
if not seq then return {} end
if ARGV[2] == '1' then
    return call('ZREVRANGEBYSCORE', KEYS[1], seq, 1, 'LIMIT', 0, ARGV[3])
end
return call('ZRANGEBYSCORE', KEYS[1], seq, '+inf', 'LIMIT', 0, ARGV[3])

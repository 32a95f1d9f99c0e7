-- Stores a message, the plain schema.
-- KEYS: conv:CONV, msg:CONV
-- ARGV: conv, from, to ("" for a group), msg_type, text as JSON, random part of
--       the id, client_msg_id or "", window in ms
-- reply: { msg_id, time }, or the code of a refusal
local conv, from, to = ARGV[1], ARGV[2], ARGV[3]
local h = redis.call('HMGET', KEYS[1], 'type', 'first', 'second', 'time')
local first, second = h[2] or from, h[3] or to
if not h[1] then
    if to == '' then return 'conv_not_found' end
    redis.call('HSET', KEYS[1], 'type', 0, 'first', first, 'second', second)
end
if h[1] == '1' then
    if not redis.call('ZSCORE', 'member:' .. conv, from) then return 'not_member' end
elseif from ~= first and from ~= second then
    return 'not_member'
end
local known = ARGV[7] ~= '' and 'sent:' .. conv .. ':' .. from .. ':' .. ARGV[7]
if known then
    local was = redis.call('HMGET', known, 'id', 'time', 'what')
    if was[1] then
        if was[3] ~= ARGV[4] .. ARGV[5] then return 'idempotency_conflict' end
        return { was[1], was[2] }
    end
end
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
if h[4] and now < tonumber(h[4]) then now = tonumber(h[4]) end
now = string.format('%.0f', now)
local seq = redis.call('HINCRBY', KEYS[1], 'seq', 1)
local id = seq .. '-' .. ARGV[6]
redis.call('LPUSH', KEYS[2], '{"msg_id":"' .. id .. '","msg_type":' .. ARGV[4] ..
    ',"msg":' .. ARGV[5] .. ',"from_id":"' .. from .. '","from_time":' .. now .. '}')
redis.call('HSET', KEYS[1], 'msg', ARGV[5], 'msg_type', ARGV[4], 'from', from, 'time', now)
redis.call('HSET', 'pos:' .. from, conv, seq)
local member = h[1] == '1' and redis.call('ZRANGE', 'member:' .. conv, 0, -1)
    or { first, second }
for i = 1, #member do redis.call('ZADD', 'inbox:' .. member[i], now, conv) end
if known then
    redis.call('HSET', known, 'id', id, 'time', now, 'what', ARGV[4] .. ARGV[5])
    redis.call('PEXPIRE', known, ARGV[8])
end
return { id, now }

-- Makes a group, or adds to one.
-- KEYS: h:CONV, g:CONV, u:CONV
-- ARGV: conv, "create" or "add", limit, members...
-- reply: "ok", or the code of a refusal
local conv, seq = ARGV[1], '0'
local head = redis.call('GETRANGE', KEYS[1], 0, 220)
local t = redis.call('TIME')
local now = string.format('%.0f', t[1] * 1000 + math.floor(t[2] / 1000))
if ARGV[2] == 'create' then
    if head ~= '' then return 'conv_exists' end
else
    if head == '' then return 'conv_not_found' end
    local _, kind
    _, _, now, seq, kind = string.find(head, '^(%d+) (%d+) (%d)')
    if kind == '0' then return 'not_group' end
end
local new, seen = {}, {}
for i = 4, #ARGV do
    local m = ARGV[i]
    if not seen[m] and not redis.call('ZSCORE', KEYS[2], m) then
        seen[m] = true
        new[#new + 1] = m
    end
end
local n = redis.call('ZCARD', KEYS[2])
if n + #new > tonumber(ARGV[3]) then return 'group_full' end
for i = 1, #new do
    redis.call('ZADD', KEYS[2], n + i, new[i])
    redis.call('ZADD', 'i:' .. new[i], now, conv)
    redis.call('HSET', 'p:' .. new[i], conv, seq)
end
redis.call('SET', KEYS[3], '["' ..
    table.concat(redis.call('ZRANGE', KEYS[2], 0, -1), '","') .. '"]')
if head == '' then
    redis.call('SET', KEYS[1], now .. ' 0 1 - - - "last_msg":"",' ..
        '"last_msg_type":0,"last_user_name":')
end
return 'ok'

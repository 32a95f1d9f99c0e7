-- Stores a message.
-- KEYS: h:CONV, m:CONV
-- ARGV: conv, from, to ("" for a group), msg_type, text as JSON, random part of
--       the id, client_msg_id or "", window in ms
-- reply: { msg_id, time }, or the code of a refusal
local conv, from, to, typ, text = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local cid = ARGV[7]
local head = redis.call('GETRANGE', KEYS[1], 0, 220)
local time, seq, kind, first, second = 0, 0, '0', from, to
if head ~= '' then
    local _
    _, _, time, seq, kind, _, first, second = string.find(head,
        '^(%d+) (%d+) (%d) (%S+) (%S+) (%S+) ')
    time, seq = tonumber(time), tonumber(seq)
elseif to == '' then
    return 'conv_not_found'
end
if kind == '1' then
    if not redis.call('ZSCORE', 'g:' .. conv, from) then return 'not_member' end
elseif from ~= first and from ~= second then
    return 'not_member'
end
if cid ~= '' then
    cid = 'd:' .. conv .. ':' .. from .. ':' .. cid
    local known = redis.call('GET', cid)
    if known then
        local _, _, id, at, what = string.find(known, '^(%S+) (%S+) (.*)$')
        if what ~= typ .. text then return 'idempotency_conflict' end
        return { id, at }
    end
end
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
if now < time then now = time end
seq = seq + 1
now = string.format('%.0f', now)
local id = seq .. '-' .. ARGV[6]
redis.call('LPUSH', KEYS[2], from .. ' {"msg_id":"' .. id .. '","msg_type":' ..
    typ .. ',"msg":' .. text .. ',"conv_id":"' .. conv .. '","from_id":"' ..
    from .. '","from_time":' .. now .. ',"user":')
local open = ''
if kind == '0' then
    open = '{"conv_id":"' .. conv .. '","conv_type":0,"conv_users":["' .. first
        .. '","' .. second .. '"],"users_type":["'
        .. (string.match(first, '_(%u)_[^_]+$') or '') .. '","'
        .. (string.match(second, '_(%u)_[^_]+$') or '') .. '"],'
end
redis.call('SET', KEYS[1], now .. ' ' .. seq .. ' ' .. kind .. ' ' .. from ..
    ' ' .. first .. ' ' .. second .. ' ' .. open .. '"last_msg":' .. text ..
    ',"last_msg_type":' .. typ .. ',"last_user_name":')
redis.call('HSET', 'p:' .. from, conv, seq)
if kind == '0' then
    redis.call('ZADD', 'i:' .. first, now, conv)
    redis.call('ZADD', 'i:' .. second, now, conv)
else
    local member = redis.call('ZRANGE', 'g:' .. conv, 0, -1)
    for i = 1, #member do redis.call('ZADD', 'i:' .. member[i], now, conv) end
end
if cid ~= '' then
    redis.call('SET', cid, id .. ' ' .. now .. ' ' .. typ .. text, 'PX', ARGV[8])
end
return { id, now }

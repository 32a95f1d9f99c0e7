-- Stores a message.
-- KEYS: head, timeline, idempotency index, and for a group its members
-- ARGV: from, type, escaped text, random part of the id,
--       client_msg_id or "", window in ms,
--       for a 1:1 whose users are known "A B " in the order of bytes, or "",
--       "0" or "1": which of them is the sender
-- reply: "msg_id time", for a 1:1 that was named by its id also " " and the
--        other user, or the code of a refusal
local call, sub = redis.call, string.sub
local from, typ, text, cid, ids = ARGV[1], ARGV[2], ARGV[3], ARGV[5], ARGV[7]
local group, who, peer = KEYS[4], ARGV[8], ''
local head = call('GETRANGE', KEYS[1], 0, 199)
local t = call('TIME')
local now = t[1] .. sub('000000' .. t[2], -6, -4)
local seq, keep, other, rev
if head == '' then
    if group or ids == '' then return 'conv_not_found' end
    seq, keep, other, rev = '1', who .. ids, '000000000000000', '000000'
else
    local last = sub(head, 17, 29)
    if now < last then now = last end
    seq, rev = (sub(head, 2, 16) + 1) .. '', sub(head, 30, 35)
    if group then
        if call('HEXISTS', group, from) == 0 then return 'not_member' end
    else
        if ids == '' then
            local _, _, a, b = string.find(head, '^([^ ]+) ([^ ]+) ', 71)
            if from ~= a and from ~= b then return 'not_member' end
            who, peer, ids = '0', ' ' .. b, a .. ' ' .. b .. ' '
            if from == b then who, peer = '1', ' ' .. a end
        end
        keep = sub(head, 70, 70 + #ids)
        if keep ~= '0' .. ids and keep ~= '1' .. ids then
            return 'not_member'
        end
        other = who == '0' and sub(head, 53, 67) or sub(head, 38, 52)
    end
end
local body = typ .. ' ' .. from .. ' ' .. text
if cid ~= '' then
    local known = call('ZSCORE', KEYS[3], from .. ' ' .. cid)
    if known then
        local row = call('ZRANGEBYSCORE', KEYS[2], known, known)[1]
        local sp = string.find(row, ' ', 1, true)
        if now - sub(row, sp + 1, sp + 13) < tonumber(ARGV[6]) then
            -- of a recalled message nothing is left to compare
            if sub(row, sp + 15) ~= body and sub(row, sp + 16, sp + 16) ~= 'r'
            then
                return 'idempotency_conflict'
            end
            return sub(row, 1, sp + 13) .. peer
        end
    end
end
local pad = sub('00000000000000' .. seq, -15)
local id = seq .. '-' .. ARGV[4] .. ' ' .. now
call('ZADD', KEYS[2], seq, id .. ' ' .. body)
if group then
    call('HSET', group, from, seq)
    call('SET', KEYS[1], '1' .. pad .. now .. rev .. typ .. from .. ' '
        .. text)
elseif who == '0' then
    call('SET', KEYS[1], '0' .. pad .. now .. rev .. '00' .. pad .. other
        .. typ .. '0' .. keep .. text)
else
    call('SET', KEYS[1], '0' .. pad .. now .. rev .. '00' .. other .. pad
        .. typ .. '1' .. keep .. text)
end
if head == '' then call('ZADD', KEYS[3], '0', '') end
if cid ~= '' then
    call('ZADD', KEYS[3], seq, from .. ' ' .. cid)
    -- forget what is older than the window, a few at a time
    local old = call('ZRANGE', KEYS[3], 1, 4, 'WITHSCORES')
    for i = 1, #old, 2 do
        local row = call('ZRANGEBYSCORE', KEYS[2], old[i + 1], old[i + 1])[1]
        local sp = string.find(row, ' ', 1, true)
        if now - sub(row, sp + 1, sp + 13) < tonumber(ARGV[6]) then break end
        call('ZREM', KEYS[3], old[i])
    end
end
return id .. peer

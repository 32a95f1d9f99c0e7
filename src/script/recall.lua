-- Takes the text of a message away; its row keeps all else.
-- KEYS: head, timeline, and for a group its members and settings; with an
--       event channel the recalls of the last day; ids of imported messages
-- ARGV: who recalls, sequence, msg_id to be checked,
--       ms in which one's own message may be recalled, "0" for ever, or "off";
--       if there is a key for those ids "1"; the event channel, if any
-- reply: "ok"; "=" and a head: not of the kind that KEYS are for, or the
--        message may be an imported one; or the code of a refusal
local index = ARGV[5] == '1' and table.remove(KEYS)
local channel = ARGV[index and 6 or 5]
local recalls, users = channel and table.remove(KEYS), ''
local call, sub = redis.call, string.sub
local user, seq, msg, window = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local group, head = KEYS[3], call('GETRANGE', KEYS[1], 0, 329)
if head == '' then return 'conv_not_found' end
local kind = sub(head, 1, 1)
if kind ~= '3' and not KEYS[2] then return {err = 'TRYAGAIN'} end
if kind == '3' or not group and kind ~= '0' then
    return '=' .. sub(head, 1, 131)
end
local _, text, owner
local as = ''
if group then
    if call('HEXISTS', group, user) == 0 then return 'not_member' end
    owner = call('HGET', KEYS[4], 'owner') == user
    _, text = string.find(head, '^[^ ]* ', 37)
else
    local _, last, a, b = string.find(head, '^([^ ]+) ([^ ]+) ', 71)
    if user ~= a and user ~= b then return 'not_member' end
    text, users = last, a .. ' ' .. b .. ' '
    if sub(head, 70, 70) > '1' then
        local words = sub(head, 69, 69) > '1' and '^[^ ]* [^ ]* ' or '^[^ ]* '
        _, text = string.find(head, words, last + 1)
        as = '=' .. string.match(head, '^[^ ]+', last + 1)
    end
end
local row = call('ZRANGEBYSCORE', KEYS[2], seq, seq)[1]
if not row or sub(row, 1, #msg + 1) ~= msg .. ' ' then
    if not index and (kind > '3' or not group and sub(head, 70, 70) > '1') then
        return '=' .. kind
    end
    seq = index and call('HGET', index, msg)
    row = seq and call('ZRANGEBYSCORE', KEYS[2], seq, seq)[1]
    msg = seq and seq .. '=' .. msg
    if not row or sub(row, 1, #msg + 1) ~= msg .. ' ' then
        return 'msg_not_found'
    end
end
local at = #msg + 16
local _, last, mark, from = string.find(row, '^(r?) ([^ ]+) ', at + 1)
if from ~= user and not owner then return 'forbidden' end
if kind == '2' or kind == '5' then return 'dismissed' end
if mark == 'r' then return 'ok' end
if not owner and window ~= '0' then
    local t = call('TIME')
    local now = t[1] .. sub('000000' .. t[2], -6, -4)
    if window == 'off'
       or now - sub(row, #msg + 2, #msg + 14) > tonumber(window)
    then
        return 'recall_expired'
    end
end
-- the head first: if what follows is cut off, a repetition does it
local rev = string.format('%06d', (sub(head, 30, 35) + 1) % 1000000)
if tonumber(sub(head, 2, 16)) == tonumber(seq) then
    call('SET', KEYS[1], sub(head, 1, 29) .. rev .. sub(head, 36, text))
else
    call('SETRANGE', KEYS[1], 29, rev)
end
call('ZADD', KEYS[2], seq, sub(row, 1, at) .. 'r ' .. from .. ' ')
call('ZREM', KEYS[2], row)
if channel then
    local t = call('TIME')
    local now = t[1] .. sub('000000' .. t[2], -6, -4)
    local event = string.match(KEYS[1], '{c:(.*)}:h$') .. as .. ' ' .. users
        .. msg
    event = (group and 'C ' or 'c ') .. event
    call('ZADD', recalls, now, event)
    local old = call('ZRANGEBYSCORE', recalls, '-inf', now - 86400000,
        'LIMIT', 0, 8)
    for i = 1, #old do call('ZREM', recalls, old[i]) end
    redis.pcall('PUBLISH', channel, sub(event, 1, 2) .. now .. ':'
        .. sub(event, 3))
end
return 'ok'

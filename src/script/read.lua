-- Moves a reader's position forward, never back.
-- KEYS: head, timeline, and for a group its members; ids of imported messages
-- ARGV: reader, sequence or "" for all, msg_id to be checked or ""; if there
--       is a key for those ids "1"; the event channel, if any
-- reply: "ok"; "=" and a head: not of the kind that KEYS are for, or the
--        message may be an imported one; or the code of a refusal
local index = ARGV[4] == '1' and table.remove(KEYS)
local channel = ARGV[index and 5 or 4]
local user, upto, msg, group = ARGV[1], ARGV[2], ARGV[3], KEYS[3]
local call, sub = redis.call, string.sub
local head = call('GETRANGE', KEYS[1], 0, 199)
if head == '' then return 'conv_not_found' end
local kind = sub(head, 1, 1)
if kind ~= '3' and not KEYS[2] then return {err = 'TRYAGAIN'} end
if kind == '3' or not group and kind ~= '0' then
    return '=' .. sub(head, 1, 131)
end
local seq, at, joined, hidden = tonumber(sub(head, 2, 16)), nil, '', ''
local users, moved, as = '', false, ''
if group then
    local pos = call('HGET', group, user)
    if not pos then return 'not_member' end
    at, joined, hidden = string.match(pos, '^(%d+)(j?)(.*)')
else
    local _, _, first, second = string.find(head, '^([^ ]+) ([^ ]+) ', 71)
    at = user == first and 37 or user == second and 52
    if not at then return 'not_member' end
    users = first .. ' ' .. second .. ' '
    if channel and sub(head, 70, 70) > '1' then
        as = '=' .. string.match(call('GETRANGE', KEYS[1], 70, 329),
            '^[^ ]+ [^ ]+ ([^ ]+)')
    end
end
if msg ~= '' then
    local row = call('ZRANGEBYSCORE', KEYS[2], upto, upto)[1]
    if not row or sub(row, 1, #msg + 1) ~= msg .. ' ' then
        if not index and (kind > '3' or not group and sub(head, 70, 70) > '1')
        then
            return '=' .. kind
        end
        upto = index and call('HGET', index, msg)
        if not upto or tonumber(upto) > seq then return 'msg_not_found' end
    end
end
if upto ~= '' and tonumber(upto) < seq then seq = tonumber(upto) end
if group then
    at = tonumber(at)
    if at < seq or joined ~= '' and at == seq then
        moved = at < seq
        call('HSET', group, user, seq .. hidden)
    end
elseif tonumber(sub(head, at + 1, at + 15)) < seq then
    moved = true
    call('SETRANGE', KEYS[1], at, string.format('%015d', seq))
end
local row = moved and channel
    and call('ZRANGEBYSCORE', KEYS[2], seq, seq)[1]
if row then
    local t = call('TIME')
    redis.pcall('PUBLISH', channel, (group and 'R ' or 'r ') .. t[1]
        .. sub('000000' .. t[2], -6, -4)
        .. string.match(KEYS[1], '{c(:.*)}:h$') .. as .. ' ' .. users .. user
        .. ' ' .. string.match(row, '^[^ ]+'))
end
return 'ok'

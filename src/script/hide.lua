-- Hides a conversation from one user until its next message.
-- KEYS: head, and for a group its members
-- ARGV: user, the event channel, if any
-- reply: "ok"; "=" and a head: not of the kind that KEYS are for; or the code
--        of a refusal
local user, group = ARGV[1], KEYS[2]
local head = redis.call('GETRANGE', KEYS[1], 0, 199)
if head == '' then return 'conv_not_found' end
local kind, sub = string.sub(head, 1, 1), string.sub
if kind == '3' or not group and kind ~= '0' then
    return '=' .. sub(head, 1, 131)
end
if group then
    local pos = redis.call('HGET', group, user)
    if not pos then return 'not_member' end
    local new = string.match(pos, '^%d+j?') .. 'h'
                .. tonumber(string.sub(head, 2, 16))
    if new == pos then return 'ok' end
    redis.call('HSET', group, user, new)
else
    local _, _, first, second = string.find(head, '^([^ ]+) ([^ ]+) ', 71)
    local at = user == first and 35 or user == second and 36
    if not at then return 'not_member' end
    if string.sub(head, at + 1, at + 1) == '1' then return 'ok' end
    redis.call('SETRANGE', KEYS[1], at, '1')
end
if ARGV[2] then
    local as = ''
    if not group and sub(head, 70, 70) > '1' then
        as = '=' .. string.match(redis.call('GETRANGE', KEYS[1], 70, 329),
            '^[^ ]+ [^ ]+ ([^ ]+)')
    end
    local t = redis.call('TIME')
    redis.pcall('PUBLISH', ARGV[2], 'H ' .. t[1]
        .. string.sub('000000' .. t[2], -6, -4)
        .. string.match(KEYS[1], '{c(:.*)}:h$') .. as .. ' ' .. user)
end
return 'ok'

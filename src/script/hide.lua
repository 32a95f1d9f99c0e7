-- Hides a conversation from one user until its next message.
-- KEYS: head, and for a group its members
-- ARGV: user
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
    if new ~= pos then redis.call('HSET', group, user, new) end
    return 'ok'
end
local _, _, first, second = string.find(head, '^([^ ]+) ([^ ]+) ', 71)
local at = user == first and 35 or user == second and 36
if not at then return 'not_member' end
if string.sub(head, at + 1, at + 1) ~= '1' then
    redis.call('SETRANGE', KEYS[1], at, '1')
end
return 'ok'

-- Tells the others in a conversation that one of them is typing.
-- KEYS: head, and for a group its members
-- ARGV: user, the event channel, if any
-- reply: "ok"; "=" and a head: not of the kind that KEYS are for; or the code
--        of a refusal
local call, user, group, users = redis.call, ARGV[1], KEYS[2], ''
local sub, as = string.sub, ''
local head = call('GETRANGE', KEYS[1], 0, 199)
if head == '' then return 'conv_not_found' end
local kind = sub(head, 1, 1)
if kind == '3' or not group and kind ~= '0' then
    return '=' .. sub(head, 1, 131)
end
if group then
    if call('HEXISTS', group, user) == 0 then return 'not_member' end
else
    local _, _, first, second = string.find(head, '^([^ ]+) ([^ ]+) ', 71)
    if user ~= first and user ~= second then return 'not_member' end
    users = first .. ' ' .. second .. ' '
    if sub(head, 70, 70) > '1' then
        as = '=' .. string.match(call('GETRANGE', KEYS[1], 70, 329),
            '^[^ ]+ [^ ]+ ([^ ]+)')
    end
end
if ARGV[2] then
    local t = call('TIME')
    redis.pcall('PUBLISH', ARGV[2], (group and 'Y ' or 'y ') .. t[1]
        .. sub('000000' .. t[2], -6, -4)
        .. string.match(KEYS[1], '{c(:.*)}:h$') .. as .. ' ' .. users .. user)
end
return 'ok'

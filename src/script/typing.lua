-- Tells the others in a conversation that one of them is typing.
-- KEYS: head, and for a group its members
-- ARGV: user, the event channel, if any
-- reply: "ok", or the code of a refusal
local call, user, group, users = redis.call, ARGV[1], KEYS[2], ''
local head = call('GETRANGE', KEYS[1], 0, 199)
if head == '' then return 'conv_not_found' end
if group then
    if call('HEXISTS', group, user) == 0 then return 'not_member' end
else
    local _, _, first, second = string.find(head, '^([^ ]+) ([^ ]+) ', 71)
    if user ~= first and user ~= second then return 'not_member' end
    users = first .. ' ' .. second .. ' '
end
if ARGV[2] then
    local t = call('TIME')
    redis.pcall('PUBLISH', ARGV[2], (group and 'Y ' or 'y ') .. t[1]
        .. string.sub('000000' .. t[2], -6, -4)
        .. string.match(KEYS[1], '{c(:.*)}:h$') .. ' ' .. users .. user)
end
return 'ok'

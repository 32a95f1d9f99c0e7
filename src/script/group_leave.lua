-- Takes a member who leaves out of a group.
-- KEYS: head, members, settings
-- ARGV: member, the event channel, if any
-- reply: "ok", or the code of a refusal
local call, user, stay = redis.call, ARGV[1], {}
local kind = call('GETRANGE', KEYS[1], 0, 0)
if kind == '' then return 'conv_not_found' end
if call('HEXISTS', KEYS[2], user) == 0 then return 'not_member' end
local set = call('HMGET', KEYS[3], 'owner', 'users')
if kind ~= '2' and set[1] == user then return 'is_owner' end
for shown in string.gmatch(set[2], '"[^"]+"') do
    if shown ~= '"' .. user .. '"' then stay[#stay + 1] = shown end
end
call('HSET', KEYS[3], 'users', table.concat(stay, ','))
call('HDEL', KEYS[3], 'a:' .. user)
call('HDEL', KEYS[2], user)
if ARGV[2] then
    local t = redis.call('TIME')
    redis.pcall('PUBLISH', ARGV[2], 'L ' .. t[1]
        .. string.sub('000000' .. t[2], -6, -4)
        .. string.match(KEYS[1], '{c(:.*)}:h$') .. ' ' .. user)
end
return 'ok'

-- Takes a member who leaves out of a group.
-- KEYS: head, members, settings
-- ARGV: member, the event channel, if any
-- reply: "ok"; "=" and a head: the id is another name of a 1:1; or the code of
--        a refusal
local call, user, stay = redis.call, ARGV[1], {}
local kind = call('GETRANGE', KEYS[1], 0, 0)
if kind == '' then return 'conv_not_found' end
if kind == '3' then return '=' .. call('GET', KEYS[1]) end
if not KEYS[2] then return {err = 'TRYAGAIN'} end
if call('HEXISTS', KEYS[2], user) == 0 then return 'not_member' end
local set = call('HMGET', KEYS[3], 'owner', 'users')
if kind ~= '2' and kind ~= '5' and set[1] == user then return 'is_owner' end
for shown in string.gmatch(set[2], '"[^"]+"') do
    if shown ~= '"' .. user .. '"' then stay[#stay + 1] = shown end
end
call('HSET', KEYS[3], 'users', table.concat(stay, ','))
call('HDEL', KEYS[3], 'a:' .. user)
-- the last one leaves an empty field: a key that does not exist would be in
-- the way of a slot that is moved
if #stay == 0 then call('HSET', KEYS[2], '', '0') end
call('HDEL', KEYS[2], user)
if ARGV[2] then
    local t = redis.call('TIME')
    redis.pcall('PUBLISH', ARGV[2], 'L ' .. t[1]
        .. string.sub('000000' .. t[2], -6, -4)
        .. string.match(KEYS[1], '{c(:.*)}:h$') .. ' ' .. user)
end
return 'ok'

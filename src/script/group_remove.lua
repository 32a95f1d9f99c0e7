-- Takes members out of a group; by its owner.  Who is no member is skipped.
-- KEYS: head, members, settings
-- ARGV: who takes them out, how many ids there are, id..., the event channel,
--       if any
-- reply: "ok " and for each id "1" if it was a member or "0"; "=" and a head:
--        the id is another name of a 1:1; or the code of a refusal,
--        bad_request: the owner is among them
local call, who, gone, was, stay = redis.call, ARGV[1], {}, {}, {}
local last, left = 2 + ARGV[2], {}
local kind = call('GETRANGE', KEYS[1], 0, 0)
if kind == '' then return 'conv_not_found' end
if kind == '3' then return '=' .. call('GET', KEYS[1]) end
if not KEYS[2] then return {err = 'TRYAGAIN'} end
if call('HEXISTS', KEYS[2], who) == 0 then return 'not_member' end
local set = call('HMGET', KEYS[3], 'owner', 'users')
if set[1] ~= who then return 'forbidden' end
for i = 3, last do
    if ARGV[i] == who then return 'bad_request' end
end
if kind == '2' or kind == '5' then return 'dismissed' end
for i = 3, last do
    was[i - 2] = call('HEXISTS', KEYS[2], ARGV[i])
    if was[i - 2] == 1 then gone['"' .. ARGV[i] .. '"'] = ARGV[i] end
end
if next(gone) then
    for shown in string.gmatch(set[2], '"[^"]+"') do
        if not gone[shown] then stay[#stay + 1] = shown end
    end
    call('HSET', KEYS[3], 'users', table.concat(stay, ','))
end
for _, user in pairs(gone) do
    call('HDEL', KEYS[3], 'a:' .. user)
    call('HDEL', KEYS[2], user)
    left[#left + 1] = user
end
if ARGV[last + 1] and left[1] then
    local t = redis.call('TIME')
    redis.pcall('PUBLISH', ARGV[last + 1], 'L ' .. t[1]
        .. string.sub('000000' .. t[2], -6, -4)
        .. string.match(KEYS[1], '{c(:.*)}:h$') .. ' '
        .. table.concat(left, ' '))
end
return 'ok ' .. table.concat(was)

-- Takes members out of a group; by its owner.  Who is no member is skipped.
-- KEYS: head, members, settings
-- ARGV: who takes them out, id...
-- reply: "ok " and for each id "1" if it was a member or "0"; "=" and a head:
--        the id is another name of a 1:1; or the code of a refusal,
--        bad_request: the owner is among them
local call, who, gone, was, stay = redis.call, ARGV[1], {}, {}, {}
local kind = call('GETRANGE', KEYS[1], 0, 0)
if kind == '' then return 'conv_not_found' end
if kind == '3' then return '=' .. call('GET', KEYS[1]) end
if not KEYS[2] then return {err = 'TRYAGAIN'} end
if call('HEXISTS', KEYS[2], who) == 0 then return 'not_member' end
local set = call('HMGET', KEYS[3], 'owner', 'users')
if set[1] ~= who then return 'forbidden' end
for i = 2, #ARGV do
    if ARGV[i] == who then return 'bad_request' end
end
if kind == '2' or kind == '5' then return 'dismissed' end
for i = 2, #ARGV do
    was[i - 1] = call('HEXISTS', KEYS[2], ARGV[i])
    if was[i - 1] == 1 then gone['"' .. ARGV[i] .. '"'] = ARGV[i] end
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
end
return 'ok ' .. table.concat(was)

-- Sets the alias of a member, or takes it away.
-- KEYS: head, members, settings
-- ARGV: who sets it or "" for a trusted caller, member, escaped alias or ""
-- reply: "ok"; "=" and a head: the id is another name of a 1:1; or the code of
--        a refusal
local call, who, user = redis.call, ARGV[1], ARGV[2]
local kind = call('GETRANGE', KEYS[1], 0, 0)
if kind == '' then return 'conv_not_found' end
if kind == '3' then return '=' .. call('GET', KEYS[1]) end
if not KEYS[2] then return {err = 'TRYAGAIN'} end
if who ~= '' and call('HEXISTS', KEYS[2], who) == 0 then
    return 'not_member'
end
if who ~= '' and who ~= user and call('HGET', KEYS[3], 'owner') ~= who then
    return 'forbidden'
end
if call('HEXISTS', KEYS[2], user) == 0 then return 'not_member' end
if kind == '2' or kind == '5' then return 'dismissed' end
if ARGV[3] == '' then
    call('HDEL', KEYS[3], 'a:' .. user)
else
    call('HSET', KEYS[3], 'a:' .. user, ARGV[3])
end
return 'ok'

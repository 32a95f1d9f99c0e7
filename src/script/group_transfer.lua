-- Makes another member the owner of a group; by its owner.
-- KEYS: head, members, settings
-- ARGV: owner, who is to be it, the event channel, if any
-- reply: "ok"; "=" and a head: the id is another name of a 1:1; or the code of
--        a refusal
local call, who, to = redis.call, ARGV[1], ARGV[2]
local kind = call('GETRANGE', KEYS[1], 0, 0)
if kind == '' then return 'conv_not_found' end
if kind == '3' then return '=' .. call('GET', KEYS[1]) end
if not KEYS[2] then return {err = 'TRYAGAIN'} end
if call('HEXISTS', KEYS[2], who) == 0 then return 'not_member' end
if call('HGET', KEYS[3], 'owner') ~= who then return 'forbidden' end
if call('HEXISTS', KEYS[2], to) == 0 then return 'not_member' end
if kind == '2' or kind == '5' then return 'dismissed' end
if to ~= who then call('HSET', KEYS[3], 'owner', to) end
if ARGV[3] and to ~= who then
    local t = redis.call('TIME')
    redis.pcall('PUBLISH', ARGV[3], 'T ' .. t[1]
        .. string.sub('000000' .. t[2], -6, -4)
        .. string.match(KEYS[1], '{c(:.*)}:h$'))
end
return 'ok'

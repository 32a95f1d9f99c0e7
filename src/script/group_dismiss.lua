-- Makes a group read-only for ever; by its owner.
-- KEYS: head, members, settings
-- ARGV: owner, the event channel, if any
-- reply: "ok"; "=" and a head: the id is another name of a 1:1; or the code of
--        a refusal
local call, who = redis.call, ARGV[1]
local kind = call('GETRANGE', KEYS[1], 0, 0)
if kind == '' then return 'conv_not_found' end
if kind == '3' then return '=' .. call('GET', KEYS[1]) end
if not KEYS[2] then return {err = 'TRYAGAIN'} end
if call('HEXISTS', KEYS[2], who) == 0 then return 'not_member' end
if call('HGET', KEYS[3], 'owner') ~= who then return 'forbidden' end
if kind == '1' then call('SETRANGE', KEYS[1], 0, '2') end
if kind == '4' then call('SETRANGE', KEYS[1], 0, '5') end
if ARGV[2] and (kind == '1' or kind == '4') then
    local t = call('TIME')
    redis.pcall('PUBLISH', ARGV[2], 'D ' .. t[1]
        .. string.sub('000000' .. t[2], -6, -4)
        .. string.match(KEYS[1], '{c(:.*)}:h$'))
end
return 'ok'

-- Makes a group read-only for ever; by its owner.
-- KEYS: head, members, settings
-- ARGV: owner
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
return 'ok'

-- Sets name, picture or description of a group; by its owner.
-- KEYS: head, members, settings
-- ARGV: who sets them, for each of the three "1" if it is set or "0", as
--       "101", and their escaped texts; the event channel, if any
-- reply: "ok"; "=" and a head: the id is another name of a 1:1; or the code of
--        a refusal
local call, who, set = redis.call, ARGV[1], ARGV[2]
local kind = call('GETRANGE', KEYS[1], 0, 0)
if kind == '' then return 'conv_not_found' end
if kind == '3' then return '=' .. call('GET', KEYS[1]) end
if not KEYS[2] then return {err = 'TRYAGAIN'} end
if call('HEXISTS', KEYS[2], who) == 0 then return 'not_member' end
local old = call('HMGET', KEYS[3], 'owner', 'info')
if old[1] ~= who then return 'forbidden' end
if kind == '2' or kind == '5' then return 'dismissed' end
-- a quote within a text has a backslash before it, so that none of them has
-- what stands between two of them
local text = { string.match(old[2],
    '^"name":"(.-)","img":"(.-)","description":"(.*)"$') }
for i = 1, 3 do
    if string.sub(set, i, i) == '1' then text[i] = ARGV[2 + i] end
end
call('HSET', KEYS[3], 'info', '"name":"' .. text[1] .. '","img":"' .. text[2]
    .. '","description":"' .. text[3] .. '"')
if ARGV[6] then
    local t = redis.call('TIME')
    redis.pcall('PUBLISH', ARGV[6], 'S ' .. t[1]
        .. string.sub('000000' .. t[2], -6, -4)
        .. string.match(KEYS[1], '{c(:.*)}:h$'))
end
return 'ok'

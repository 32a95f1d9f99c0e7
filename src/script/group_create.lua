-- Brings a group into being, all its keys at once.
-- KEYS: head, timeline, idempotency index, members, settings; the head alone
--       if none of them can exist (a slot that is moved)
-- ARGV: owner, members in the shape of an answer, info fragment, how many ids
--       there are, id..., the event channel, if any
-- reply: "ok", or the code of a refusal
if redis.call('EXISTS', KEYS[1]) == 1 then return 'conv_exists' end
local key = string.sub(KEYS[1], 1, -2)
local members, settings = KEYS[4] or key .. 'g', KEYS[5] or key .. 'x'
local t = redis.call('TIME')
local now = t[1] .. string.sub('000000' .. t[2], -6, -4)
redis.call('ZADD', KEYS[2] or key .. 'm', 0, '')
redis.call('ZADD', KEYS[3] or key .. 'i', 0, '')
local last = 4 + ARGV[4]
for i = 5, last do redis.call('HSET', members, ARGV[i], '0j') end
redis.call('HSET', settings, 'owner', ARGV[1], 'users', ARGV[2],
    'info', ARGV[3], 'created', now)
-- the head comes last: without it there is no group
redis.call('SET', KEYS[1], '1000000000000000' .. now .. '0000000 ')
if ARGV[last + 1] then
    redis.pcall('PUBLISH', ARGV[last + 1], 'J ' .. now
        .. string.match(KEYS[1], '{c(:.*)}:h$') .. ' '
        .. table.concat(ARGV, ' ', 5, last))
end
return 'ok'

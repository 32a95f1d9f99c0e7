-- Adds members to a group, all or none.
-- KEYS: head, members, settings
-- ARGV: who adds or "" for a trusted caller, limit, id...
-- reply: "ok", or the code of a refusal
local head = redis.call('GETRANGE', KEYS[1], 0, 28)
if head == '' then return 'conv_not_found' end
if ARGV[1] ~= '' and redis.call('HEXISTS', KEYS[2], ARGV[1]) == 0 then
    return 'not_member'
end
local seq = tonumber(string.sub(head, 2, 16))
local new, shown = {}, ''
for i = 3, #ARGV do
    if redis.call('HEXISTS', KEYS[2], ARGV[i]) == 0 then
        new[#new + 1] = ARGV[i]
        shown = shown .. ',"' .. ARGV[i] .. '"'
    end
end
if #new == 0 then return 'ok' end
if redis.call('HLEN', KEYS[2]) + #new > tonumber(ARGV[2]) then
    return 'group_full'
end
for i = 1, #new do redis.call('HSET', KEYS[2], new[i], seq) end
redis.call('HSET', KEYS[3], 'users',
    redis.call('HGET', KEYS[3], 'users') .. shown)
return 'ok'

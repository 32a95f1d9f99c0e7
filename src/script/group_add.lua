-- Adds members to a group, all or none.
-- KEYS: head, members, settings
-- ARGV: who adds or "" for a trusted caller, "1" if that must be the owner,
--       limit, "1" to judge only, how many ids there are, id..., the event
--       channel, if any
-- reply: "ok", if it judges only "ok " and for each id "0" if it is a member
--        or "1"; "=" and a head: the id is another name of a 1:1; or the code
--        of a refusal
-- More ids than the limit are told by their number alone.
local head = redis.call('GETRANGE', KEYS[1], 0, 28)
if head == '' then return 'conv_not_found' end
local kind = string.sub(head, 1, 1)
if kind == '3' then return '=' .. redis.call('GET', KEYS[1]) end
if not KEYS[2] then return {err = 'TRYAGAIN'} end
local who, limit, count = ARGV[1], tonumber(ARGV[3]), tonumber(ARGV[5])
if who ~= '' and redis.call('HEXISTS', KEYS[2], who) == 0 then
    return 'not_member'
end
if who ~= '' and ARGV[2] == '1'
   and redis.call('HGET', KEYS[3], 'owner') ~= who
then
    return 'forbidden'
end
if kind == '2' or kind == '5' then return 'dismissed' end
if count > limit then return 'group_full' end
local new, was, shown, seq = {}, {}, {}, tonumber(string.sub(head, 2, 16))
for i = 1, count, 500 do
    local last = math.min(i + 499, count)
    local pos = redis.call('HMGET', KEYS[2], unpack(ARGV, 5 + i, 5 + last))
    for k = 1, last - i + 1 do
        if not pos[k] then new[#new + 1] = ARGV[5 + i + k - 1] end
        was[#was + 1] = pos[k] and '0' or '1'
    end
end
if #new > 0 and redis.call('HLEN', KEYS[2]) + #new > limit then
    return 'group_full'
end
if ARGV[4] == '1' then return 'ok ' .. table.concat(was) end
if #new == 0 then return 'ok' end
local users = redis.call('HGET', KEYS[3], 'users')
if users ~= '' then shown[1] = users end
for i = 1, #new do
    redis.call('HSET', KEYS[2], new[i], seq .. 'j')
    shown[#shown + 1] = '"' .. new[i] .. '"'
end
redis.call('HSET', KEYS[3], 'users', table.concat(shown, ','))
if ARGV[6 + count] then
    local t = redis.call('TIME')
    redis.pcall('PUBLISH', ARGV[6 + count], 'J ' .. t[1]
        .. string.sub('000000' .. t[2], -6, -4)
        .. string.match(KEYS[1], '{c(:.*)}:h$') .. ' '
        .. table.concat(new, ' '))
end
return 'ok'

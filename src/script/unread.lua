-- How many messages one user has not read, in several conversations; those
-- that the user hides do not count.
-- KEYS: head of each 1:1, then head and members of each group
-- ARGV: user, for each 1:1 "0" or "1": which of its positions is the user's
-- reply: the sum
local user, mine, sum = ARGV[1], ARGV[2], 0
local call, sub = redis.call, string.sub
if mine == '' and not KEYS[2] then
    if call('EXISTS', KEYS[1]) == 0 then return 0 end
    return {err = 'TRYAGAIN'}
end
for i = 1, #mine do
    local head = call('GETRANGE', KEYS[i], 1, 66)
    if head ~= '' then
        local at, hide = 37, 35
        if sub(mine, i, i) == '1' then at, hide = 52, 36 end
        local n = sub(head, 1, 15) - sub(head, at, at + 14)
        if n > 0 and sub(head, hide, hide) ~= '1' then sum = sum + n end
    end
end
for i = #mine + 1, #KEYS, 2 do
    local pos = call('HGET', KEYS[i + 1], user)
    local head = pos and call('GETRANGE', KEYS[i], 1, 15) or ''
    if head ~= '' then
        local read, hidden = string.match(pos, '^(%d+)j?h?(%d*)')
        local n = head - read
        if n > 0 and head + 0 ~= tonumber(hidden) then sum = sum + n end
    end
end
return sum

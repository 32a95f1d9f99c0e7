-- How many messages one user has not read, in several conversations.
-- KEYS: head of each 1:1, then head and members of each group
-- ARGV: user, for each 1:1 "0" or "1": which of its positions is the user's
-- reply: the sum
local user, mine, sum = ARGV[1], ARGV[2], 0
local call, sub = redis.call, string.sub
for i = 1, #mine do
    local head = call('GETRANGE', KEYS[i], 1, 66)
    if head ~= '' then
        local at = sub(mine, i, i) == '0' and 37 or 52
        local n = sub(head, 1, 15) - sub(head, at, at + 14)
        if n > 0 then sum = sum + n end
    end
end
for i = #mine + 1, #KEYS, 2 do
    local pos = call('HGET', KEYS[i + 1], user)
    local head = pos and call('GETRANGE', KEYS[i], 1, 15) or ''
    local n = head ~= '' and head - string.match(pos, '^%d+') or 0
    if n > 0 then sum = sum + n end
end
return sum

-- What one user has in each of several groups, in one step: a position that is
-- older than the head would count the user's own messages as unread.
-- KEYS: head and members, with "1" also settings, of each group
-- ARGV: user, "1" or ""
-- reply: for each group the position, " " and the first 101 bytes of the head;
--        with "1" the whole head, and users and info of the settings after it,
--        but not of a group that the user hides;
--        all "" where there is no such group or the user is no member
local user, whole, out, n = ARGV[1], ARGV[2] == '1', {}, 0
if not KEYS[2] then
    if redis.call('EXISTS', KEYS[1]) == 1 then
        return {err = 'TRYAGAIN'}
    end
    return whole and {'', '', ''} or {''}
end
for i = 1, #KEYS, whole and 3 or 2 do
    local pos, head, set = redis.call('HGET', KEYS[i + 1], user), '', {}
    local hide = pos and string.match(pos, 'h(%d+)$')
    local full = whole and pos
    if pos and (hide or not whole) then
        head = redis.call('GETRANGE', KEYS[i], 0, 100)
        full = whole and tonumber(hide) ~= tonumber(string.sub(head, 2, 16))
    end
    if full then
        head = redis.call('GET', KEYS[i])
        set = redis.call('HMGET', KEYS[i + 2], 'users', 'info')
    end
    n = n + 1
    out[n] = head and head ~= '' and table.concat({pos, ' ', head}) or ''
    if whole then
        out[n + 1], out[n + 2] = set[1] or '', set[2] or ''
        n = n + 2
    end
end
return out

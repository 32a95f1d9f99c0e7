-- The newest messages of a conversation, back to a time.
-- KEYS: timeline, head
-- ARGV: ms, how many messages at most, bytes of their rows at most
-- reply: "" if these are all, else the sequence before the first that is left
--        out, and for an imported 1:1 "=" and the id that it is shown under;
--        rows, the newest first
local call, sub, find = redis.call, string.sub, string.find
local since, max, room = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local head = call('GETRANGE', KEYS[2], 0, 329)
local as = sub(head, 1, 1) == '0' and sub(head, 70, 70) > '1'
    and '=' .. string.match(head, '^[^ ]+ [^ ]+ ([^ ]+)', 71) or ''
local out, n = { as }, 0
local function time(row)
    local sp = find(row, ' ', 1, true)
    return sp and sub(row, sp + 1, sp + 13)
end
local function seq(row) return tonumber(string.match(row, '^%d+')) end
while true do
    local rows = call('ZREVRANGE', KEYS[1], n, n + 19)
    for i = 1, #rows do
        local at = time(rows[i])
        if not at or at < since then return out end
        room = room - #rows[i]
        if n == max or room < 0 and n > 0 then
            -- sequences have no gaps: the last one before the time
            local low, high = 0, seq(out[#out])
            while high - low > 1 do
                local mid = math.floor((low + high) / 2)
                local row = call('ZRANGEBYSCORE', KEYS[1], mid, mid)[1]
                local then_at = row and time(row)
                if then_at and then_at < since then
                    low = mid
                else
                    high = mid
                end
            end
            out[1] = low .. as
            return out
        end
        n = n + 1
        out[n + 1] = rows[i]
    end
    if #rows < 20 then return out end
end

-- Stores a message.
-- KEYS: head, timeline, idempotency index, and for a group its members
-- ARGV: from, to or "", random part of the id, type, escaped text,
--       client_msg_id or "", window in ms
-- reply: "msg_id time", for a 1:1 also " " and the other user, or the code of
--        a refusal
local from, to, typ, text, cid = ARGV[1], ARGV[2], ARGV[4], ARGV[5], ARGV[6]
local group = KEYS[4]
local head = redis.call('GETRANGE', KEYS[1], 0, 199)
local seq, last, first, second, pos1, pos2 = 1, '', from, to, '', ''
local peer = ''
if head == '' then
    if group or to == '' then return 'conv_not_found' end
    pos1, pos2 = '000000000000000', '000000000000000'
else
    seq = tonumber(string.sub(head, 2, 16)) + 1
    last = string.sub(head, 17, 29)
    if group then
        if redis.call('HEXISTS', group, from) == 0 then
            return 'not_member'
        end
    else
        local _
        _, _, first, second = string.find(head, '^([^ ]+) ([^ ]+) ', 62)
        if from ~= first and from ~= second then return 'not_member' end
        pos1, pos2 = string.sub(head, 30, 44), string.sub(head, 45, 59)
    end
end
if not group then peer = ' ' .. (from == first and second or first) end
local t = redis.call('TIME')
local now = t[1] .. string.sub('000000' .. t[2], -6, -4)
if now < last then now = last end
local body = typ .. ' ' .. from .. ' ' .. text
local window = tonumber(ARGV[7])
local function row_of(s)
    local row = redis.call('ZRANGEBYSCORE', KEYS[2], s, s)[1]
    local sp = string.find(row, ' ', 1, true)
    local age = tonumber(now) - tonumber(string.sub(row, sp + 1, sp + 13))
    return row, sp, age < window
end
if cid ~= '' then
    local known = redis.call('ZSCORE', KEYS[3], from .. ' ' .. cid)
    if known then
        local row, sp, fresh = row_of(known)
        if fresh then
            if string.sub(row, sp + 15) ~= body then
                return 'idempotency_conflict'
            end
            return string.sub(row, 1, sp + 13) .. peer
        end
    end
end
local pad = string.format('%015d', seq)
local id = seq .. '-' .. ARGV[3]
redis.call('ZADD', KEYS[2], seq, id .. ' ' .. now .. ' ' .. body)
if group then
    redis.call('HSET', group, from, seq)
    redis.call('SET', KEYS[1], '1' .. pad .. now .. typ .. from .. ' ' .. text)
else
    local who = '0'
    if from == first then pos1 = pad else pos2, who = pad, '1' end
    redis.call('SET', KEYS[1], '0' .. pad .. now .. pos1 .. pos2 .. typ .. who
        .. first .. ' ' .. second .. ' ' .. text)
    if head == '' then redis.call('ZADD', KEYS[3], 0, '') end
end
if cid ~= '' then
    redis.call('ZADD', KEYS[3], seq, from .. ' ' .. cid)
    -- forget what is older than the window, a few at a time
    local old = redis.call('ZRANGE', KEYS[3], 1, 4, 'WITHSCORES')
    for i = 1, #old, 2 do
        local _, _, fresh = row_of(old[i + 1])
        if fresh then break end
        redis.call('ZREM', KEYS[3], old[i])
    end
end
return id .. ' ' .. now .. peer

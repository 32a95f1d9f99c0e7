-- Moves a reader's position forward, never back.
-- KEYS: head, timeline, and for a group its members
-- ARGV: reader, sequence or "" for all, msg_id to be checked or ""
-- reply: "ok", or the code of a refusal
local user, upto, msg, group = ARGV[1], ARGV[2], ARGV[3], KEYS[3]
local head = redis.call('GETRANGE', KEYS[1], 0, 199)
if head == '' then return 'conv_not_found' end
local seq = tonumber(string.sub(head, 2, 16))
if msg ~= '' then
    local row = redis.call('ZRANGEBYSCORE', KEYS[2], upto, upto)[1]
    if not row or string.sub(row, 1, #msg + 1) ~= msg .. ' ' then
        return 'msg_not_found'
    end
end
if upto ~= '' and tonumber(upto) < seq then seq = tonumber(upto) end
if group then
    local pos = redis.call('HGET', group, user)
    if not pos then return 'not_member' end
    local at, joined = string.match(pos, '^(%d+)(j?)')
    if tonumber(at) < seq or joined ~= '' and tonumber(at) == seq then
        redis.call('HSET', group, user, seq)
    end
    return 'ok'
end
local _, _, first, second = string.find(head, '^([^ ]+) ([^ ]+) ', 71)
local at = user == first and 37 or user == second and 52
if not at then return 'not_member' end
if tonumber(string.sub(head, at + 1, at + 15)) < seq then
    redis.call('SETRANGE', KEYS[1], at, string.format('%015d', seq))
end
return 'ok'

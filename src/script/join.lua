-- Takes a place in a user's groups, before the user becomes a member.
-- KEYS: groups of the user
-- ARGV: conv_id, limit, "1" to take it anew if it is there: whoever means to
--       give it up by its old score then does not
-- reply: {score, 1 if it was not there before}, or {"0", 0}: the user is in
--        too many groups
local score = redis.call('ZSCORE', KEYS[1], ARGV[1])
if score and ARGV[3] == '' then return {score, 0} end
if not score and redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then
    return {'0', 0}
end
local t = redis.call('TIME')
local now = t[1] .. string.sub('000000' .. t[2], -6)
redis.call('ZADD', KEYS[1], now, ARGV[1])
return {now, score and 0 or 1}

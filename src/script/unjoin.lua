-- Gives up a place in a user's groups, unless it was taken anew since.
-- KEYS: groups of the user
-- ARGV: conv_id, the score it was taken with, or "": it must be older than a
--       minute, in which whoever took it has made the user a member, or never
-- reply: 1 or 0
local score = tonumber(redis.call('ZSCORE', KEYS[1], ARGV[1]))
local seen = tonumber(ARGV[2])
if score and (seen and score == seen
              or not seen and score < (redis.call('TIME')[1] - 60) * 1e6)
then
    return redis.call('ZREM', KEYS[1], ARGV[1])
end
return 0

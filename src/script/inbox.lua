-- Enters an imported 1:1 into an inbox.  A score with a fraction is of one
-- that had no messages yet: these may be older than the conversation.
-- KEYS: inbox of a user
-- ARGV: score, entry
-- reply: "ok"
local score = redis.call('ZSCORE', KEYS[1], ARGV[2])
if not score or string.find(score, '.', 1, true)
   or tonumber(score) < tonumber(ARGV[1])
then
    redis.call('ZADD', KEYS[1], ARGV[1], ARGV[2])
end
return 'ok'

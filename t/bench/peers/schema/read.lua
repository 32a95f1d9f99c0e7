-- Moves a reader's position forward, never back.
-- KEYS: p:USER    ARGV: conv, sequence
local at = tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or 0)
if at < tonumber(ARGV[2]) then redis.call('HSET', KEYS[1], ARGV[1], ARGV[2]) end
return 'ok'

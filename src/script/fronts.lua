-- The fronts of heads, without the text of the last message.
-- KEYS: head of each conversation
-- reply: the first 67 bytes of each, "" where there is no conversation
local out = {}
for i = 1, #KEYS do out[i] = redis.call('GETRANGE', KEYS[i], 0, 66) end
return out

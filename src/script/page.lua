-- Rows of a timeline, the first of those asked for: once they have a number of
-- bytes, no more are read.
-- KEYS: timeline; ids of imported messages
-- ARGV: command, first rank or score, with the second key the id of the
--       message that has it, number of rows, rows to read at a time, bytes,
--       and for a command that goes by scores the last one
-- reply: the rows
local call, key, command = redis.call, KEYS[1], ARGV[1]
local from, n, step, bytes = ARGV[2], ARGV[3], ARGV[4], ARGV[5] + 0
local rows, len, size = {}, 0, 0
if KEYS[2] then
    from = call('HGET', KEYS[2], from) or string.match(from, '^(%d+)%-')
    if not from then return rows end
end
for i = 0, n - 1, step do
    local k, part = math.min(step, n - i), nil
    if ARGV[6] then
        part = call(command, key, from, ARGV[6], 'LIMIT', i, k)
    else
        part = call(command, key, from + i, from + i + k - 1)
    end
    for j = 1, #part do
        local row = part[j]
        len, size = len + 1, size + #row
        rows[len] = row
    end
    if #part < k or size >= bytes then break end
end
return rows

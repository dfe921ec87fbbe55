-- Note how far all shards of items are folded, and drop the changes up to where they were folded before.
-- One round more than needed is kept, so that a worker that follows the changes need not read all items again.
--
-- KEYS[1] - meta hash (epoch, folded: where the last round ended, folded_purchases, trimmed: what may be gone)
-- KEYS[2] - folded hash: shard -> the last entry of the changes that its rows hold
-- KEYS[3] - changes stream
-- KEYS[4] - folder: there while somebody folds
--
-- ARGV[1] - epoch that was folded
-- ARGV[2] - number of shards
--
-- Returns 1 if a round has ended, 0 if not all shards are further than before, -3 if the epoch has moved

if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then
  return -3
end
redis.call('DEL', KEYS[4])
local function place(entry)
  local ms, serial = string.match(entry, '^(%d+)-(%d+)$')
  return tonumber(ms), tonumber(serial)
end
local function earlier(a, b)
  local a_ms, a_serial = place(a)
  local b_ms, b_serial = place(b)
  return a_ms < b_ms or (a_ms == b_ms and a_serial < b_serial)
end

local shards = redis.call('HVALS', KEYS[2])
if #shards < tonumber(ARGV[2]) then
  return 0
end
local least = shards[1]
for i = 2, #shards do
  if earlier(shards[i], least) then
    least = shards[i]
  end
end
local before = redis.call('HGET', KEYS[1], 'folded') or '0-0'
if not earlier(before, least) then
  return 0
end
local fields = redis.call('XRANGE', KEYS[3], least, least)[1][2]
for i = 1, #fields, 2 do
  if fields[i] == 'n' then
    redis.call('HSET', KEYS[1], 'folded_purchases', fields[i + 1])
  end
end
redis.call('HSET', KEYS[1], 'folded', least, 'trimmed', before)
redis.call('XTRIM', KEYS[3], 'MINID', before)
return 1

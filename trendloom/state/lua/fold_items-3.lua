-- Replace rows of some of the items' shards by rows that hold more of the changes, unless somebody else was faster.
--
-- KEYS[1] - meta hash (epoch)
-- KEYS[2] - folded hash: shard -> the last entry of the changes that its rows hold
-- KEYS[3] - folder: there while somebody folds
-- KEYS[3 + i] - rows hash of the i-th shard
--
-- ARGV[1] - epoch that the rows were read in
-- ARGV[2] - how long nobody else should begin to fold, milliseconds
-- ARGV[3] - entry that the new rows hold as their last one
-- ARGV[3 + i] - for each shard: shard, entry that the rows were made from, number of rows n, then n times field, row
--
-- Returns the number of shards that were replaced, or -3 if the epoch has moved

if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then
  return -3
end
redis.call('SET', KEYS[3], '1', 'PX', ARGV[2])
local done = 0
local at = 4
for i = 1, #KEYS - 3 do
  local rows = tonumber(ARGV[at + 2])
  if (redis.call('HGET', KEYS[2], ARGV[at]) or '0-0') == ARGV[at + 1] then
    for row = at + 3, at + 1 + 2 * rows, 2 do
      redis.call('HSET', KEYS[3 + i], ARGV[row], ARGV[row + 1])
    end
    redis.call('HSET', KEYS[2], ARGV[at], ARGV[3])
    done = done + 1
  end
  at = at + 3 + 2 * rows
end
return done

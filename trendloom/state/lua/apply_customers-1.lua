-- In a cluster: apply one shard's part of a batch, once; what it adds to the items is kept until the next batch.
-- batch_parts-0.lua is joined in front.
--
-- KEYS[1] - the shard's hash: epoch, and for each partition "fence:topic:partition" and "delta:topic:partition"
-- KEYS[1 + i] - record of the i-th changed customer
--
-- ARGV[1] - epoch that the batch was prepared in
-- ARGV[2] - "topic:partition"
-- ARGV[3] - fence that the batch was prepared from (-1: none)
-- ARGV[4] - new fence: the batch's last offset
-- ARGV[5] - time to live of a customer's record, seconds
-- ARGV[6] - purchase numbers that the customers were prepared from, packed: u64 each
-- ARGV[7] - what this part adds to the items, packed (trendloom/state/on_redis_cluster.py)
-- ARGV[7 + i] - new record of the i-th customer
--
-- Returns {code, delta}: 1 applied; 2 it was before, with the delta that was kept then; -1 the shard has another fence;
-- -2 a customer has moved; -3 the epoch has moved

if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then
  return { -3, '' }
end
local fence = redis.call('HGET', KEYS[1], 'fence:' .. ARGV[2]) or '-1'
if fence == ARGV[4] then
  return { 2, redis.call('HGET', KEYS[1], 'delta:' .. ARGV[2]) }
end
if fence ~= ARGV[3] then
  return { -1, '' }
end
local before = {}
for i = 1, #KEYS - 1 do
  before[i] = redis.call('SET', KEYS[1 + i], ARGV[7 + i], 'EX', ARGV[5], 'GET')
  if customer_moved(before[i], ARGV[6], i) then
    put_back(KEYS, 1, i, before, ARGV[5])
    return { -2, '' }
  end
end
redis.call('HSET', KEYS[1], 'fence:' .. ARGV[2], ARGV[4], 'delta:' .. ARGV[2], ARGV[7])
return { 1, '' }

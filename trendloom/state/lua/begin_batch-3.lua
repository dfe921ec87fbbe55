-- In a cluster: note what a batch consists of, before any shard of customers changes, so that anybody can finish it.
--
-- KEYS[1] - meta hash (epoch)
-- KEYS[2] - fences hash
-- KEYS[3] - pending batch of this partition
--
-- ARGV[1] - epoch that the batch was prepared in
-- ARGV[2] - field of this partition in the fences hash ("topic:partition")
-- ARGV[3] - fence that the batch was prepared from (-1: none)
-- ARGV[4] - the batch, packed (trendloom/state/on_redis_cluster.py)
--
-- Returns 1 noted (or it was before), -1 the fence has moved or another batch waits, -3 the epoch has moved

if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then
  return -3
end
if (redis.call('HGET', KEYS[2], ARGV[2]) or '-1') ~= ARGV[3] then
  return -1
end
local waiting = redis.call('GET', KEYS[3])
if waiting and waiting ~= ARGV[4] then
  return -1
end
redis.call('SET', KEYS[3], ARGV[4])
return 1

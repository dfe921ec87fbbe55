-- In a cluster: apply the items' side of a batch that every shard of customers has; this is the batch's last step.
-- batch_parts-0.lua is joined in front.
--
-- KEYS[1] - meta hash (epoch, purchases, percentile_sum, folded_purchases)
-- KEYS[2] - fences hash
-- KEYS[3] - journal hash of this partition: last offset of a batch -> what its lists need
-- KEYS[4] - changes stream: what each batch adds to the items
-- KEYS[5] - pending batch of this partition
--
-- ARGV[1] - epoch that the batch was prepared in
-- ARGV[2] - field of this partition in the fences hash ("topic:partition")
-- ARGV[3] - fence that the batch was prepared from (-1: none)
-- ARGV[4] - new fence: the batch's last offset
-- ARGV[5] - packed journal of this batch; empty: nothing new
-- ARGV[6] - comma-separated last offsets of batches whose journals are no longer needed
-- ARGV[7] - worker id
-- ARGV[8] - packed items (trendloom/state/item_log.py)
-- ARGV[9] - packed pairs, in order
-- ARGV[10] - sum of the batch's percentiles, decimal
-- ARGV[11] - number of new purchases
--
-- Returns {code, purchases}: 1 applied, -1 the fence has moved, -3 the epoch has moved; when it was applied, how many
-- purchases are not folded yet

if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then
  return { -3, 0 }
end
if (redis.call('HGET', KEYS[2], ARGV[2]) or '-1') ~= ARGV[3] then
  return { -1, 0 }
end

redis.call('HSET', KEYS[2], ARGV[2], ARGV[4])
redis.call('DEL', KEYS[5])
keep_journal(KEYS[3], ARGV[4], ARGV[5], ARGV[6])
return { 1, add_change(KEYS[1], KEYS[4], ARGV[7], ARGV[8], ARGV[9], ARGV[10], ARGV[11]) }

-- In a cluster: apply the items' side of a batch that every shard of customers has; this is the batch's last step.
-- batch_parts-0.lua is joined in front.
--
-- KEYS[1] - meta hash (epoch, purchases, percentile_sum)
-- KEYS[2] - fences hash
-- KEYS[3] - popularity hash: item number (u32) -> purchases u32, slow f64, fast f64
-- KEYS[4] - journal hash of this partition: last offset of a batch -> what its lists need
-- KEYS[5] - touched stream: which items each batch changed, and by whom
-- KEYS[6] - prefix of the co-purchase hashes; the item number follows (same slot)
-- KEYS[7] - pending batch of this partition
--
-- ARGV[1] - epoch that the batch was prepared in
-- ARGV[2] - field of this partition in the fences hash ("topic:partition")
-- ARGV[3] - fence that the batch was prepared from (-1: none)
-- ARGV[4] - new fence: the batch's last offset
-- ARGV[5] - packed items: (number u32, purchases u32, slow f64, fast f64) each
-- ARGV[6] - packed co-purchases: (row u32, columns u32, then column u32, half-units u32 each) each
-- ARGV[7] - co-purchase columns kept when a row is cut
-- ARGV[8] - co-purchase columns at which a row is cut
-- ARGV[9] - sum of the batch's percentiles, decimal
-- ARGV[10] - number of new purchases
-- ARGV[11] - packed journal of this batch; empty: nothing new
-- ARGV[12] - comma-separated last offsets of batches whose journals are no longer needed
-- ARGV[13] - worker id
-- ARGV[14] - packed numbers (u32) of all touched items
--
-- Returns 1 applied, -1 the fence has moved, -3 the epoch has moved

if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then
  return -3
end
if (redis.call('HGET', KEYS[2], ARGV[2]) or '-1') ~= ARGV[3] then
  return -1
end

redis.call('HSET', KEYS[2], ARGV[2], ARGV[4])
redis.call('DEL', KEYS[7])
keep_journal(KEYS[4], ARGV[4], ARGV[11], ARGV[12])
add_items(KEYS[3], ARGV[5])
add_co_purchases(KEYS[6], ARGV[6], tonumber(ARGV[7]), tonumber(ARGV[8]))
add_totals(KEYS[1], KEYS[5], ARGV[10], ARGV[9], ARGV[13], ARGV[14])
return 1

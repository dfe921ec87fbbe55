-- Apply one batch of one partition: all of it, or nothing if the fence, the epoch or a customer has moved.
-- batch_parts-0.lua is joined in front.
--
-- KEYS[1] - meta hash (epoch, purchases, percentile_sum)
-- KEYS[2] - fences hash
-- KEYS[3] - popularity hash: item number (u32) -> purchases u32, slow f64, fast f64
-- KEYS[4] - journal hash of this partition: last offset of a batch -> what its lists need
-- KEYS[5] - touched stream: which items each batch changed, and by whom
-- KEYS[6] - prefix of the co-purchase hashes; the item number follows (same slot)
-- KEYS[6 + i] - record of the i-th changed customer
--
-- ARGV[1] - epoch that the batch was prepared in
-- ARGV[2] - field of this partition in the fences hash ("topic:partition")
-- ARGV[3] - fence that the batch was prepared from (-1: none)
-- ARGV[4] - new fence: the batch's last offset
-- ARGV[5] - number of changed customers, n
-- ARGV[6] - time to live of a customer's record, seconds
-- ARGV[7] - packed items: (number u32, purchases u32, slow f64, fast f64) each
-- ARGV[8] - packed co-purchases: (row u32, columns u32, then column u32, half-units u32 each) each
-- ARGV[9] - co-purchase columns kept when a row is cut
-- ARGV[10] - co-purchase columns at which a row is cut
-- ARGV[11] - sum of the batch's percentiles, decimal
-- ARGV[12] - number of new purchases
-- ARGV[13] - packed journal of this batch; empty: nothing new
-- ARGV[14] - comma-separated last offsets of batches whose journals are no longer needed
-- ARGV[15] - worker id
-- ARGV[16] - packed numbers (u32) of all touched items
-- ARGV[16 + 2i - 1] - purchase number that the i-th customer was prepared from
-- ARGV[16 + 2i] - new record of the i-th customer
--
-- Returns 1 applied, -1 the fence has moved, -2 a customer has moved, -3 the epoch has moved (trendloom/state/store.py)

if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then
  return -3
end
if (redis.call('HGET', KEYS[2], ARGV[2]) or '-1') ~= ARGV[3] then
  return -1
end
local customers = tonumber(ARGV[5])
for i = 1, customers do
  if customer_moved(KEYS[6 + i], ARGV[16 + 2 * i - 1]) then
    return -2
  end
end

for i = 1, customers do
  redis.call('SET', KEYS[6 + i], ARGV[16 + 2 * i], 'EX', ARGV[6])
end
redis.call('HSET', KEYS[2], ARGV[2], ARGV[4])
keep_journal(KEYS[4], ARGV[4], ARGV[13], ARGV[14])
add_items(KEYS[3], ARGV[7])
add_co_purchases(KEYS[6], ARGV[8], tonumber(ARGV[9]), tonumber(ARGV[10]))
add_totals(KEYS[1], KEYS[5], ARGV[12], ARGV[11], ARGV[15], ARGV[16])
return 1

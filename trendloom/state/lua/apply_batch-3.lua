-- Apply one batch, of one partition or of several: all of it, or nothing if a fence, the epoch or a customer has moved.
-- batch_parts-0.lua is joined in front.
--
-- KEYS[1] - meta hash (epoch, purchases, percentile_sum, folded_purchases)
-- KEYS[2] - fences hash
-- KEYS[3] - changes stream: what each batch adds to the items
-- KEYS[3 + p] - journal hash of the p-th of P partitions: last offset of a batch -> what its lists need
-- KEYS[3 + P + i] - record of the i-th changed customer
--
-- ARGV[1] - epoch that the batch was prepared in
-- ARGV[2] - P, the number of partitions
-- ARGV[3] - time to live of a customer's record, seconds
-- ARGV[4] - purchase numbers that the customers were prepared from, packed: u64 each
-- ARGV[5] - worker id
-- ARGV[6] - packed items (trendloom/state/item_log.py)
-- ARGV[7] - packed pairs, in order
-- ARGV[8] - sum of the batch's percentiles, decimal
-- ARGV[9] - number of new purchases
-- ARGV[5 + 5p] to ARGV[9 + 5p] - of the p-th partition: its field in the fences hash ("topic:partition"); the fence
--   that the batch was prepared from (-1: none); the new fence, its last offset; its packed journal (empty: nothing
--   new); comma-separated last offsets of batches whose journals are no longer needed
-- ARGV[9 + 5P + i] - new record of the i-th customer
--
-- Returns {code, purchases}: 1 applied, -1 a fence has moved, -2 a customer has moved, -3 the epoch has moved
-- (trendloom/state/store.py); when it was applied, how many purchases are not folded yet

if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then
  return { -3, 0 }
end
local partitions = tonumber(ARGV[2])
for p = 1, partitions do
  if (redis.call('HGET', KEYS[2], ARGV[5 + 5 * p]) or '-1') ~= ARGV[6 + 5 * p] then
    return { -1, 0 }
  end
end
local first, record = 3 + partitions, 9 + 5 * partitions
local before = {}
for i = 1, #KEYS - first do
  -- one call that sets and tells costs a third less than two; batches are refused so seldom that undoing is cheap
  before[i] = redis.call('SET', KEYS[first + i], ARGV[record + i], 'EX', ARGV[3], 'GET')
  if customer_moved(before[i], ARGV[4], i) then
    put_back(KEYS, first, i, before, ARGV[3])
    return { -2, 0 }
  end
end
for p = 1, partitions do
  redis.call('HSET', KEYS[2], ARGV[5 + 5 * p], ARGV[7 + 5 * p])
  keep_journal(KEYS[3 + p], ARGV[7 + 5 * p], ARGV[8 + 5 * p], ARGV[9 + 5 * p])
end
return { 1, add_change(KEYS[1], KEYS[3], ARGV[5], ARGV[6], ARGV[7], ARGV[8], ARGV[9]) }

-- Apply one batch of one partition: all of it, or nothing if the fence, the epoch or a customer has moved.
-- batch_parts-0.lua is joined in front.
--
-- KEYS[1] - meta hash (epoch, purchases, percentile_sum, folded_purchases)
-- KEYS[2] - fences hash
-- KEYS[3] - journal hash of this partition: last offset of a batch -> what its lists need
-- KEYS[4] - changes stream: what each batch adds to the items
-- KEYS[4 + i] - record of the i-th changed customer
--
-- ARGV[1] - epoch that the batch was prepared in
-- ARGV[2] - field of this partition in the fences hash ("topic:partition")
-- ARGV[3] - fence that the batch was prepared from (-1: none)
-- ARGV[4] - new fence: the batch's last offset
-- ARGV[5] - time to live of a customer's record, seconds
-- ARGV[6] - purchase numbers that the customers were prepared from, packed: u64 each
-- ARGV[7] - packed journal of this batch; empty: nothing new
-- ARGV[8] - comma-separated last offsets of batches whose journals are no longer needed
-- ARGV[9] - worker id
-- ARGV[10] - packed items (trendloom/state/item_log.py)
-- ARGV[11] - packed pairs, in order
-- ARGV[12] - sum of the batch's percentiles, decimal
-- ARGV[13] - number of new purchases
-- ARGV[13 + i] - new record of the i-th customer
--
-- Returns {code, purchases}: 1 applied, -1 the fence has moved, -2 a customer has moved, -3 the epoch has moved
-- (trendloom/state/store.py); when it was applied, how many purchases are not folded yet

if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then
  return { -3, 0 }
end
if (redis.call('HGET', KEYS[2], ARGV[2]) or '-1') ~= ARGV[3] then
  return { -1, 0 }
end
local before = {}
for i = 1, #KEYS - 4 do
  -- one call that sets and tells costs a third less than two; batches are refused so seldom that undoing is cheap
  before[i] = redis.call('SET', KEYS[4 + i], ARGV[13 + i], 'EX', ARGV[5], 'GET')
  if customer_moved(before[i], ARGV[6], i) then
    put_back(KEYS, 4, i, before, ARGV[5])
    return { -2, 0 }
  end
end
redis.call('HSET', KEYS[2], ARGV[2], ARGV[4])
keep_journal(KEYS[3], ARGV[4], ARGV[7], ARGV[8])
return { 1, add_change(KEYS[1], KEYS[4], ARGV[9], ARGV[10], ARGV[11], ARGV[12], ARGV[13]) }

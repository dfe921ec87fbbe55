-- Parts that the scripts which apply batches share; they are joined in front of those scripts when these are loaded.
--
-- Returns nothing: it only defines functions

local NOBODY = string.rep('\0', 8)

-- Is the purchase number (u64, first in the record) of the i-th customer another one than is expected, packed?
local function customer_moved(record, expected, i)
  local number = record and string.sub(record, 1, 8) or NOBODY
  return number ~= string.sub(expected, 8 * i - 7, 8 * i)
end

-- Give the first `count` of the customers, whose keys follow keys[first], the records again that they had before.
local function put_back(keys, first, count, records, ttl_s)
  for i = 1, count do
    if records[i] then
      redis.call('SET', keys[first + i], records[i], 'EX', ttl_s)
    else
      redis.call('DEL', keys[first + i])
    end
  end
end

-- Keep the journal of the batch that ends at `fence`, if there is one; drop those of the batches in `forget`.
local function keep_journal(key, fence, packed, forget)
  for offset in string.gmatch(forget, '[^,]+') do
    redis.call('HDEL', key, offset)
  end
  if #packed > 0 then
    redis.call('HSET', key, fence, packed)
  end
end

-- Add a batch to the totals over all customers and to the changes; return how many purchases are not folded yet.
local function add_change(meta, changes, worker, items, pairs_, percentile_sum, purchases)
  if #items == 0 and #pairs_ == 0 then
    return 0
  end
  local all = redis.call('HINCRBY', meta, 'purchases', purchases)
  local stood = redis.call('HMGET', meta, 'percentile_sum', 'folded_purchases')
  local sum = string.format('%.17g', tonumber(stood[1] or '0') + tonumber(percentile_sum))
  redis.call('HSET', meta, 'percentile_sum', sum)
  redis.call('XADD', changes, '*',
    'w', worker, 'i', items, 'c', pairs_, 'p', percentile_sum, 'n', string.format('%.0f', all), 's', sum)
  return all - tonumber(stood[2] or '0')
end

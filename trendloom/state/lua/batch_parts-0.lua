-- Parts that the scripts which apply batches share; they are joined in front of those scripts when these are loaded.
-- Numbers are little-endian; times are not needed here: decay lives in log scores (trendloom/state/forward_decay.py).
--
-- Returns nothing: it only defines functions

-- Has a customer another purchase number than the batch was prepared from?
local function customer_moved(key, expected)
  local start = redis.call('GETRANGE', key, 0, 7)
  local number = 0
  if #start == 8 then
    number = struct.unpack('<I8', start)
  end
  return number ~= tonumber(expected)
end

-- log(exp(a) + exp(b)), without overflow
local function log_add(a, b)
  if a < b then
    a, b = b, a
  end
  local x = math.exp(b - a)
  -- log1p, which Lua lacks: exact for small x (Kahan's correction)
  local u = 1 + x
  if u == 1 then
    return a + x
  end
  return a + math.log(u) * x / (u - 1)
end

-- Add packed items, (number u32, purchases u32, slow f64, fast f64) each, to the popularity hash.
local function add_items(key, packed)
  local at = 1
  while at <= #packed do
    local field = string.sub(packed, at, at + 3)
    local purchases, slow, fast
    purchases, slow, fast, at = struct.unpack('<I4dd', packed, at + 4)
    local stored = redis.call('HGET', key, field)
    if stored then
      local had, had_slow, had_fast = struct.unpack('<I4dd', stored)
      purchases = purchases + had
      slow = log_add(had_slow, slow)
      fast = log_add(had_fast, fast)
    end
    redis.call('HSET', key, field, struct.pack('<I4dd', purchases, slow, fast))
  end
end

-- Cut a row to its `keep` greatest counts; of equal counts the smaller column stays (trendloom/bounded_counts.py).
local function cut(key, keep, limit)
  if redis.call('HLEN', key) <= limit then
    return
  end
  local flat = redis.call('HGETALL', key)
  local counts = {}
  for i = 1, #flat, 2 do
    counts[#counts + 1] = { tonumber(flat[i]), tonumber(flat[i + 1]) }
  end
  table.sort(counts, function(a, b)
    if a[2] ~= b[2] then
      return a[2] > b[2]
    end
    return a[1] < b[1]
  end)
  local gone = {}
  for i = keep + 1, #counts do
    gone[#gone + 1] = string.format('%d', counts[i][1])
  end
  redis.call('HDEL', key, unpack(gone))
end

-- Add packed co-purchases, (row u32, columns u32, then column u32, half-units u32 each) each, to the rows' hashes.
local function add_co_purchases(prefix, packed, keep, limit)
  local at = 1
  while at <= #packed do
    local row, columns
    row, columns, at = struct.unpack('<I4I4', packed, at)
    local key = prefix .. string.format('%d', row)
    local grown = false
    for i = 1, columns do
      local column, units
      column, units, at = struct.unpack('<I4I4', packed, at)
      if redis.call('HINCRBY', key, string.format('%d', column), units) == units then
        grown = true
      end
      -- every 64 columns, as in trendloom/bounded_counts.py
      if grown and (i % 64 == 0 or i == columns) then
        cut(key, keep, limit)
        grown = false
      end
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

-- Add a batch to the totals over all customers, and tell the other workers which items it touched.
local function add_totals(meta, touched, purchases, percentile_sum, worker, numbers)
  if tonumber(purchases) > 0 then
    redis.call('HINCRBY', meta, 'purchases', purchases)
    local sum = tonumber(redis.call('HGET', meta, 'percentile_sum') or '0') + tonumber(percentile_sum)
    redis.call('HSET', meta, 'percentile_sum', string.format('%.17g', sum))
    redis.call('XADD', touched, 'MAXLEN', '~', '4096', '*', 'w', worker, 'n', numbers)
  end
end

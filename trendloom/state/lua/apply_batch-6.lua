-- Apply one batch of one partition: all of it, or nothing if the fence, the epoch or a customer has moved.
-- Numbers are little-endian; times are not needed here: decay lives in log scores (trendloom/state/forward_decay.py).
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
  local start = redis.call('GETRANGE', KEYS[6 + i], 0, 7)
  local number = 0
  if #start == 8 then
    number = struct.unpack('<I8', start)
  end
  if number ~= tonumber(ARGV[16 + 2 * i - 1]) then
    return -2
  end
end

for i = 1, customers do
  redis.call('SET', KEYS[6 + i], ARGV[16 + 2 * i], 'EX', ARGV[6])
end
redis.call('HSET', KEYS[2], ARGV[2], ARGV[4])
if #ARGV[14] > 0 then
  for offset in string.gmatch(ARGV[14], '[^,]+') do
    redis.call('HDEL', KEYS[4], offset)
  end
end
if #ARGV[13] > 0 then
  redis.call('HSET', KEYS[4], ARGV[4], ARGV[13])
end

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

local packed = ARGV[7]
local at = 1
while at <= #packed do
  local field = string.sub(packed, at, at + 3)
  local purchases, slow, fast
  purchases, slow, fast, at = struct.unpack('<I4dd', packed, at + 4)
  local stored = redis.call('HGET', KEYS[3], field)
  if stored then
    local had, had_slow, had_fast = struct.unpack('<I4dd', stored)
    purchases = purchases + had
    slow = log_add(had_slow, slow)
    fast = log_add(had_fast, fast)
  end
  redis.call('HSET', KEYS[3], field, struct.pack('<I4dd', purchases, slow, fast))
end

local keep, limit = tonumber(ARGV[9]), tonumber(ARGV[10])
-- Cut a row to its `keep` greatest counts; of equal counts the smaller column stays (trendloom/bounded_counts.py).
local function cut(key)
  if redis.call('HLEN', key) <= limit then
    return
  end
  local flat = redis.call('HGETALL', key)
  local pairs_of = {}
  for i = 1, #flat, 2 do
    pairs_of[#pairs_of + 1] = { tonumber(flat[i]), tonumber(flat[i + 1]) }
  end
  table.sort(pairs_of, function(a, b)
    if a[2] ~= b[2] then
      return a[2] > b[2]
    end
    return a[1] < b[1]
  end)
  local gone = {}
  for i = keep + 1, #pairs_of do
    gone[#gone + 1] = string.format('%d', pairs_of[i][1])
  end
  redis.call('HDEL', key, unpack(gone))
end

packed = ARGV[8]
at = 1
while at <= #packed do
  local row, columns
  row, columns, at = struct.unpack('<I4I4', packed, at)
  local key = KEYS[6] .. string.format('%d', row)
  local grown = false
  for i = 1, columns do
    local column, units
    column, units, at = struct.unpack('<I4I4', packed, at)
    if redis.call('HINCRBY', key, string.format('%d', column), units) == units then
      grown = true
    end
    -- every 64 columns, as in trendloom/bounded_counts.py
    if grown and (i % 64 == 0 or i == columns) then
      cut(key)
      grown = false
    end
  end
end

if tonumber(ARGV[12]) > 0 then
  redis.call('HINCRBY', KEYS[1], 'purchases', ARGV[12])
  local sum = tonumber(redis.call('HGET', KEYS[1], 'percentile_sum') or '0') + tonumber(ARGV[11])
  redis.call('HSET', KEYS[1], 'percentile_sum', string.format('%.17g', sum))
  redis.call('XADD', KEYS[5], 'MAXLEN', '~', '4096', '*', 'w', ARGV[15], 'n', ARGV[16])
end
return 1

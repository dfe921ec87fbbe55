-- Give each unknown item id the next free number; a number is never used again.
--
-- KEYS[1] - meta hash (epoch)
-- KEYS[2] - numbers hash: item id -> number
-- KEYS[3] - ids list: the item id of each number
--
-- ARGV[1] - epoch that the caller opened
-- ARGV[2] - greatest number of items
-- ARGV[2 + i] - the i-th item id
--
-- Returns the number of each id, -1 where the greatest number of items is reached; nil if the epoch has moved

if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then
  return false
end
local most = tonumber(ARGV[2])
local size = redis.call('LLEN', KEYS[3])
local numbers = {}
for i = 3, #ARGV do
  local number = redis.call('HGET', KEYS[2], ARGV[i])
  if not number then
    if size < most then
      redis.call('RPUSH', KEYS[3], ARGV[i])
      redis.call('HSET', KEYS[2], ARGV[i], size)
      number = size
      size = size + 1
    else
      number = -1
    end
  end
  numbers[i - 2] = tonumber(number)
end
return numbers
